"""Confirmations, tiny but real: chosen on validation images, trained again, measured on test images."""

from __future__ import annotations

import io
import json
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from rich.console import Console

from analysis import labels, schema
from analysis.frontier.choice import configurations
from analysis.frontier.confirmed import confirmed
from analysis.layout import ATTEMPT, ENDED, StudyPaths, default_tracking_uri, read_events, study_paths, write_json
from analysis.reading.runs import read_mlflow, read_study
from study import dry_run
from study.choosing.request import ChoiceError
from study.config import StudyConfig
from study.config.file import StudyFileError
from study.confirming.confirm import confirm, prepare
from study.confirming.plan import plan, training
from study.confirming.request import Confirm
from study.execution.session import Session
from study.launch import resume
from study.tracking.tracker import sync
from trainables.config import TrialConfig, UserError, flatten, from_dict
from trainables.metrics import AUTO_ATTACK_ACCURACY, CLEAN_ACCURACY, FORWARD_EQUIVALENTS
from trainables.pretrain import Pretraining

Once = Callable[[str, Callable[[], object]], StudyPaths]
SMALL = {"evaluation.images": 50, "evaluation.head_images": 100}
"""What of the full protocol these tests do without."""


@pytest.fixture
def child(once: Once, parent: StudyPaths) -> StudyPaths:
    """The confirmation of two of its trials with one seed, as ``request()`` asks for it."""
    return once("tiny-confirmed", lambda: run(request()))


def quiet() -> Console:
    return Console(file=io.StringIO(), width=400)


def request(**changes: Any) -> Confirm:
    asked = {"study": "tiny", "attack": "pgd", "trials": (0, 2), "seeds": 1, "settings": SMALL}
    return Confirm(**(asked | changes))


def run(asked: Confirm) -> StudyPaths:
    return confirm(asked, backend="inline", console=quiet())


def configs(paths: StudyPaths) -> dict[int, TrialConfig]:
    return {trial.number: from_dict(json.loads(trial.config.read_text())["config"]) for trial in paths.each_trial()}


def pairs(paths: StudyPaths) -> list[tuple[int, int]]:
    """Configuration and seed of each trial, in order."""
    written = [json.loads(trial.config.read_text())["params"] for trial in paths.each_trial()]
    return [(params["configuration"], params["seed"]) for params in written]


def statuses(paths: StudyPaths) -> list[str]:
    return [read_events(trial)[-1].get("status", "running") for trial in paths.each_trial()]


def flag(paths: StudyPaths, number: int) -> None:
    result = paths.trial(number).result
    write_json(result, json.loads(result.read_text()) | {"verdict": "flagged: noise breaks it"})


def test_configurations_are_trained_whole_with_a_new_seed_and_measured_on_test_images(
    parent: StudyPaths, child: StudyPaths
) -> None:
    assert child.name == "tiny-confirmed"
    assert pairs(child) == [(0, 5), (2, 5)]
    assert statuses(child) == ["finished"] * 2
    searched = configs(parent)
    changed = {"seed", "data.validation_fraction", "data.train_images", "evaluation.split", "evaluation.head_images"}
    for (configuration, seed), config in zip(pairs(child), configs(child).values(), strict=True):
        before, after = flatten(searched[configuration]), flatten(config)
        assert {path for path in before if before[path] != after[path]} == changed
        assert (config.seed, config.data.validation_fraction, config.data.train_images) == (seed, 0, None)
        assert (config.evaluation.split, config.evaluation.attacks) == ("test", ("pgd",))
    for trial in child.each_trial():
        result = json.loads(trial.result.read_text())
        assert result["split"] == "test"
        assert result["data"].endswith("1438 train, 50 of test evaluated")
    table = confirmed(read_study(child))
    assert table["configuration"].tolist() == ["tiny/0000", "tiny/0002"]
    assert table["seeds"].tolist() == [1, 1]
    assert read_study(child).evaluation["split"] == "test"
    assert read_study(parent).evaluation["split"] == "validation"


def test_the_full_protocol_is_all_images_and_autoattack(parent: StudyPaths) -> None:
    config = prepare(request(settings={}, attack="autoattack")).config
    evaluation, other = (one.evaluation for one in config.confirms.configs())
    assert evaluation == other
    assert (evaluation.images, evaluation.head_images, evaluation.auto_attack_images) == (None, None, None)
    assert evaluation.attacks == ("pgd", "auto_attack")
    assert config.objectives == [CLEAN_ACCURACY, AUTO_ATTACK_ACCURACY]
    assert config.budget.trials == 2


def test_nodes_that_share_no_disk_find_a_confirmations_trials(parent: StudyPaths) -> None:
    searched = StudyConfig.load(parent.study_file).model_copy(update={"storage": "memory://trials"})
    parent.study_file.write_text(searched.to_yaml())
    assert prepare(request()).config.storage == "memory://trials"


def test_without_names_the_frontier_is_confirmed(parent: StudyPaths) -> None:
    best = configurations(read_study(parent))["number"].tolist()
    assert prepare(request(trials=())).config.confirms.trials == best
    one = prepare(request(trials=(), limit=1))
    assert one.config.confirms.trials == best[:1]
    flag(parent, best[0])
    prepared = prepare(request(trials=()))
    assert best[0] not in prepared.config.confirms.trials
    assert f"trial {best[0]:04d} is left out: flagged: noise breaks it" in prepared.remarks


def test_more_seeds_extend_a_confirmation_and_train_nothing_twice(child: StudyPaths) -> None:
    before = {trial.number: trial.events.read_bytes() for trial in child.each_trial()}
    run(request())
    assert pairs(child) == [(0, 5), (2, 5)]
    run(request(seeds=2))
    assert pairs(child) == [(0, 5), (2, 5), (0, 6), (2, 6)]
    assert {number: child.trial(number).events.read_bytes() for number in before} == before
    assert statuses(child) == ["finished"] * 4
    manifest = json.loads(child.manifest.read_text())
    assert (manifest["confirms"]["seeds"], manifest["budget"]["trials"]) == ([5, 6], 4)
    assert confirmed(read_study(child))["seeds"].tolist() == [2, 2]


def test_mlflow_is_not_left_out_of_what_was_begun_with_it(child: StudyPaths) -> None:
    child.study_file.write_text(child.study_file.read_text().replace("offline: true", "offline: false"))
    with pytest.raises(UserError, match="was begun with MLflow; leave --offline out"):
        prepare(request(seeds=2, offline=True))


def test_a_seed_that_the_search_has_used_since_is_not_used_again(parent: StudyPaths, child: StudyPaths) -> None:
    config = json.loads(parent.trial(1).config.read_text())
    write_json(parent.trial(1).config, config | {"config": config["config"] | {"seed": 8}})
    assert prepare(request(seeds=3)).config.confirms.seeds == [5, 9, 10]


@pytest.mark.slow
def test_an_interrupted_confirmation_needs_the_search_no_more(
    parent: StudyPaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended = Session.ended

    def interrupted(session: Session, number: int, **how: Any) -> None:
        ended(session, number, **how)
        signal.raise_signal(signal.SIGINT)

    with monkeypatch.context() as patch:
        patch.setattr(Session, "ended", interrupted)
        with pytest.raises(SystemExit) as stopped:
            run(request())
    assert stopped.value.code == 130
    paths = study_paths("tiny-confirmed")
    assert pairs(paths) == [(0, 5)]
    shutil.rmtree(parent.root)
    resume("tiny-confirmed", backend="inline", console=quiet())
    assert pairs(paths) == [(0, 5), (2, 5)]
    assert sum(event["kind"] == ATTEMPT for event in read_events(paths.trial(0))) == 1
    assert len(confirmed(read_study(paths))) == 2


def test_a_larger_budget_trains_no_configuration_that_is_not_listed(child: StudyPaths) -> None:
    console = quiet()
    resume(child.name, trials=9, backend="inline", console=console)
    assert pairs(child) == [(0, 5), (2, 5)]
    assert "all 2 listed trials were begun; give more seeds to `study confirm`" in console.file.getvalue()


@pytest.mark.slow
def test_a_training_short_of_memory_is_made_up_for_beyond_the_list(
    parent: StudyPaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, first = Pretraining._train_on, []

    def short(self: Pretraining, *batch: Any) -> Any:
        first.append(self.config)
        if self.config.seed == first[0].seed and self.config.optimiser.micro_batches == 1:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return real(self, *batch)

    monkeypatch.setattr(Pretraining, "_train_on", short)
    paths = run(request(trials=(0,)))
    assert pairs(paths) == [(0, 5), (0, 5)]
    assert statuses(paths) == ["failed", "finished"]
    run(request(trials=(0,)))
    run(request(trials=(0,), seeds=2))
    assert pairs(paths) == [(0, 5), (0, 5), (0, 6)]
    assert confirmed(read_study(paths))["seeds"].tolist() == [2]


@pytest.mark.slow
def test_a_confirmation_that_fails_is_not_tried_again(parent: StudyPaths) -> None:
    config = json.loads(parent.trial(0).config.read_text())
    config["config"]["optimiser"]["learning_rate"] = 1e30
    write_json(parent.trial(0).config, config)
    paths = run(request(trials=(0,)))
    run(request(trials=(0,), seeds=2))
    assert list(zip(pairs(paths), statuses(paths), strict=True)) == [((0, 5), "failed"), ((0, 6), "failed")]
    assert confirmed(read_study(paths))["seeds"].tolist() == [0]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"study": "nothing"}, "nothing"),
        ({"trials": (0, 7)}, "no finished trial 7"),
        ({"limit": 1}, "--trials and --limit exclude each other"),
        ({"settings": {"optimiser.epochs": 9}}, "set only evaluation. settings"),
        ({"settings": {"evaluation.split": "validation"}}, "to confirm is to attack test images"),
        ({"settings": {"evaluation.attacks": ["pgd"]}}, "by what --attack names"),
        ({"settings": {"evaluation.imagez": 9}}, "unknown setting 'evaluation.imagez'"),
        ({"name": ".hidden"}, "name is '.hidden'"),
        ({"name": "tiny"}, "tiny exists and is not tiny confirmed"),
    ],
)
def test_what_cannot_be_confirmed_is_refused(parent: StudyPaths, changes: dict[str, Any], words: str) -> None:
    before = sorted(parent.root.parent.rglob("*"))
    with pytest.raises(UserError, match=words):
        run(request(**changes))
    assert sorted(parent.root.parent.rglob("*")) == before


def test_fewer_training_images_may_be_asked_for(parent: StudyPaths) -> None:
    few = prepare(request(settings={"data.train_images": 128}))
    confirmation = few.config.confirms
    assert confirmation is not None
    assert {config.data.train_images for config in confirmation.configs()} == {128}
    for prepared, words in ((few, "trained on 128 training images"), (prepare(request()), "trained on all training")):
        console = quiet()
        console.print(plan(prepared))
        assert words in console.file.getvalue()


def test_flagged_and_absent_frontiers_are_refused(parent: StudyPaths) -> None:
    for number in range(3):
        flag(parent, number)
    with pytest.raises(ChoiceError, match="trial 0 of tiny is flagged: noise breaks it; name others"):
        prepare(request())
    with pytest.raises(ChoiceError, match="tiny has nothing to confirm"):
        prepare(request(trials=()))


def test_another_question_needs_another_name(child: StudyPaths) -> None:
    refused = {
        "tiny-confirmed has trials 0,2 of tiny, not 2; go on with --trials 0,2": request(trials=(2,)),
        r"other settings \(evaluation.images is 50\)": request(settings=SMALL | {"evaluation.images": 40}),
        r"other settings \(evaluation.attacks is": request(attack="autoattack"),
        "tiny-confirmed is a confirmation itself; name the study that it is of, tiny$": request(study="tiny-confirmed"),
    }
    for words, asked in refused.items():
        with pytest.raises(ChoiceError, match=words):
            prepare(asked)
    assert prepare(request(trials=(2,), name="again")).config.confirms.trials == [2]


def test_what_was_begun_goes_on_with_its_own_configurations_whatever_the_frontier_is(child: StudyPaths) -> None:
    found = prepare(request(trials=(), seeds=2))
    assert found.config.confirms.trials == [0, 2]
    assert found.config.confirms.seeds == [5, 6]
    assert found.remarks[0].startswith("tiny-confirmed goes on with the configurations that it has; --name")
    anew = prepare(request(trials=(), name="again"))
    assert not any("goes on" in line for line in anew.remarks)


def test_no_seed_is_taken_away(child: StudyPaths) -> None:
    run_nothing = prepare(request(seeds=2)).config
    child.study_file.write_text(run_nothing.to_yaml())
    with pytest.raises(ChoiceError, match="has 2 seeds; ask for as many, or for more"):
        prepare(request())


def test_a_file_that_confirms_is_a_whole_study_and_searches_nothing(parent: StudyPaths, tmp_path: Path) -> None:
    config = prepare(request(seeds=2)).config
    path = tmp_path / "own.yaml"
    path.write_text(config.to_yaml())
    assert StudyConfig.load(path) == config
    for overrides, words in (
        ({"confirms.settings": {}}, "unknown trainable ''"),
        ({"space": {"m": 3}}, "space means nothing beside confirms"),
        ({"confirms.seeds": [1, 1]}, "name each once"),
        ({"confirms.seedz": [1]}, "did you mean seeds"),
        ({"confirms.configurations": [{"trial": 1, "setting": {}}]}, "did you mean settings"),
    ):
        with pytest.raises(StudyFileError, match=words):
            StudyConfig.load(path, overrides)


def test_a_plan_counts_what_the_trials_then_report(child: StudyPaths) -> None:
    before = sorted(child.root.parent.rglob("*"))
    console, prepared = quiet(), prepare(request(seeds=2))
    console.print(plan(prepared))
    assert "4 trainings (2 configurations x 2 seeds), 2 of them done" in console.file.getvalue()
    assert "two seeds give intervals too wide" in console.file.getvalue()
    for heading in ("Pre-training, forward-equivalents", "Evaluation, forward-equivalents", "GPU-minutes"):
        assert heading in console.file.getvalue()
    assert not any("two seeds" in remark for remark in prepare(request(seeds=3)).remarks)
    assert sorted(child.root.parent.rglob("*")) == before
    for trial, number, config in zip(child.each_trial(), (0, 2), prepared.config.confirms.configs(), strict=True):
        known, metrics = training(prepared.parent, number, config), read_events(trial)[-1]["metrics"]
        assert known.pretraining == metrics[FORWARD_EQUIVALENTS]
        assert known.evaluation == metrics["evaluation_forward_equivalents"]
        assert known.minutes > 0


def test_a_dry_run_of_its_study_file_names_each_configuration_once_and_counts_all(parent: StudyPaths) -> None:
    console, prepared = quiet(), prepare(request(seeds=2))
    console.print(dry_run.plan(prepared.config))
    told = " ".join(console.file.getvalue().split())
    assert "2 trials of tiny, each with seeds 5, 6" in told
    assert [told.count(f" {number} ") for number in ("0000", "0002")] == [1, 1]
    each = (training(prepared.parent, *one) for one in zip((0, 2), prepared.config.confirms.configs(), strict=True))
    assert f"; {labels.cost(2 * sum(one.pretraining for one in each))} for all 4." in told


@pytest.mark.slow
def test_the_runs_of_a_confirmation_are_its_own(parent: StudyPaths, child: StudyPaths) -> None:
    from mlflow.tracking import MlflowClient

    uri = default_tracking_uri(parent.root.parent)
    sync(parent)
    run(request(seeds=2, tracking_uri=uri))
    store = MlflowClient(uri)
    ours, theirs = store.get_experiment_by_name("tiny-confirmed"), store.get_experiment_by_name("tiny")
    found = store.search_runs([ours.experiment_id], f"tags.`{schema.ROLE}` = 'trial'")
    runs = {found.data.tags[schema.TRIAL_ID]: found for found in found}
    assert runs.keys() == {f"tiny-confirmed/000{number}" for number in range(4)}
    assert all(found.info.status == "FINISHED" for found in runs.values())
    last = runs["tiny-confirmed/0003"].data
    assert (last.tags[schema.CONFIRMS], last.tags[schema.SPLIT]) == ("tiny/0002", "test")
    assert (last.params["configuration"], last.params["seed"]) == ("2", "6")
    (whole,) = store.search_runs([ours.experiment_id], f"tags.`{schema.ROLE}` = 'study'")
    assert whole.data.tags[schema.CONFIRMS] == "tiny"
    assert f"[tiny](#/experiments/{theirs.experiment_id}/runs" in ours.tags["mlflow.note.content"]
    assert confirmed(read_mlflow(uri, "tiny-confirmed")).equals(confirmed(read_study(child)))


@pytest.mark.exhaustive
@pytest.mark.slow
def test_autoattack_confirms_on_ray(parent: StudyPaths) -> None:
    few = SMALL | {"evaluation.auto_attack_images": 8}
    paths = confirm(request(attack="autoattack", seeds=2, trials=(0,), settings=few), console=quiet())
    assert sorted(pairs(paths)) == [(0, 5), (0, 6)]
    for trial in paths.each_trial():
        ended = read_events(trial)[-1]
        assert (ended["kind"], ended["status"]) == (ENDED, "finished")
        assert ended["metrics"]["auto_attack_images"] == 8
        (found,) = json.loads(trial.result.read_text())["heads"][0]["auto_attack"]
        assert found["version"] == "standard"
        assert list(found["after"]) == ["apgd-ce", "apgd-t", "fab-t", "square"]
    (row,) = confirmed(read_study(paths)).to_dict("records")
    assert row["seeds"] == 2
    assert row[f"{AUTO_ATTACK_ACCURACY}_low"] <= row[AUTO_ATTACK_ACCURACY] <= row[f"{AUTO_ATTACK_ACCURACY}_high"]
