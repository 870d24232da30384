"""Whole studies, tiny but real: from a study file's values to trials on disk."""

from __future__ import annotations

import errno
import io
import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import optuna
import pytest
import torch
from rich.console import Console

from analysis.layout import (
    ATTEMPT,
    ENDED,
    EPOCH,
    PAUSED,
    StudyPaths,
    append_event,
    append_exclusion,
    default_tracking_uri,
    read_events,
    study_paths,
    write_json,
)
from analysis.progress.elapsed import ran_seconds
from analysis.reading.download import StudyNotFoundError
from analysis.reading.runs import read_study
from analysis.schema import BY_HAND
from analysis.tables.trials import trials_table
from study.add import add
from study.commands.summary import summary
from study.config import StudyConfig
from study.execution import inline_backend
from study.execution.session import Session
from study.execution.worker import _Progress, run_assignment
from study.files import stop
from study.files.lock import StudyBusyError, sole_driver
from study.launch import launch, resume, total_where_asked
from study.preflight import NameTakenError
from study.search.extension import extend_folder
from study.search.folders import record_kill, record_pause
from study.search.searcher import Search
from study.search.storage import SearchError
from study.tracking.tracker import TrackingError, sync
from trainables import trial
from trainables.checkpoint import load
from trainables.config import ConfigError, UserError, from_dict
from trainables.metrics import AUTO_ATTACK_ACCURACY, CLEAN_ACCURACY, GPU_MINUTES, PGD_ACCURACY, TRAIN_SECONDS

Tiny = Callable[..., StudyConfig]
pytestmark = pytest.mark.usefixtures("studies")


def kinds(paths: StudyPaths, number: int) -> list[str]:
    return [event["kind"] for event in read_events(paths.trial(number))]


def ends(paths: StudyPaths) -> dict[int, dict[str, Any]]:
    return {folder.number: read_events(folder)[-1] for folder in paths.each_trial()}


def quiet() -> Console:
    return Console(file=io.StringIO(), width=200)


def test_an_inline_study_runs_to_the_end_of_its_budget(tiny: Tiny) -> None:
    console = quiet()
    settings = {"optimiser.epochs": 2, "evaluation.head_images": 5000}
    paths = launch(tiny(settings=settings, budget={"trials": 2}), backend="inline", console=console)
    for number in (0, 1):
        assert kinds(paths, number) == [ATTEMPT, EPOCH, EPOCH, ENDED]
        attempt, *_, ended = read_events(paths.trial(number))
        assert attempt["resumed_epoch"] == 0
        assert attempt["device"] == "cpu"
        assert ended["status"] == "finished"
        result = json.loads(paths.trial(number).result.read_text())
        assert ended["metrics"] == result["metrics"]
        assert {CLEAN_ACCURACY, PGD_ACCURACY, GPU_MINUTES} <= ended["metrics"].keys()
    warning, first, *rest = console.file.getvalue().splitlines()
    assert warning == "warning: evaluation.head_images is 5,000 but training leaves 200 images; 200 are used"
    assert first.startswith("tiny runs: 0 of 2 trials ended; 0.0 minutes; study status tiny")
    lines = [line for line in rest if line.startswith("trial ")]
    assert [line.split()[1] for line in lines] == ["0000", "0001"]
    assert "on the frontier" in lines[0]


def test_a_terminal_is_left_with_the_newest_frontier(tiny: Tiny) -> None:
    console = Console(file=io.StringIO(), width=200, force_terminal=True)
    launch(tiny(settings={"optimiser.epochs": 2}, budget={"trials": 2}), backend="inline", console=console)
    *_, last = console.file.getvalue().split("tiny: frontier after ")
    assert last.startswith("2 finished trials")
    assert "2 of 2 trials" in last


def test_the_manifest_says_what_the_study_is(tiny: Tiny) -> None:
    config = tiny(budget={"trials": 1})
    paths = launch(config, backend="inline", console=quiet())
    manifest = json.loads(paths.manifest.read_text())
    assert manifest["objectives"] == [
        {"metric": CLEAN_ACCURACY, "direction": "maximize"},
        {"metric": PGD_ACCURACY, "direction": "maximize"},
    ]
    assert manifest["space"] == json.loads(json.dumps(config.search_space().to_json()))
    assert manifest["tracking"] == {"uri": None}
    assert "digits" in manifest["data"]
    assert manifest["environment"]["torch"] == torch.__version__.partition("+")[0]
    assert StudyConfig.load(paths.study_file) == config


def test_a_trial_of_a_study_is_the_trial_of_its_config(tiny: Tiny) -> None:
    paths = launch(tiny(budget={"trials": 1}), backend="inline", console=quiet())
    config = from_dict(json.loads(paths.trial(0).config.read_text())["config"])
    alone, studied = trial.run(config).metrics(), ends(paths)[0]["metrics"]
    assert {name: value for name, value in alone.items() if name != GPU_MINUTES} == {
        name: value for name, value in studied.items() if name != GPU_MINUTES
    }


def test_a_trial_that_fails_is_a_result_and_the_study_goes_on(tiny: Tiny) -> None:
    settings = {"data.validation_fraction": 0.1, "optimiser.batch_size": 100}
    space = {"unlisted": "fixed", "learning_rate": [1e30, 0.1]}
    paths = launch(tiny(settings=settings, space=space, budget={"trials": 2}), backend="inline", console=quiet())
    endings = ends(paths)
    assert sorted(end["status"] for end in endings.values()) == ["failed", "finished"]
    (failed,) = (number for number, end in endings.items() if end["status"] == "failed")
    assert endings[failed]["reason"].startswith("DivergedError: ")
    assert "Traceback" in (paths.trial(failed).root / "error.txt").read_text()
    assert not paths.trial(failed).result.exists()


def test_a_fault_of_the_driver_is_not_the_trial_s(tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(session: Session, number: int) -> None:
        raise OverflowError("of the driver")

    with monkeypatch.context() as patch:
        patch.setattr(Session, "reported", broken)
        with pytest.raises(OverflowError, match="of the driver"):
            launch(tiny(budget={"trials": 1}), backend="inline", console=quiet())
    paths = resume("tiny", backend="inline", console=quiet())
    assert [end["status"] for end in ends(paths).values()] == ["finished"]


def test_resuming_trains_nothing_twice(tiny: Tiny) -> None:
    launch(tiny(budget={"trials": 1}), backend="inline", console=quiet())
    paths = study_paths("tiny")
    before = paths.trial(0).events.read_bytes()
    console = quiet()
    resume("tiny", backend="inline", console=console)
    assert "nothing to do: its one trial was begun; give a larger budget to go on" in console.file.getvalue()
    assert sorted(ends(paths)) == [0]
    console = quiet()
    resume("tiny", trials=2, backend="inline", console=console)
    assert "budget: 2 trials (before: 1 trial)" in console.file.getvalue()
    assert paths.trial(0).events.read_bytes() == before
    assert [end["status"] for end in ends(paths).values()] == ["finished", "finished"]
    assert json.loads(paths.manifest.read_text())["budget"]["trials"] == 2
    assert StudyConfig.load(paths.study_file).budget.trials == 2


def test_a_grid_that_is_done_wants_wider_ranges_and_no_larger_budget(tiny: Tiny) -> None:
    config, console = tiny(sampler="grid", space={"unlisted": "fixed", "m": [1]}, budget={"trials": 9}), quiet()
    launch(config, backend="inline", console=quiet())
    resume("tiny", backend="inline", console=console)
    told = "its one configuration of the grid was begun; widen the ranges with: study extend tiny --set space..."
    assert f"nothing to do: {told}" in console.file.getvalue()


@pytest.mark.parametrize("sampler", ["grid", "random"])
def test_a_space_that_is_covered_is_complete_until_it_is_another(tiny: Tiny, sampler: str) -> None:
    config = tiny(sampler=sampler, space={"unlisted": "fixed", "m": [1, 2]}, budget={"trials": 9})
    paths = launch(config, backend="inline", console=quiet())

    def stands() -> str:
        return summary(read_study(paths), paths, time.time()).stands()

    assert stands().startswith("complete: all 2 configurations of the ")
    *_, last = paths.each_trial()
    append_exclusion(last, "doubted")
    assert stands().startswith("nobody runs it"), "its configuration may be drawn again"
    append_exclusion(last, "")
    assert stands().startswith("complete")
    paths.covered.unlink()
    resume("tiny", backend="inline", console=quiet())
    assert stands().startswith("complete"), "a driver that died before it could say so is made up for"
    wider = tiny(sampler=sampler, space={"unlisted": "fixed", "m": [1, 2, 3]}, budget={"trials": 9})
    extend_folder(paths, wider, wider.search_space())
    assert stands().startswith("nobody runs it")


def test_an_interrupted_study_continues_in_the_middle_of_its_trial(tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    reported = Session.reported

    def interrupted(session: Session, number: int) -> None:
        reported(session, number)
        signal.raise_signal(signal.SIGINT)

    config, console = tiny(settings={"optimiser.epochs": 3}, budget={"trials": 1}), quiet()
    with monkeypatch.context() as patch:
        patch.setattr(Session, "reported", interrupted)
        with pytest.raises(SystemExit) as stopped:
            launch(config, backend="inline", console=console)
    assert stopped.value.code == 130
    *_, first, last = console.file.getvalue().splitlines()
    assert first == "ending in order; once more ends at once"
    assert "study resume tiny" in last
    paths = study_paths("tiny")
    assert kinds(paths, 0) == [ATTEMPT, EPOCH, PAUSED]
    resume("tiny", backend="inline", console=quiet())
    events = read_events(paths.trial(0))
    assert [event["resumed_epoch"] for event in events if event["kind"] == ATTEMPT] == [0, 1]
    assert [event["epoch"] for event in events if event["kind"] == EPOCH] == [1, 2, 3]
    whole = trial.run(from_dict(json.loads(paths.trial(0).config.read_text())["config"])).metrics()
    assert events[-1]["metrics"][CLEAN_ACCURACY] == whole[CLEAN_ACCURACY]
    assert events[-1]["metrics"][PGD_ACCURACY] == whole[PGD_ACCURACY]


def test_the_time_limit_stops_the_running_trial(tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    reported = Session.reported

    def late(session: Session, number: int) -> None:
        reported(session, number)
        monkeypatch.setattr(Search, "wall_minutes", lambda search: 6.0)

    monkeypatch.setattr(Session, "reported", late)
    config = tiny(settings={"optimiser.epochs": 3}, budget={"wall_minutes": 5.0})
    paths = launch(config, backend="inline", console=quiet())
    (end,) = ends(paths).values()
    assert (end["status"], end["reason"]) == ("stopped", "the time limit of 5 minutes is reached")
    assert kinds(paths, 0) == [ATTEMPT, EPOCH, ENDED]


def test_a_full_disk_pauses_the_study(tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("study.execution.session.is_low", lambda folder, minimum: any(study_paths("tiny").each_trial()))
        with pytest.raises(UserError, match=r"GiB is free .* study resume tiny"):
            launch(tiny(), backend="inline", console=quiet())
    paths = study_paths("tiny")
    assert ENDED not in kinds(paths, 0)
    resume("tiny", backend="inline", console=quiet())
    assert [end["status"] for end in ends(paths).values()] == ["finished"] * 3


def test_where_no_folder_can_be_made_nothing_begins(
    tiny: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.symlink_to(tmp_path / "unmounted")
    monkeypatch.setenv("ROBUST_SSL_STUDIES", str(elsewhere))
    with pytest.raises(UserError, match=r"tiny cannot be written \(.*; make .*elsewhere writable, or .*STUDIES"):
        launch(tiny(), backend="inline", console=quiet())


@pytest.mark.parametrize("leave", [0, 64 << 10])
def test_a_disk_that_fills_up_pauses_the_study_and_nothing_is_lost(
    tiny: Tiny,
    small_disk: Path,
    monkeypatch: pytest.MonkeyPatch,
    assert_nothing_lost: Callable[..., Any],
    fill: Callable[[Path, int], None],
    leave: int,
) -> None:
    """With no room at all not even an event fits; with some, the trial's next checkpoint is cut off."""
    paths, ballast, reported = study_paths("tiny"), small_disk / "ballast", Session.reported

    def fills_up(session: Session, number: int) -> None:
        reported(session, number)
        if number == 1 and not ballast.exists():
            fill(small_disk, leave)

    resources = {"minimum_free_gib": 0.0, "max_failures": 0}
    config = tiny(settings={"optimiser.epochs": 3}, budget={"trials": 2}, resources=resources)
    with monkeypatch.context() as patch:
        patch.setattr(Session, "reported", fills_up)
        with pytest.raises(UserError, match=r"a disk is full .* make room, then continue with: study resume tiny"):
            launch(config, backend="inline", console=quiet())
    finished, checkpoint = paths.trial(0).events.read_bytes(), paths.trial(1).checkpoint.read_bytes()
    assert load(paths.trial(1).checkpoint, from_dict(json.loads(paths.trial(1).config.read_text())["config"]))
    ballast.unlink()
    resume("tiny", backend="inline", console=quiet())
    ends = assert_nothing_lost(paths, 2, mlflow=False, untouched={0: finished})
    assert [end["status"] for end in ends.values()] == ["finished"] * 2
    attempts = [event for event in read_events(paths.trial(1)) if event["kind"] == ATTEMPT]
    assert [event["resumed_epoch"] for event in attempts] == [0, 1]
    assert checkpoint != paths.trial(1).checkpoint.read_bytes()


def test_a_full_disk_is_no_fault_of_the_trial_whatever_a_library_makes_of_it(
    tiny: Tiny, monkeypatch: pytest.MonkeyPatch
) -> None:
    """torch raises a RuntimeError of its own while the system's error is handled."""

    def saving(*args: Any, **kwargs: Any) -> None:
        try:
            raise OSError(errno.ENOSPC, "No space left on device")
        except OSError:
            raise RuntimeError("unexpected pos 704 vs 598")  # noqa: B904

    with monkeypatch.context() as patch:
        patch.setattr(trial, "run", saving)
        with pytest.raises(UserError, match=r"a disk is full \(.*No space left on device\); make room"):
            launch(tiny(budget={"trials": 1}), backend="inline", console=quiet())
    assert kinds(study_paths("tiny"), 0) == [ATTEMPT, PAUSED]


def test_a_study_asked_to_stop_ends_with_the_trial_that_runs(
    tiny: Tiny, monkeypatch: pytest.MonkeyPatch, assert_nothing_lost: Callable[..., Any]
) -> None:
    paths, console, reported = study_paths("tiny"), quiet(), Session.reported

    def asked(session: Session, number: int) -> None:
        reported(session, number)
        stop.ask(paths, stop.Request.DRAIN)

    with monkeypatch.context() as patch:
        patch.setattr(Session, "reported", asked)
        launch(tiny(), backend="inline", console=console)
    said = console.file.getvalue()
    assert said.count("stop asked for: 1 trial still runs, no others begin") == 1
    assert said.index("stop asked for") < said.index("trial 0000") < said.index("stopped as asked")
    assert "stopped as asked; continue with: study resume tiny" in said
    finished = paths.trial(0).events.read_bytes()
    assert_nothing_lost(paths, 1, mlflow=False)
    resume("tiny", backend="inline", console=quiet())
    assert_nothing_lost(paths, 3, mlflow=False, untouched={0: finished})


def test_trials_are_added_and_stopped_by_hand_while_a_study_runs(tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first in the middle of its epochs, the second, which is added, in its evaluation."""
    paths, reported, progress = study_paths("tiny"), Session.reported, _Progress.__call__

    def asked(session: Session, number: int) -> None:
        reported(session, number)
        if number == 0:
            stop.ask_trial(paths, 0)
            add("tiny", {"learning_rate": 0.25, "m": 2})

    def evaluating(self: _Progress, words: str) -> None:
        if self._paths.number == 1:
            stop.ask_trial(paths, 1)
        progress(self, words)

    with monkeypatch.context() as patch:
        patch.setattr(Session, "reported", asked)
        patch.setattr(_Progress, "__call__", evaluating)
        launch(tiny({"optimiser.epochs": 3}), backend="inline", console=quiet())
    study = read_study(paths)
    assert study.trials["status"].tolist() == ["stopped", "stopped", "finished"]
    assert study.trials["reason"].tolist() == [BY_HAND, BY_HAND, ""]
    assert study.trials["epochs"].tolist() == [1, 3, 3]
    assert study.trials["origin"].tolist() == ["", BY_HAND, ""]
    assert study.trials.loc[1, ["param.learning_rate", "param.m"]].tolist() == [0.25, 2]
    assert study.trials[TRAIN_SECONDS][:2].notna().all(), "what they had measured is kept"
    assert "Origin" in [column.title for column in trials_table(study).columns]
    for number, what in ((0, "stopped"), (2, "finished")):
        with pytest.raises(stop.NotRunningError, match=f"trial tiny/000{number} does not run any more: it is {what}"):
            stop.ask_trial(paths, number)


def test_a_trial_that_nobody_runs_is_not_stopped(studies: Path) -> None:
    paths = study_paths("tiny")
    with pytest.raises(stop.NotRunningError, match="tiny/0003 does not run: it was interrupted, and nobody runs"):
        stop.ask_trial(paths, 3)
    assert not paths.trial(3).stop_by_hand.exists()


def test_a_study_asked_to_stop_now_can_be_resumed(tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    paths, reported = study_paths("tiny"), Session.reported

    def asked(session: Session, number: int) -> None:
        reported(session, number)
        stop.ask(paths, stop.Request.NOW)

    monkeypatch.setattr(Session, "reported", asked)
    console = quiet()
    with pytest.raises(SystemExit) as stopped:
        launch(tiny(), backend="inline", console=console)
    assert stopped.value.code == 130
    assert kinds(paths, 0) == [ATTEMPT, EPOCH, PAUSED]
    assert console.file.getvalue().count("stop asked for: ending in order\n") == 1
    begun, reached, paused = (event["time"] for event in read_events(paths.trial(0)))
    assert ran_seconds(read_study(paths)) == paused - begun > reached - begun, "what passed after its epoch, too"


def test_the_pause_before_a_trial_that_was_not_gone_on_with_does_not_count(studies: Path) -> None:
    trial = study_paths("tiny").trial(0)
    append_event(trial, ATTEMPT, 1, time=100.0)
    record_pause(trial, 200.0)
    assert kinds(study_paths("tiny"), 0) == [ATTEMPT], "it waited for a driver that never came to it"
    record_pause(trial, 50.0)
    assert kinds(study_paths("tiny"), 0) == [ATTEMPT, PAUSED]


def test_an_evaluation_that_was_killed_ran_until_it_was_last_heard_of(studies: Path) -> None:
    trial = study_paths("tiny").trial(0)
    append_event(trial, ATTEMPT, 1, time=100.0)
    append_event(trial, EPOCH, 1, time=150.0, epoch=1, metrics={})
    write_json(trial.progress, {"words": "robust head: AutoAttack", "time": 400.0})
    assert ran_seconds(read_study(study_paths("tiny"))) == 300.0
    for _ in range(2):
        record_kill(trial)
    append_event(trial, ATTEMPT, 2, time=1000.0)
    record_kill(trial)
    assert kinds(study_paths("tiny"), 0) == [ATTEMPT, EPOCH, PAUSED, ATTEMPT]
    assert ran_seconds(read_study(study_paths("tiny"))) == 300.0


def test_a_terminal_that_has_gone_does_not_keep_the_study_from_ending_in_order(
    tiny: Tiny, monkeypatch: pytest.MonkeyPatch
) -> None:
    reported, say, console = Session.reported, Session.say, quiet()

    def hung_up(session: Session, number: int) -> None:
        reported(session, number)
        signal.raise_signal(signal.SIGHUP)

    def gone(session: Session, line: str) -> None:
        if line.startswith("ending in order"):
            raise OSError(errno.EIO, "Input/output error")
        say(session, line)

    monkeypatch.setattr(Session, "reported", hung_up)
    monkeypatch.setattr(Session, "say", gone)
    with pytest.raises(SystemExit):
        launch(tiny(), backend="inline", console=console)
    assert "interrupted; continue with" in console.file.getvalue()


def test_a_request_to_stop_outlives_a_driver_that_died_and_no_other(tiny: Tiny) -> None:
    paths = launch(tiny(budget={"trials": 1}), backend="inline", console=quiet())
    with pytest.raises(stop.NotRunningError, match="study tiny is not running; go on with it: study resume tiny"):
        stop.ask(paths, stop.Request.DRAIN)
    with sole_driver(paths):
        stop.ask(paths, stop.Request.DRAIN)
    resume("tiny", trials=2, backend="inline", restarted=True, console=quiet())
    assert list(ends(paths)) == [0]
    resume("tiny", backend="inline", console=quiet())
    assert list(ends(paths)) == [0, 1]


def test_a_request_to_stop_is_heeded_before_the_driver_is_ready(tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    """Reading data and starting Ray may take minutes, and `study stop` finds a study that is running."""
    paths = launch(tiny(budget={"trials": 1}), backend="inline", console=quiet())

    def asked(*_args: Any, **_keys: Any) -> None:
        stop.ask(paths, stop.Request.DRAIN)

    monkeypatch.setattr("study.launch.check_data", asked)
    console = quiet()
    resume("tiny", trials=2, backend="inline", console=console)
    assert list(ends(paths)) == [0]
    assert "stopped as asked" in console.file.getvalue()


def test_a_study_that_is_not_there_cannot_be_stopped(studies: Path) -> None:
    with pytest.raises(StudyNotFoundError, match="no study named 'tiny'"):
        stop.ask(study_paths("tiny"), stop.Request.DRAIN)


def test_a_fault_of_the_machine_leaves_the_trial_to_be_resumed(tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*args: Any, **kwargs: Any) -> None:
        raise OSError("Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(trial, "run", broken)
        with pytest.raises(OSError, match="Input/output"):
            launch(tiny(budget={"trials": 1}), backend="inline", console=quiet())
    resume("tiny", backend="inline", console=quiet())
    assert ends(study_paths("tiny"))[0]["status"] == "finished"


def test_a_trial_that_the_machine_always_fails_is_given_up_here_too(
    tiny: Tiny, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else no resumed study would come past it."""

    def broken(*args: Any, **kwargs: Any) -> None:
        raise FileNotFoundError("image 7")

    monkeypatch.setattr(trial, "run", broken)
    with pytest.raises(FileNotFoundError, match="image 7"):
        launch(tiny(budget={"trials": 1}, resources={"max_failures": 1}), backend="inline", console=quiet())
    resume("tiny", backend="inline", console=quiet())
    end = ends(study_paths("tiny"))[0]
    assert (end["status"], end["fault"]) == ("failed", "lost")
    assert end["reason"] == "lost 2 times: FileNotFoundError: image 7"


def test_a_disk_that_does_not_answer_is_no_damaged_checkpoint(tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop_all(session: Session, number: int) -> None:
        session.interrupt()

    def away(*args: Any, **kwargs: Any) -> None:
        raise OSError(errno.ESTALE, "Stale file handle")

    with monkeypatch.context() as patch:
        patch.setattr(Session, "reported", stop_all)
        with pytest.raises(SystemExit):
            launch(tiny(settings={"optimiser.epochs": 2}, budget={"trials": 1}), backend="inline", console=quiet())
    with monkeypatch.context() as patch:
        patch.setattr(torch, "load", away)
        with pytest.raises(OSError, match="Stale file handle"):
            resume("tiny", backend="inline", console=quiet())
    resume("tiny", backend="inline", console=quiet())
    assert ends(study_paths("tiny"))[0]["status"] == "finished"


def test_a_study_that_fails_before_its_first_trial_leaves_nothing(tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    def unusable(*args: Any, **kwargs: Any) -> None:
        raise SearchError("the database is no database")

    monkeypatch.setattr(Search, "open", unusable)
    with pytest.raises(SearchError):
        launch(tiny(), backend="inline", console=quiet())
    assert not study_paths("tiny").root.exists()


def test_a_launch_needs_an_mlflow_that_answers_and_a_resumed_study_does_not(
    tiny: Tiny, caplog: pytest.LogCaptureFixture
) -> None:
    nobody = {"uri": "http://127.0.0.1:9"}
    with pytest.raises(TrackingError, match=r"does not answer at http://127.0.0.1:9 .* --offline"):
        launch(tiny(tracking=nobody), backend="inline", console=quiet())
    assert not study_paths("tiny").root.exists()
    launch(tiny(budget={"trials": 1}), backend="inline", console=quiet())
    console = quiet()
    paths = resume("tiny", trials=2, tracking_uri=nobody["uri"], backend="inline", console=console)
    assert [end["status"] for end in ends(paths).values()] == ["finished", "finished"]
    assert sum("http://127.0.0.1:9: it does not answer" in record.message for record in caplog.records) == 1
    assert "6 events did not reach MLflow (it does not answer" in console.file.getvalue()
    assert "study sync tiny" in console.file.getvalue()
    stored = StudyConfig.load(paths.study_file)
    assert stored.budget.trials == 2
    assert (stored.tracking.uri, stored.tracking.offline) == (None, True), "the other address was for this run"


def test_a_study_that_is_moved_is_in_the_mlflow_beside_it(
    tiny: Tiny, studies: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = launch(tiny(tracking={}, budget={"trials": 1}), backend="inline", console=quiet())
    there = tmp_path_factory.mktemp("there")
    paths.root.rename(there / "tiny")
    (studies / "mlflow.db").unlink()
    monkeypatch.setenv("ROBUST_SSL_STUDIES", str(there))
    assert sync(study_paths("tiny")).uri == default_tracking_uri(there)
    assert not (studies / "mlflow.db").exists(), "nothing is written where it was"


def test_the_study_file_keeps_no_secret(tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("study.launch.check_tracking", lambda paths, uri: None)
    monkeypatch.setattr("study.tracking.tracker.Tracker._deliver", lambda tracker, final: True)
    config = tiny(tracking={"uri": "http://me:hunter2@127.0.0.1:9/mlflow"}, budget={"trials": 1})
    paths = launch(config, backend="inline", console=quiet())
    assert StudyConfig.load(paths.study_file).tracking.uri == "http://127.0.0.1:9/mlflow"
    written = b"".join(file.read_bytes() for file in paths.root.rglob("*") if file.is_file())
    assert b"hunter2" not in written


def test_missing_data_is_known_before_anything_is_written(tiny: Tiny, tmp_path: Path) -> None:
    config = tiny(settings={"data.source": f"folder:{tmp_path / 'nowhere'}"})
    with pytest.raises(UserError, match="nowhere"):
        launch(config, backend="inline", console=quiet())
    assert not study_paths("tiny").root.exists()


def test_a_taken_name_is_refused(tiny: Tiny, studies: Path) -> None:
    (studies / "tiny").mkdir()
    (studies / "tiny" / "study.yaml").touch()
    with pytest.raises(NameTakenError, match="study resume tiny"):
        launch(tiny(), backend="inline", console=quiet())
    assert [path.name for path in (studies / "tiny").iterdir()] == ["study.yaml"]


def test_a_folder_of_something_else_is_left_alone(tiny: Tiny, studies: Path) -> None:
    (studies / "tiny").mkdir()
    (studies / "tiny" / "thesis.tex").touch()
    with pytest.raises(NameTakenError, match="holds no study; move it away"):
        launch(tiny(), backend="inline", console=quiet())
    assert [path.name for path in (studies / "tiny").iterdir()] == ["thesis.tex"]


def test_a_launch_that_was_killed_before_there_was_a_study_is_in_nobodys_way(
    tiny: Tiny, studies: Path, tmp_path: Path
) -> None:
    file = tmp_path / "tiny.yaml"
    file.write_text(tiny().to_yaml())
    code = """
import os, sys
from study import launch
from study.config import StudyConfig
launch._write_study_file = lambda *_: os._exit(9)
launch.launch(StudyConfig.load(sys.argv[1]), backend="inline")
"""
    assert subprocess.run([sys.executable, "-c", code, file], check=False).returncode == 9
    assert (studies / "tiny" / "study.json").exists()
    with pytest.raises(StudyNotFoundError, match=r"no study named 'tiny' in .*; there is none yet"):
        resume("tiny", backend="inline", console=quiet())
    paths = launch(tiny(budget={"trials": 1}), backend="inline", console=quiet())
    assert [folder.number for folder in paths.each_trial()] == [0]


def test_the_work_of_trials_is_known_where_a_budget_of_gpu_hours_can_be_kept_by_it(tiny: Tiny) -> None:
    auto, hours = {"resources": {"gpus_per_trial": "auto"}}, {"budget": {"gpu_hours": 1.0}}
    for keys, known in ((auto | hours, True), (auto, False), (hours, False)):
        config = tiny(**keys)
        assert (total_where_asked(config, config.search_space(), None) is not None) is known


def test_one_driver_a_study(tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    refused = []

    def second_driver(session: Session) -> None:
        with pytest.raises(StudyBusyError, match="another process"):
            resume("tiny", backend="inline", console=quiet())
        refused.append(session)

    monkeypatch.setattr(inline_backend, "run", second_driver)
    launch(tiny(), backend="inline", console=quiet())
    assert refused


def test_an_unknown_study_cannot_be_resumed(studies: Path) -> None:
    with pytest.raises(StudyNotFoundError, match="no study named 'nothing'"):
        resume("nothing", backend="inline", console=quiet())


def test_an_ended_trial_is_not_run_again(tiny: Tiny) -> None:
    paths = launch(tiny(budget={"trials": 1}), backend="inline", console=quiet())
    before = paths.trial(0).events.read_bytes()
    ended = run_assignment(paths.root, 0)
    assert ended.metrics == ends(paths)[0]["metrics"]
    assert paths.trial(0).events.read_bytes() == before


def test_autoattack_on_some_images_can_be_an_objective(tiny: Tiny) -> None:
    settings = {"evaluation.attacks": ["pgd", "auto_attack"], "evaluation.auto_attack_images": 8}
    # Nothing survives half the range of a pixel, so the search through queries is spared.
    wide = {"evaluation.attack_epsilons": [0.5], "evaluation.epsilon": 0.5}
    objectives = [CLEAN_ACCURACY, AUTO_ATTACK_ACCURACY]
    with pytest.raises(ConfigError, match="measures auto_attack_accuracy; set evaluation"):
        launch(tiny(objectives=objectives), backend="inline")
    paths = launch(tiny(settings | wide, objectives=objectives, budget={"trials": 2}), backend="inline")
    measured = [end["metrics"] for end in ends(paths).values()]
    for metrics in measured:
        assert 0 <= metrics[AUTO_ATTACK_ACCURACY] <= metrics[f"{AUTO_ATTACK_ACCURACY}_high"]
    found = optuna.load_study(study_name=None, storage=f"sqlite:///{paths.optuna}").trials
    assert [trial.values for trial in found] == [
        [metrics[CLEAN_ACCURACY], metrics[AUTO_ATTACK_ACCURACY]] for metrics in measured
    ]


@pytest.mark.slow
def test_a_study_on_ray(tiny: Tiny, capfd: pytest.CaptureFixture[str]) -> None:
    console = quiet()
    paths = launch(tiny(resources={"max_concurrent": 2}, budget={"trials": 4}), console=console)
    assert [end["status"] for end in ends(paths).values()] == ["finished"] * 4
    pids = [event["pid"] for folder in paths.each_trial() for event in read_events(folder) if event["kind"] == ATTEMPT]
    assert len(pids) == 4 > len(set(pids)), "workers are used again"
    assert not (paths.root / "ray").exists()
    assert capfd.readouterr().err == "", "Ray is silent"
    config = from_dict(json.loads(paths.trial(0).config.read_text())["config"])
    assert ends(paths)[0]["metrics"][PGD_ACCURACY] == trial.run(config).metrics()[PGD_ACCURACY]
