"""What a search learns from other studies: only what it could have measured itself, once, and without counting it."""

from __future__ import annotations

import io
import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from optuna.trial import TrialState
from rich.console import Console

from analysis.layout import (
    ATTEMPT,
    ENDED,
    EPOCH,
    StudyPaths,
    append_event,
    default_tracking_uri,
    read_events,
    study_paths,
    write_json,
)
from analysis.reading.runs import read_study
from analysis.schema import TrialStatus
from search_spaces.placing import place
from search_spaces.work import total_on
from study.config import StudyConfig
from study.config.file import StudyFileError
from study.extend import extend
from study.launch import _scheduler, launch, resume
from study.resources.needs import hardware
from study.samplers.trials import OBSERVED
from study.search.searcher import Search
from study.search.warm_start import Gathered, accepted, gather, record
from trainables.config import TrialConfig, UserError, from_dict, override, to_dict
from trainables.metrics import (
    CLEAN_ACCURACY,
    PGD_ACCURACY,
    PROBE_ACCURACY,
    PROBE_PGD_ACCURACY,
    TRAIN_FORWARD_EQUIVALENTS,
)

Tiny = Callable[..., StudyConfig]
pytestmark = pytest.mark.usefixtures("studies")

DATA = "digits, so many"
GOOD = {CLEAN_ACCURACY: 0.6, PGD_ACCURACY: 0.4, "gpu_minutes": 30.0}


def quiet() -> Console:
    return Console(file=io.StringIO(), width=200)


def other(
    config: StudyConfig,
    trials: list[tuple[dict[str, Any], dict[str, float] | None]],
    name: str = "other",
    **manifest: Any,
) -> StudyPaths:
    """A study on disk whose trials, like those of ``config`` but for the changes, ended with these metrics."""
    paths = study_paths(name)
    write_json(paths.manifest, {"name": name, "data": DATA} | manifest)
    for number, (changes, metrics) in enumerate(trials):
        drawn = override(config.search_space().sample(number), changes)
        params: dict[str, Any] = {}
        write_json(
            paths.trial(number).config,
            {"number": number, "trainable": drawn.trainable, "params": params, "config": to_dict(drawn)},
        )
        append_event(paths.trial(number), ATTEMPT, 1)
        status = "failed" if metrics is None else "finished"
        append_event(paths.trial(number), ENDED, 1, status=status, reason=None, metrics=metrics or {})
    return paths


def gathered(config: StudyConfig) -> Gathered:
    return gather(config, config.search_space(), DATA)


def reasons(found: Gathered) -> dict[str, str]:
    return {refusal.trial: refusal.reason for refusal in found.refused}


def test_every_refusal_has_its_reason(tiny: Tiny) -> None:
    config = tiny(warm_start=["other"])
    other(
        config,
        [
            ({}, GOOD),
            ({"seed": 7, "data.download": True, "data.image_size": None}, GOOD),
            ({"evaluation.epsilon": 16 / 255}, GOOD),
            ({"network.width": 8}, GOOD),
            ({"optimiser.learning_rate": 3.0}, GOOD),
            ({"adversary.replays": 5}, GOOD),
            ({"evaluation.heads": ["robust", "clean"], "evaluation.head": "clean"}, GOOD),
            ({"data.train_images": 300}, GOOD),
            ({}, {CLEAN_ACCURACY: 0.5}),
            ({}, None),
        ],
    )
    found = gathered(config)
    assert [one.trial for one in found.accepted] == ["other/0000", "other/0001"]
    assert reasons(found) == {
        "other/0002": f"evaluation.epsilon is {16 / 255}, held at {8 / 255}",
        "other/0003": "network.width is 8, held at 4",
        "other/0004": "learning_rate is 3.0, outside 0.05 to 1 (log) of cf_amc_ssl",
        "other/0005": "m is 5, outside one of 1, 2 of cf_amc_ssl",
        "other/0006": "evaluation.head is 'clean', held at 'robust'; "
        "evaluation.heads is ['robust', 'clean'], held at ['robust']",
        "other/0007": "data.train_images is 300, held at 200",
        "other/0008": "it has not measured pgd_accuracy",
    }
    assert next(found.lines()) == "the search learns from 2 of 9 finished trials of other"


def test_what_learned_from_trials_reported_teaches_early_stopping(tiny: Tiny) -> None:
    config = tiny(warm_start=["other"], scheduler="halving")
    theirs = other(config, [({}, GOOD), ({}, GOOD)])
    for epoch, pgd in ((1, 0.2), (2, math.nan)):
        said = {TRAIN_FORWARD_EQUIVALENTS: epoch * 500.0, PROBE_ACCURACY: 0.4, PROBE_PGD_ACCURACY: pgd, "loss": 1.0}
        append_event(theirs.trial(1), EPOCH, 1, epoch=epoch, metrics=said)
    paths = study_paths("tiny")
    paths.root.mkdir()
    record(paths, gathered(config))
    assert gathered(config).reported == 1
    silent, told = accepted(paths)
    assert silent.reports == ()
    assert [(report.epoch, str(list(report.metrics.values()))) for report in told.reports] == [
        (1, "[500.0, 0.4, 0.2]"),
        (2, "[1000.0, 0.4, nan]"),
    ]
    scheduler = _scheduler(paths, config, total_on(config.search_space()))
    assert scheduler is not None
    assert list(scheduler.rungs.finals.values()) == [(GOOD[CLEAN_ACCURACY], GOOD[PGD_ACCURACY])]


def test_a_study_that_kept_no_reports_of_others_is_read(tiny: Tiny) -> None:
    config = tiny(warm_start=["other"])
    other(config, [({}, GOOD)])
    paths = study_paths("tiny")
    paths.root.mkdir()
    record(paths, gathered(config))
    kept = json.loads(paths.warm_start.read_text())
    del kept["accepted"][0]["reports"]
    write_json(paths.warm_start, kept)
    assert [one.reports for one in accepted(paths)] == [()]


def test_a_choice_of_null_is_learned_from(tiny: Tiny) -> None:
    space = {"unlisted": "fixed", "views.strength_period": [None, 2], "learning_rate": {"low": 0.05, "high": 1.0}}
    config = tiny(space=space, settings={"optimiser.epochs": 3}, warm_start=["other"], sampler="tpe")
    other(config, [({"views.strength_period": period}, GOOD) for period in (None, 2, 1)])
    found = gathered(config)
    assert reasons(found) == {"other/0002": "views.strength_period is 1, outside one of null, 2 of cf_amc_ssl"}
    paths = study_paths("tiny")
    paths.root.mkdir()
    record(paths, found)
    search = Search.open(paths, config, config.search_space())
    known = [trial.params["views.strength_period"] for trial in search._study.get_trials()]
    assert known == [None, 2]
    search.close()


def test_a_trainable_that_is_not_searched_teaches_nothing(tiny: Tiny) -> None:
    wide = tiny(trainables=["cf_amc_ssl", "robust_simclr"], seed=1)
    other(wide, [({}, GOOD)] * 6)
    found = gathered(tiny(warm_start=["other"]))
    assert found.accepted
    assert {reason.partition(";")[0] for reason in reasons(found).values()} == {
        "trainable 'robust_simclr' is not in this space"
    }


def test_figures_of_other_data_or_other_hardware_do_not_compare(tiny: Tiny) -> None:
    config = tiny(warm_start=["other"])
    other(config, [({}, GOOD)], data="digits, but fewer", environment={"hardware": "a mainframe"})
    assert reasons(gathered(config)) == {"other/0000": f"its data are digits, but fewer; here they are {DATA}"}
    write_json(study_paths("other").manifest, {"data": DATA, "environment": {"hardware": "a mainframe"}})
    assert len(gathered(config).accepted) == 1
    costed = tiny(warm_start=["other"], objectives=[PGD_ACCURACY, "gpu_minutes"])
    assert reasons(gathered(costed))["other/0000"].startswith("its gpu_minutes are of other hardware (a mainframe")
    write_json(study_paths("other").manifest, {"data": DATA, "environment": {"hardware": hardware()}})
    assert len(gathered(costed).accepted) == 1


def test_a_trial_comes_once_whichever_sources_have_it(tiny: Tiny, tmp_path: Path) -> None:
    config = tiny()
    paths = other(config, [({}, GOOD), ({}, GOOD)])
    twice = config.with_warm_start(["other", str(paths.root)])
    assert [one.trial for one in gathered(twice).accepted] == ["other/0000", "other/0001"]
    namesake = StudyPaths(tmp_path / "elsewhere" / "other")
    write_json(namesake.manifest, {"data": DATA})
    for number, found in ((0, GOOD), (1, GOOD | {CLEAN_ACCURACY: 0.1})):
        written = json.loads(paths.trial(number).config.read_text())
        write_json(namesake.trial(number).config, written)
        append_event(namesake.trial(number), ENDED, 1, status="finished", reason=None, metrics=found)
    both = gathered(config.with_warm_start(["other", str(namesake.root)]))
    assert len(both.accepted) == 2
    assert reasons(both) == {"other/0001": "another source has a trial of this name; rename one of the studies"}


@pytest.mark.parametrize("sampler", ["tpe", "nsga2", "gp"])
def test_observations_are_known_to_the_sampler_and_to_nobody_else(tiny: Tiny, sampler: str) -> None:
    config = tiny(sampler=sampler, warm_start=["other"], budget={"trials": 2}, constraints={"gpu_minutes": 20.0})
    other(config, [({}, GOOD)] * 3)
    paths = study_paths("tiny")
    paths.root.mkdir()
    record(paths, gathered(config))
    for _ in range(2):
        search = Search.open(paths, config, config.search_space())
        known = [trial for trial in search._study.get_trials() if OBSERVED in trial.user_attrs]
        assert [trial.user_attrs[OBSERVED] for trial in known] == ["other/0000", "other/0001", "other/0002"]
        assert all(trial.state is TrialState.COMPLETE and trial.constraints["gpu_minutes"] == 0.5 for trial in known)
        assert (search.trials(), search.frontier(), search.spent().trials) == ([], [], 0)
        search.close()
    search = Search.open(paths, config, config.search_space())
    numbers = [assignment.number for assignment in (search.ask(), search.ask()) if assignment]
    assert numbers == [3, 4]
    assert search.ask() is None
    assert [folder.number for folder in paths.each_trial()] == numbers
    for number in numbers:
        search.tell(number, TrialStatus.FINISHED, GOOD | {"gpu_minutes": 1.0})
    assert [trial.number for trial in search.frontier()] == numbers
    search.close()


def test_a_recipe_is_run_although_another_study_has_run_it(tiny: Tiny) -> None:
    space = {"unlisted": "fixed", "m": {"low": 1, "high": 5}}
    config = tiny(space=space, start_from=["table1/cf_amc_ssl"], warm_start=["other"], budget={"trials": 2})
    other(config, [({"adversary.replays": 3}, GOOD)])
    paths = study_paths("tiny")
    paths.root.mkdir()
    record(paths, gathered(config))
    search = Search.open(paths, config, config.search_space())
    assert search.ask() is not None
    assert search.trials()[0].user_attrs["recipe"] == "table1/cf_amc_ssl"
    assert search.trials()[0].params == {"m": 3}
    search.close(ended="over")
    assert all(trial.state.is_finished() for trial in search._study.get_trials())


@pytest.mark.parametrize(("population", "generations"), [(50, [50, 10]), (20, [20, 20])])
def test_genetic_samplers_breed_from_observations(tiny: Tiny, population: int, generations: list[int]) -> None:
    sampler = {"name": "nsga2", "population": population}
    config = tiny(sampler=sampler, warm_start=["other"], budget={"trials": 10})
    other(config, [({}, GOOD)] * 60)
    paths = study_paths("tiny")
    paths.root.mkdir()
    record(paths, gathered(config))
    search = Search.open(paths, config, config.search_space())
    breeds: Any = search._study.sampler
    assert [len(breeds.get_population(search._study, generation)) for generation in (0, 1)] == generations
    search.close()


def test_observations_outside_a_changed_range_are_forgotten(tiny: Tiny) -> None:
    config = tiny(warm_start=["other"], budget={"trials": 1}, space={"unlisted": "fixed", "m": [1, 2]})
    other(config, [({"adversary.replays": 1}, GOOD), ({"adversary.replays": 2}, GOOD)], data=_data(config))
    console = quiet()
    paths = launch(config, backend="inline", console=console)
    extend("tiny", trials=1, changes={"space.m": [2, 3]}, backend="inline", console=console)
    assert "other/0000: m is 1, outside one of 2, 3" in console.file.getvalue()
    stored = StudyConfig.load(paths.study_file)
    search = Search.open(paths, stored, stored.search_space())
    states = {trial.user_attrs.get(OBSERVED): trial.state for trial in search._study.get_trials()}
    assert states["other/0000"] is TrialState.FAIL
    assert states["other/0001"] is TrialState.COMPLETE
    assert all(state.is_finished() for state in states.values())
    assert len(search.trials()) == 2
    search.close()


def _data(config: StudyConfig) -> str:
    from study.preflight import check_data

    return check_data(config.search_space(), progress=False)


@pytest.mark.slow
def test_a_study_learns_from_a_folder_and_from_mlflow_alike(tiny: Tiny) -> None:
    """Real trials, a real MLflow database: both ways bring the same observations; nothing stays running."""
    online = {"offline": False}
    first = launch(tiny(name="first", budget={"trials": 2}, tracking=online), backend="inline", console=quiet())
    uri = default_tracking_uri(first.root.parent)
    console = quiet()
    by_folder = launch(tiny(name="second").with_warm_start(["first"]), backend="inline", console=console)
    finished = int((read_study(first).trials["status"] == "finished").sum())
    assert f"the search learns from {finished} of {finished} finished trials of first" in console.file.getvalue()
    by_mlflow = launch(tiny(name="third").with_warm_start([f"mlflow:{uri}#first"]), backend="inline", console=quiet())
    learned = [json.loads(paths.warm_start.read_text())["accepted"] for paths in (by_folder, by_mlflow)]
    assert [one | {"source": ""} for one in learned[0]] == [one | {"source": ""} for one in learned[1]]
    for paths in (by_folder, by_mlflow):
        resume(paths.name, trials=4, backend="inline", console=quiet())
        config = StudyConfig.load(paths.study_file)
        search = Search.open(paths, config, config.search_space())
        states = [trial.state for trial in search._study.get_trials()]
        assert all(state.is_finished() for state in states)
        assert len(search.trials()) == 4
        assert sum(OBSERVED in trial.user_attrs for trial in search._study.get_trials()) == finished
        assert all(read_events(folder)[-1]["kind"] == ENDED for folder in paths.each_trial())
        search.close()


def test_sources_are_checked_before_anything_is_written(tiny: Tiny, studies: Path) -> None:
    with pytest.raises(UserError, match="no study named 'absent'"):
        launch(tiny(warm_start=["absent"]), backend="inline", console=quiet())
    assert not (studies / "tiny").exists()


@pytest.mark.parametrize(
    ("source", "complaint"),
    [
        ("mlflow:http://host:5000", "give a study's name, the path of its folder, or mlflow:URI#EXPERIMENT"),
        ("mlflow:http://host:5000#../first", "give a study's name, the path of its folder"),
        ("mlflow:nonsense#first", "warm_start's address is 'nonsense'"),
        (" ", "give a study's name"),
    ],
)
def test_what_names_no_study_is_refused(tiny: Tiny, source: str, complaint: str) -> None:
    with pytest.raises(StudyFileError, match=complaint):
        tiny().with_warm_start([source])


def test_yaml_may_write_an_mlflow_source_as_it_looks(tmp_path: Path) -> None:
    file = tmp_path / "study.yaml"
    file.write_text(
        "name: a\ntrainables: [cf_amc_ssl]\nbudget: {trials: 1}\nwarm_start:\n  - first\n  - mlflow: http://h:5000#b\n"
    )
    config = StudyConfig.load(file)
    assert config.warm_start == ["first", "mlflow:http://h:5000#b"]


def test_no_password_is_kept(tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    config = tiny(budget={"trials": 1}).with_warm_start(["mlflow:http://me:secret@h:5000#first"])
    monkeypatch.setattr("study.launch.warm_start.gather", lambda *_: Gathered())
    paths = launch(config, backend="inline", console=quiet())
    assert "mlflow:http://h:5000#first" in paths.study_file.read_text()
    assert not any("secret" in path.read_text("latin-1") for path in paths.root.rglob("*") if path.is_file())


def test_a_configuration_is_placed_by_what_it_computes(tiny: Tiny) -> None:
    """A step that a recipe leaves to its source is the step that this says, and rounding is no difference."""
    config = tiny(space={"unlisted": "fixed", "step_ratio": {"low": 0.1, "high": 1.0}})
    space = config.search_space()
    drawn = space.config({"step_ratio": 0.3})
    nearly = override(drawn, {"adversary.step_size": drawn.adversary.epsilon * 0.3 * (1 + 1e-12)})
    assert place(space, nearly)["step_ratio"] == pytest.approx(0.3)
    implicit: TrialConfig = from_dict(to_dict(replace(drawn, adversary=replace(drawn.adversary, step_size=None))))
    assert place(space, implicit) == {"step_ratio": 1.0}
