"""What a search has trained is measured again, tiny but real: as it was, otherwise, in parts, without the search."""

from __future__ import annotations

import io
import json
import re
import shutil
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from rich.console import Console

from analysis import schema
from analysis.comparing.comparability import comparability
from analysis.frontier.pareto import frontier
from analysis.layout import (
    ATTEMPT,
    ENDED,
    StudyPaths,
    append_event,
    default_tracking_uri,
    read_events,
    study_paths,
    write_json,
)
from analysis.reading.runs import Study, read_mlflow, read_study
from study import dry_run
from study.choosing.plan import images
from study.choosing.request import ChoiceError
from study.clean import Cleaned, clean
from study.config import Resources, StudyConfig
from study.config.file import StudyFileError
from study.execution.session import Session
from study.files.storage import Storage
from study.launch import launch, resume
from study.measuring.measure import measure, prepare
from study.measuring.plan import measuring, plan
from study.measuring.request import Request
from study.preflight import check_free
from study.search import networks, searcher
from study.search.storage import SearchError
from study.tracking.tracker import sync
from trainables import trial as trials
from trainables.config import TrialConfig, UserError, from_dict, override
from trainables.evaluation import assess
from trainables.metrics import (
    AUTO_ATTACK_ACCURACY,
    CLEAN_ACCURACY,
    EVALUATION_FORWARD_EQUIVALENTS,
    FORWARD_EQUIVALENTS,
    PGD_ACCURACY,
)

Tiny = Callable[..., StudyConfig]
Once = Callable[[str, Callable[[], object]], StudyPaths]
OTHERWISE = {"evaluation.attack_epsilons": [2 / 255, 8 / 255], "evaluation.attacks": ["pgd", "fgsm"]}


@pytest.fixture
def parent(once: Once, studies: Path, tiny: Tiny) -> StudyPaths:
    """A finished search of three trials."""
    config = tiny({"seed": 4, "optimiser.batch_size": 128})
    return once("tiny", lambda: launch(config, backend="inline", console=quiet()))


@pytest.fixture
def child(once: Once, parent: StudyPaths, monkeypatch: pytest.MonkeyPatch) -> StudyPaths:
    """Two of its trials, measured as they were; nothing is trained for it."""
    with monkeypatch.context() as patch:
        for place, name in ((assess, "train_head"), (trials, "Pretraining")):
            patch.setattr(place, name, lambda *_: pytest.fail("it is trained again"))
        return once("tiny-measured", lambda: run(request()))


def quiet() -> Console:
    return Console(file=io.StringIO(), width=400)


def request(**changes: Any) -> Request:
    return Request(**({"study": "tiny", "trials": (0, 2)} | changes))


def run(asked: Request) -> StudyPaths:
    return measure(asked, backend="inline", console=quiet())


def config(paths: StudyPaths, number: int) -> TrialConfig:
    return from_dict(json.loads(paths.trial(number).config.read_text())["config"])


def result(paths: StudyPaths, number: int) -> dict[str, Any]:
    """What of a trial's result is a function of its configuration."""
    found = json.loads(paths.trial(number).result.read_text())
    timed = ("pretrain_minutes", "evaluation_minutes", "pretrain_gpu_share")
    cost = {name: value for name, value in found["cost"].items() if name not in timed}
    metrics = {name: value for name, value in found["metrics"].items() if name != "gpu_minutes"}
    return found | {"cost": cost, "metrics": metrics}


def measured(paths: StudyPaths) -> list[int]:
    """Whose network each trial has measured, in order."""
    return [json.loads(trial.config.read_text())["params"]["configuration"] for trial in paths.each_trial()]


def statuses(paths: StudyPaths) -> list[str]:
    return [read_events(trial)[-1].get("status", "running") for trial in paths.each_trial()]


def interrupt_after_a_trial(patch: pytest.MonkeyPatch) -> None:
    ended = Session.ended

    def interrupted(session: Session, number: int, **how: Any) -> None:
        ended(session, number, **how)
        signal.raise_signal(signal.SIGINT)

    patch.setattr(Session, "ended", interrupted)


def test_the_same_settings_give_the_searchs_own_figures_and_nothing_is_trained(
    parent: StudyPaths, child: StudyPaths
) -> None:
    assert child.name == "tiny-measured"
    assert (measured(child), statuses(child)) == ([0, 2], ["finished"] * 2)
    before, after = read_study(parent).trials, read_study(child).trials
    for number, origin in enumerate((0, 2)):
        assert config(child, number) == config(parent, origin)
        assert result(child, number) == result(parent, origin)
        theirs, ours = before.iloc[origin], after.iloc[number]
        assert (ours["origin"], ours["epochs"]) == (f"tiny/{origin:04d}", theirs["epochs"])
        assert ours["param.learning_rate"] == theirs["param.learning_rate"]
        cost = json.loads(parent.trial(origin).result.read_text())["cost"]
        spent = json.loads(child.trial(number).result.read_text())["cost"]
        assert spent["pretrain_minutes"] == cost["pretrain_minutes"]
        assert ours["gpu_minutes"] == spent["pretrain_minutes"] + spent["evaluation_minutes"]
    assert read_study(child).curves.empty


@pytest.mark.slow
def test_other_settings_measure_what_a_trial_with_them_would_have(parent: StudyPaths) -> None:
    heads = {"evaluation.heads": ["robust", "clean"], "evaluation.head": "clean", "evaluation.images": 30}
    child = run(request(trials=(2,), settings=OTHERWISE | heads))
    anew = trials.run(override(config(parent, 2), OTHERWISE | heads))
    found, wanted = result(child, 0), json.loads(json.dumps(anew.to_dict()))
    for name in ("heads", "head", "split", "verdict", "data", "classes", "epochs"):
        assert found[name] == wanted[name]
    for name in (CLEAN_ACCURACY, PGD_ACCURACY, FORWARD_EQUIVALENTS, EVALUATION_FORWARD_EQUIVALENTS):
        assert found["metrics"][name] == wanted["metrics"][name]


def test_more_trials_are_added_and_none_is_measured_twice(child: StudyPaths) -> None:
    before = {trial.number: trial.events.read_bytes() for trial in child.each_trial()}
    run(request())
    run(request(trials=(1,)))
    assert (measured(child), statuses(child)) == ([0, 2, 1], ["finished"] * 3)
    assert {number: child.trial(number).events.read_bytes() for number in before} == before
    manifest = json.loads(child.manifest.read_text())
    assert [one["trial"] for one in manifest["measures"]["configurations"]] == [0, 2, 1]
    assert manifest["budget"]["trials"] == 3
    assert StudyConfig.load(child.study_file).measures.trials == [0, 2, 1]


def test_without_names_the_frontier_is_measured(parent: StudyPaths, child: StudyPaths) -> None:
    best = frontier(read_study(parent))["number"].tolist()
    assert prepare(request(trials=(), name="again")).config.measures.trials == best
    assert prepare(request(trials=(), limit=1, name="again")).config.measures.trials == best[:1]
    assert prepare(request(trials=())).config.measures.trials == [0, 2, *(one for one in best if one not in (0, 2))]


def test_of_a_confirmation_whose_trials_are_single_seeds_all_that_are_trusted_are(parent: StudyPaths) -> None:
    write_json(parent.manifest, json.loads(parent.manifest.read_text()) | {"confirms": {"study": "x", "seeds": [1]}})
    assert prepare(request(trials=())).config.measures.trials == [0, 1, 2]


def test_flagged_trials_are_measured_only_by_name(parent: StudyPaths) -> None:
    (best, *_) = frontier(read_study(parent))["number"].tolist()
    path = parent.trial(best).result
    write_json(path, json.loads(path.read_text()) | {"verdict": "flagged: noise breaks it"})
    prepared = prepare(request(trials=()))
    assert best not in prepared.config.measures.trials
    assert f"trial {best:04d} is left out: flagged: noise breaks it" in prepared.remarks
    assert prepare(request(trials=(best,))).config.measures.trials == [best]


@pytest.mark.parametrize(
    ("changes", "robust"),
    [
        ({}, PGD_ACCURACY),
        ({"settings": {"evaluation.images": 9}}, PGD_ACCURACY),
        ({"attack": "autoattack"}, AUTO_ATTACK_ACCURACY),
        ({"settings": {"evaluation.attacks": ["pgd", "auto_attack"]}}, AUTO_ATTACK_ACCURACY),
        ({"attack": "pgd"}, PGD_ACCURACY),
    ],
)
def test_the_objective_is_the_accuracy_under_the_strongest_attack_that_is_asked_for(
    tiny: Tiny, changes: dict[str, Any], robust: str
) -> None:
    parent = Study(
        name="first", manifest={"evaluation": {"head": "robust"}}, trials=pd.DataFrame(), curves=pd.DataFrame()
    )
    asked = request(**changes)
    assert asked.objectives(tiny(), parent) == [CLEAN_ACCURACY, robust]
    searched = tiny(objectives=[AUTO_ATTACK_ACCURACY, CLEAN_ACCURACY, FORWARD_EQUIVALENTS])
    as_it_was = AUTO_ATTACK_ACCURACY if "evaluation.attacks" not in asked.changes else robust
    assert asked.objectives(searched, parent) == [as_it_was, CLEAN_ACCURACY, FORWARD_EQUIVALENTS]


def test_an_interrupted_measurement_needs_the_search_no_more_but_what_it_has_brought(
    parent: StudyPaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = [result(parent, number) for number in (0, 2)]
    with monkeypatch.context() as patch:
        interrupt_after_a_trial(patch)
        with pytest.raises(SystemExit):
            run(request())
    paths = study_paths("tiny-measured")
    assert measured(paths) == [0]
    shutil.rmtree(parent.root)
    brought = paths.network(2).checkpoint
    away = brought.rename(paths.root / "away.pt")
    with pytest.raises(UserError, match=r"tiny/trials/0002/checkpoint.pt is missing"):
        resume("tiny-measured", backend="inline", console=quiet())
    away.rename(brought)
    resume("tiny-measured", backend="inline", console=quiet())
    assert [result(paths, number) for number in (0, 1)] == wanted
    assert sum(event["kind"] == ATTEMPT for event in read_events(paths.trial(0))) == 1
    shutil.rmtree(paths.networks)
    console = quiet()
    resume("tiny-measured", backend="inline", console=console)
    assert "all 2 listed trials were begun; give more trials to `study measure`" in console.file.getvalue()


class KilledError(BaseException):
    """As abrupt as a kill: nothing is put in order."""


def test_a_kill_before_a_trial_has_its_configuration_loses_nothing(
    parent: StudyPaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: Any) -> None:
        raise KilledError

    with monkeypatch.context() as patch:
        patch.setattr(searcher, "write_config", killed)
        patch.setattr("study.launch.shutil.rmtree", lambda *_, **__: None)
        with pytest.raises(KilledError):
            run(request())
    paths = study_paths("tiny-measured")
    assert paths.trial(0).checkpoint.exists()
    assert not paths.trial(0).config.exists()
    run(request())
    assert (measured(paths), statuses(paths)) == ([0, 2], ["finished"] * 2)


@pytest.mark.parametrize("links", [True, False])
def test_a_kill_while_networks_are_brought_leaves_nothing_in_the_way(
    parent: StudyPaths, monkeypatch: pytest.MonkeyPatch, links: bool
) -> None:
    """Also on a disk that has no links."""
    real, brought, paths, config = networks._link, list[str](), study_paths("tiny-measured"), prepare(request()).config

    def no_links(*_: Any) -> None:
        raise OSError

    def killed(source: Path, to: Path) -> None:
        brought.append(to.name)
        if len(brought) == 4:
            raise KilledError
        real(source, to)

    if not links:
        monkeypatch.setattr("study.search.networks.os.link", no_links)
    with monkeypatch.context() as patch:
        patch.setattr(networks, "_link", killed)
        with pytest.raises(KilledError):
            networks.gather(paths, config)
    assert brought == ["robust.pt", "checkpoint.pt"] * 2
    check_free(paths)
    networks.gather(paths, config)
    for number in (0, 2):
        here, there = paths.network(number), parent.trial(number)
        assert here.checkpoint.read_bytes() == there.checkpoint.read_bytes()
        assert here.checkpoint.samefile(there.checkpoint) is links
        assert [path.name for path in trials.evaluation_folder(here.checkpoint).iterdir()] == ["robust.pt"]


def spoil(checkpoint: Path) -> None:
    """Other weights in the place of a trial's, as another training of its configuration leaves them."""
    saved = torch.load(checkpoint, weights_only=True)
    weights = saved["state"]["pretraining"]["model"]
    name = next(iter(weights))
    weights[name] = weights[name] + 1
    checkpoint.unlink()
    torch.save(saved, checkpoint)


def test_another_network_in_the_place_of_one_is_refused(child: StudyPaths, parent: StudyPaths) -> None:
    spoil(parent.trial(2).checkpoint)
    with pytest.raises(ChoiceError, match="trial 2 of tiny is another network than tiny-measured began with"):
        prepare(request(trials=(1,)))
    assert prepare(request(trials=(2,), name="again")).begun is False


@pytest.mark.slow
def test_a_network_that_is_replaced_before_it_is_measured_is_not_measured(
    parent: StudyPaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        interrupt_after_a_trial(patch)
        with pytest.raises(SystemExit):
            run(request())
    paths = study_paths("tiny-measured")
    spoil(paths.network(2).checkpoint)
    resume(paths.name, backend="inline", console=quiet())
    ended = read_events(paths.trial(1))[-1]
    assert ended["status"] == "failed"
    assert "holds other weights than those that were to be measured" in ended["reason"]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"study": "nothing"}, "nothing"),
        ({"trials": (0, 7)}, "no finished trial 7"),
        ({"limit": 1}, "--trials and --limit exclude each other"),
        ({"settings": {"optimiser.epochs": 9}}, "stays what it is; set only evaluation. settings and device"),
        ({"settings": {"evaluation.attacks": ["pgd"]}, "attack": "pgd"}, "exclude each other"),
        ({"settings": {"evaluation.imagez": 9}}, "unknown setting 'evaluation.imagez'"),
        ({"settings": {"evaluation.attacks": ["fgsm"]}}, "pgd must be among them"),
        ({"settings": {"evaluation.heads": ["own"], "evaluation.head": "own"}}, "no classifier of its own"),
        ({"name": ".hidden"}, "name is '.hidden'"),
        ({"name": "tiny"}, "tiny exists and measures nothing of tiny"),
    ],
)
def test_what_cannot_be_measured_is_refused(parent: StudyPaths, changes: dict[str, Any], words: str) -> None:
    before = sorted(parent.root.parent.rglob("*"))
    with pytest.raises(UserError, match=words):
        run(request(**changes))
    assert sorted(parent.root.parent.rglob("*")) == before


def test_a_study_that_has_trained_no_network_is_refused(parent: StudyPaths) -> None:
    parent.trial(0).checkpoint.unlink()
    with pytest.raises(UserError, match=r"0000/checkpoint.pt is missing; put back what the trial wrote there"):
        prepare(request())
    write_json(parent.manifest, json.loads(parent.manifest.read_text()) | {"replayed": "curves.jsonl"})
    with pytest.raises(ChoiceError, match="tiny replays recorded trials and has trained no network"):
        prepare(request())


def test_another_question_needs_another_name(child: StudyPaths) -> None:
    with pytest.raises(ChoiceError, match=r"other settings \(evaluation.images is 50\); choose another name"):
        prepare(request(settings={"evaluation.images": 40}))
    with pytest.raises(ChoiceError, match=r"other settings \(evaluation.attacks is"):
        prepare(request(trials=(1,), attack="autoattack"))
    shutil.copytree(study_paths("tiny").root, study_paths("other").root)
    with pytest.raises(ChoiceError, match="exists and measures nothing of other"):
        prepare(request(study="other", name="tiny-measured"))


def test_a_study_file_that_was_changed_by_hand_measures_no_two_things_in_one_study(child: StudyPaths) -> None:
    whole = StudyConfig.load(child.study_file)
    assert whole.measures is not None
    other = whole.measures.model_copy(update={"settings": whole.measures.settings | {"evaluation.images": 9}})
    less = whole.measures.model_copy(update={"configurations": whole.measures.configurations[:1]})
    for changed in (other, less):
        child.study_file.write_text(whole.model_copy(update={"measures": changed}).to_yaml())
        with pytest.raises(SearchError, match="was launched with other"):
            resume(child.name, backend="inline", console=quiet())


def test_a_file_that_measures_is_a_whole_study_and_searches_nothing(parent: StudyPaths, tmp_path: Path) -> None:
    prepared = prepare(request()).config
    path = tmp_path / "own.yaml"
    path.write_text(prepared.to_yaml())
    assert StudyConfig.load(path) == prepared
    assert prepared.measures is not None
    network = prepared.measures.model_dump()["configurations"][0]
    for overrides, words in (
        ({"measures.settings": {}}, "unknown trainable ''"),
        ({"space": {"m": 3}}, "space means nothing beside measures"),
        ({"budget.least_gain": 0.02}, "budget.least_gain means nothing beside measures"),
        ({"measures.configurations": [network, network]}, "name each once"),
        ({"measures.configurations": [network | {"known": {}}]}, "weights is missing"),
        ({"measures.configurations": [network | {"knows": {}}]}, "did you mean known"),
        ({"confirms": {"study": "a", "seeds": [1], "settings": {}, "configurations": []}}, "confirms.configurations"),
    ):
        with pytest.raises(StudyFileError, match=words):
            StudyConfig.load(path, overrides)


def test_test_figures_stand_in_a_study_of_their_own(parent: StudyPaths) -> None:
    asked = request(trials=(0,), settings={"evaluation.split": "test"})
    assert "measured on test images: figures to report, and not to choose by" in prepare(asked).remarks
    child = read_study(run(asked))
    assert child.evaluation["split"] == "test"
    with pytest.raises(UserError, match="validation and test figures do not compare"):
        comparability([read_study(parent), child])


def test_cleaning_takes_the_networks_that_trials_hold_and_no_other(
    parent: StudyPaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        interrupt_after_a_trial(patch)
        with pytest.raises(SystemExit):
            run(request())
    child = study_paths("tiny-measured")
    copied = child.network(0).checkpoint.read_bytes()  # as from another disk, which has no links
    child.network(0).checkpoint.unlink()
    child.network(0).checkpoint.write_bytes(copied)
    shutil.rmtree(parent.root)
    assert clean(child) == Cleaned(bytes_freed=len(copied), left=())
    assert [folder.name for folder in child.networks.iterdir()] == ["0002"]
    assert clean(child).bytes_freed == 0
    resume("tiny-measured", backend="inline", console=quiet())
    assert statuses(child) == ["finished"] * 2
    assert clean(child).left == ()
    assert list(child.networks.iterdir()) == []


def test_a_network_that_its_trial_has_lost_stays(child: StudyPaths) -> None:
    child.trial(0).checkpoint.unlink()
    (reason,) = clean(child).left
    assert reason.startswith(f"trial 0000: {child.trial(0).checkpoint} is missing")
    assert [folder.name for folder in child.networks.iterdir()] == ["0000"], "the other's went all the same"
    shutil.copyfile(child.trial(1).checkpoint, child.trial(0).checkpoint)
    assert any(reason.startswith("trial 0000: ") for reason in clean(child).left), "another's network is none"
    assert child.network(0).checkpoint.exists()


def test_a_network_whose_trial_has_not_finished_stays(child: StudyPaths) -> None:
    begun = [line for line in child.trial(0).events.read_text().splitlines() if '"ended"' not in line]
    child.trial(0).events.write_text("\n".join(begun) + "\n")
    append_event(child.trial(1), ENDED, 1, status="failed", reason="no room", metrics={})
    assert clean(child).left == ()
    assert {folder.name for folder in child.networks.iterdir()} == {"0000", "0002"}


def test_what_is_asked_without_a_change_is_said_to_be_a_repetition(parent: StudyPaths) -> None:
    assert any("whose figures must come again" in line for line in prepare(request()).remarks)
    assert prepare(request(attack="pgd")).remarks == ()


def test_a_plan_counts_what_is_done_and_writes_nothing(parent: StudyPaths) -> None:
    before = sorted(parent.root.parent.rglob("*"))
    console, asked = quiet(), request(settings={"evaluation.heads": ["robust", "clean"]})
    console.print(plan(prepare(asked)))
    told = console.file.getvalue()
    assert "2 networks, 0 of them measured" in told
    assert "measured on validation images" in told
    assert re.search(r"Heads to train +┃ +Evaluation, forward-equivalents +┃ +GPU-minutes", told)
    assert sorted(parent.root.parent.rglob("*")) == before
    console.print(dry_run.plan(prepare(asked).config))
    alone = console.file.getvalue().removeprefix(told)
    assert "Pre-training: none, for the networks are trained" in alone
    assert [alone.count(f" {number} ") for number in ("0000", "0002")] == [1, 1]
    both = config(parent, 0), prepare(asked).config.measures.configs()[0]
    counted = images(both[0])
    same, more = (measuring(read_study(parent), 0, one, counted) for one in both)
    assert (same.trained, more.trained) == ((), ("clean",))
    headless = read_events(parent.trial(0))[-1]["metrics"][EVALUATION_FORWARD_EQUIVALENTS] - 200 * (2 * 2 + 1)
    assert same.evaluation == headless
    assert more.minutes > same.minutes > 0
    longer = override(config(parent, 0), {"evaluation.head_epochs": 2})
    assert measuring(read_study(parent), 0, longer, counted).trained == ("robust",)


def test_nodes_that_share_no_disk_get_the_networks_from_storage(parent: StudyPaths, tmp_path: Path) -> None:
    """The search's own driver has no tensor either; a worker finds all that it needs where it looks."""
    uri = f"file://{tmp_path}/bucket"
    for trial in parent.each_trial():
        Storage(uri, "tiny").push(trial)
        trial.checkpoint.unlink()
        shutil.rmtree(trials.evaluation_folder(trial.checkpoint))
    searched = StudyConfig.load(parent.study_file).model_copy(update={"storage": uri})
    parent.study_file.write_text(searched.to_yaml())
    child = run(request())
    assert statuses(child) == ["finished"] * 2
    assert [result(child, number)["heads"] for number in (0, 1)] == [result(parent, n)["heads"] for n in (0, 2)]
    there = tmp_path / "bucket" / "tiny-measured" / "trials" / "0001"
    assert {path.name for path in there.rglob("*.pt")} == {"checkpoint.pt", "robust.pt"}
    assert not parent.trial(0).checkpoint.exists()


def test_a_worker_elsewhere_is_handed_the_network_before_it_is_asked(
    parent: StudyPaths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    uri = f"file://{tmp_path}/bucket"
    searched = StudyConfig.load(parent.study_file).model_copy(update={"storage": uri})
    parent.study_file.write_text(searched.to_yaml())
    found = list[set[str]]()

    def look(root: Path, number: int, *_: Any, **__: Any) -> None:
        there = tmp_path / "bucket" / root.name / "trials" / f"{number:04d}"
        found.append({path.name for path in there.rglob("*") if path.is_file()})
        raise KilledError

    monkeypatch.setattr("study.execution.inline_backend.run_assignment", look)
    with pytest.raises(KilledError):
        run(request(trials=(1,)))
    assert found[0] == {"config.json", "checkpoint.pt", "robust.pt"}


@pytest.mark.slow
def test_an_evaluation_short_of_memory_cuts_no_batch_of_a_training_that_is_over(
    parent: StudyPaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    def short(*_: Any, **__: Any) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(trials, "measure", short)
    child = run(request(trials=(0,)))
    assert statuses(child) == ["failed"]
    assert "lower evaluation.attack_batch_size" in read_events(child.trial(0))[-1]["reason"]


@pytest.mark.parametrize(
    ("asked", "held"),
    [(None, None), ("auto", "auto"), (0.5, 0.5), (4.0, 1.0), (0, 0), ({"cf_amc_ssl": 2.0}, {"cf_amc_ssl": 1.0})],
)
def test_an_evaluation_holds_one_gpu_at_most(parent: StudyPaths, asked: Any, held: Any) -> None:
    searched = StudyConfig.load(parent.study_file)
    resources = Resources(gpus_per_trial=asked, processes_per_trial=2, max_concurrent=3)
    parent.study_file.write_text(searched.model_copy(update={"resources": resources}).to_yaml())
    found = prepare(request()).config.resources
    assert (found.gpus_per_trial, found.processes_per_trial, found.max_concurrent) == (held, None, 3)


def test_networks_that_were_measured_can_be_measured_again(child: StudyPaths) -> None:
    """What their training cost goes on with them."""
    once_more = prepare(Request(study="tiny-measured", trials=(1,))).config.measures
    (first,) = [one for one in StudyConfig.load(child.study_file).measures.configurations if one.trial == 2]
    (again,) = once_more.configurations
    assert (again.known, again.params) == (first.known, first.params)
    cost = json.loads(child.trial(1).result.read_text())
    write_json(child.trial(1).result, cost | {"cost": cost["cost"] | {"pretrain_gpu_share": 0.25, "gpu_share": 1.0}})
    (shared,) = prepare(Request(study="tiny-measured", trials=(1,))).config.measures.configurations
    assert replace(first.known.pretrained, gpu_share=0.25) == shared.known.pretrained


@pytest.mark.slow
def test_the_runs_of_a_measurement_name_what_they_measure(parent: StudyPaths) -> None:
    from mlflow.tracking import MlflowClient

    uri = default_tracking_uri(parent.root.parent)
    sync(parent)
    child = run(request(tracking_uri=uri))
    store = MlflowClient(uri)
    ours, theirs = store.get_experiment_by_name(child.name), store.get_experiment_by_name("tiny")
    found = store.search_runs([ours.experiment_id], f"tags.`{schema.ROLE}` = 'trial'")
    assert {run.data.tags[schema.MEASURES] for run in found} == {"tiny/0000", "tiny/0002"}
    assert {run.data.tags[schema.ORIGIN] for run in found} == {"tiny/0000", "tiny/0002"}
    (whole,) = store.search_runs([ours.experiment_id], f"tags.`{schema.ROLE}` = 'study'")
    assert whole.data.tags[schema.MEASURES] == "tiny"
    assert schema.CONFIRMS not in whole.data.tags
    note = ours.tags["mlflow.note.content"]
    assert f"Measures: [tiny](#/experiments/{theirs.experiment_id}/runs" in note
    assert read_mlflow(uri, child.name).trials["origin"].tolist() == ["tiny/0000", "tiny/0002"]


@pytest.mark.slow
@pytest.mark.usefixtures("reports")
def test_networks_are_measured_side_by_side_on_ray_and_reported(parent: StudyPaths) -> None:
    paths = measure(request(settings=OTHERWISE), console=quiet())
    assert sorted(measured(paths)) == [0, 2]
    assert statuses(paths) == ["finished"] * 2
    assert read_study(paths).trials["origin"].tolist() == [f"tiny/{origin:04d}" for origin in measured(paths)]
    page = paths.report.read_text()
    assert "trials 0000, 0002 of tiny, whose pre-training is in the costs" in page
    assert "Too early to tell whether more budget would pay" not in page


@pytest.mark.exhaustive
@pytest.mark.slow
@pytest.mark.usefixtures("reports")
def test_autoattack_measures_what_a_search_attacked_with_pgd(parent: StudyPaths) -> None:
    few = {"evaluation.auto_attack_images": 8, "evaluation.check_images": 8}
    paths = run(request(attack="autoattack", settings=few))
    for trial in paths.each_trial():
        assert read_events(trial)[-1]["metrics"]["auto_attack_images"] == 8
        (found,) = json.loads(trial.result.read_text())["heads"][0]["auto_attack"]
        assert found["version"] == "standard"
    assert list(read_study(paths).objectives) == [CLEAN_ACCURACY, AUTO_ATTACK_ACCURACY]
    assert "AutoAttack accuracy at 8/255, n = 8 images" in paths.report.read_text()
