"""What is lost when something dies: nothing that had reached the disk. Real Ray, real processes, real signals."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient
from ray.air.execution._internal.actor_manager import RayActorManager
from ray.exceptions import OutOfMemoryError
from rich.console import Console

from analysis import schema
from analysis.layout import (
    ATTEMPT,
    ENDED,
    EPOCH,
    LOST,
    StudyPaths,
    TrialPaths,
    default_tracking_uri,
    read_events,
    study_paths,
)
from analysis.reading.runs import read_study
from study.add import add
from study.config import StudyConfig
from study.execution import interrupts, ray_backend, ray_cluster
from study.execution.session import Session
from study.files import stop
from study.launch import launch, resume
from study.search.searcher import Search
from trainables import trial
from trainables.config import UserError, from_dict
from trainables.metrics import CLEAN_ACCURACY, PGD_ACCURACY

Tiny = Callable[..., StudyConfig]
# One cluster at a time: two would not start within Ray's limit on a small machine.
pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("studies")]

LONG = {"optimiser.epochs": 20}
PATIENCE_S = 240.0
REPOSITORY = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def cluster() -> Iterator[None]:
    """One Ray for all tests of this file but those that kill it."""
    with ray_cluster.cluster(None):
        yield


@pytest.fixture
def console() -> Console:
    return Console(file=io.StringIO(), width=200)


def of_kind(folder: TrialPaths, kind: str) -> list[dict[str, Any]]:
    return [event for event in read_events(folder) if event["kind"] == kind]


def resumed_epochs(folder: TrialPaths) -> list[int]:
    return [event["resumed_epoch"] for event in of_kind(folder, ATTEMPT)]


def wait_for_epoch(folder: TrialPaths, epoch: int) -> int:
    """The process that trains ``folder``'s trial, once it has written ``epoch``."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        if any(event["epoch"] >= epoch for event in of_kind(folder, EPOCH)):
            pid: int = of_kind(folder, ATTEMPT)[-1]["pid"]
            return pid
        time.sleep(0.02)
    raise AssertionError(f"{folder.root} has no epoch {epoch} after {PATIENCE_S:.0f} s")


def is_gone(pid: int) -> bool:
    """Whether the process ends within the time that a test has."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.02)
    return False


def killing(number: int, *, epoch: int) -> threading.Thread:
    """Kills the worker of trial ``number`` when it has written ``epoch``."""

    def kill() -> None:
        folder = study_paths("tiny").trial(number)
        os.kill(wait_for_epoch(folder, epoch), signal.SIGKILL)

    return threading.Thread(target=kill, daemon=True)


def assert_whole(trials: int) -> None:
    """Every trial is there once, finished, with each epoch at most once."""
    folders = list(study_paths("tiny").each_trial())
    assert [folder.number for folder in folders] == list(range(trials))
    for folder in folders:
        (end,) = of_kind(folder, ENDED)
        assert end["status"] == "finished"
        assert read_events(folder)[-1] == end
        epochs = [event["epoch"] for event in of_kind(folder, EPOCH)]
        assert epochs == sorted(set(epochs))


def attempts_in_mlflow(paths: StudyPaths) -> dict[str, list[str]]:
    """Attempts by trial, an entry for each of its finished MLflow runs."""
    client = MlflowClient(default_tracking_uri(paths.root.parent))
    experiment = client.get_experiment_by_name(paths.name)
    assert experiment is not None
    found: dict[str, list[str]] = {}
    for run in client.search_runs([experiment.experiment_id]):
        assert run.info.status == "FINISHED"
        if run.data.tags[schema.ROLE] == "trial":
            found.setdefault(run.data.tags[schema.TRIAL_ID], []).append(run.data.tags[schema.ATTEMPTS])
    return found


def assert_as_if_nothing_had_happened(folder: TrialPaths) -> None:
    alone = trial.run(from_dict(json.loads(folder.config.read_text())["config"])).metrics()
    (end,) = of_kind(folder, ENDED)
    assert [end["metrics"][name] for name in (CLEAN_ACCURACY, PGD_ACCURACY)] == [
        alone[name] for name in (CLEAN_ACCURACY, PGD_ACCURACY)
    ]


@pytest.mark.usefixtures("cluster")
def test_a_killed_worker_costs_at_most_an_epoch(tiny: Tiny, console: Console) -> None:
    killer = killing(0, epoch=2)
    killer.start()
    config = tiny(settings=LONG, budget={"trials": 2}, resources={"max_concurrent": 1}, tracking={})
    paths = launch(config, console=console)
    killer.join()
    assert_whole(2)
    assert attempts_in_mlflow(paths) == {"tiny/0000": ["2"], "tiny/0001": ["1"]}
    first, second = resumed_epochs(paths.trial(0))
    assert (first, second >= 2) == (0, True)
    assert resumed_epochs(paths.trial(1)) == [0]
    assert_as_if_nothing_had_happened(paths.trial(0))


def sabotaged(faults: dict[int, str]) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """What a worker runs, where the trials of these numbers meet a fault. Pickled whole: it imports what it needs."""

    def run(config: dict[str, Any]) -> dict[str, Any]:
        import ctypes
        import os
        import resource
        from types import SimpleNamespace

        from study.execution.worker import run_on_ray
        from trainables import trial

        sound, fault = trial.run, faults.get(config["number"], "none")
        if fault == "cannot begin":
            raise ImportError("sabotaged")

        def faulty(*args: Any, **kwargs: Any) -> Any:
            if fault == "raises":
                raise ValueError("sabotaged")
            if fault == "exits":
                os._exit(1)
            if fault == "hangs":
                ctypes.PyDLL(None).pause()  # in C, holding the lock that Python needs to run
            if fault == "exhausts memory":
                resource.setrlimit(resource.RLIMIT_AS, (1 << 40, resource.getrlimit(resource.RLIMIT_AS)[1]))
                bytearray(1 << 41)
            result = sound(*args, **kwargs)
            if fault == "returns NaN":
                metrics = result.metrics() | {"pgd_accuracy": float("nan")}
                return SimpleNamespace(metrics=lambda: metrics, to_dict=result.to_dict)
            return result

        trial.run = faulty  # type: ignore[assignment]
        try:
            return run_on_ray(config)
        finally:
            trial.run = sound

    return run


@pytest.mark.usefixtures("cluster")
def test_what_a_trial_does_to_itself_is_its_result_and_the_study_goes_on(
    tiny: Tiny, console: Console, monkeypatch: pytest.MonkeyPatch, assert_nothing_lost: Callable[..., Any]
) -> None:
    faults = {0: "raises", 1: "returns NaN", 2: "exhausts memory", 3: "exits", 4: "cannot begin"}
    monkeypatch.setattr(ray_backend, "run_on_ray", sabotaged(faults))
    resources = {"max_concurrent": 1, "max_failures": 1}
    paths = launch(tiny(budget={"trials": 6}, resources=resources, tracking={}), console=console)
    ends = assert_nothing_lost(paths, 6)
    assert [(end["status"], end.get("fault")) for end in ends.values()] == [
        *[("failed", "error")] * 3,
        *[("failed", "lost")] * 2,
        ("finished", None),
    ]
    assert [end["reason"] for end in ends.values()][:2] == ["ValueError: sabotaged", "pgd_accuracy is nan"]
    assert ends[2]["reason"].startswith("MemoryError")
    assert ends[3]["reason"].startswith("lost 2 times: The actor is dead because its worker process has died")
    assert ends[4]["reason"] == "lost 2 times: ImportError: sabotaged"
    assert [len(of_kind(paths.trial(number), ATTEMPT)) for number in ends] == [1, 1, 1, 2, 0, 1]
    assert "starting it again" not in console.file.getvalue(), "Tune stands though trials are given up"


@pytest.mark.usefixtures("cluster")
def test_a_trial_is_stopped_by_hand_and_what_was_added_takes_its_slot(
    tiny: Tiny, console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The trial waits for its driver with its first epoch, so that the request is there before it goes on."""
    paths, reported = study_paths("tiny"), Session.reported

    def asked(session: Session, number: int) -> None:
        if number == 0 and not paths.trial(0).stop_by_hand.exists():
            add("tiny", {"learning_rate": 0.25, "m": 2})
            stop.ask_trial(paths, 0)
        reported(session, number)

    monkeypatch.setattr(Session, "reported", asked)
    keys: dict[str, Any] = {"budget": {"trials": 2}, "resources": {"max_concurrent": 1}}
    launch(tiny(LONG, **keys), console=console)
    study = read_study(paths)
    assert study.trials["status"].tolist() == ["stopped", "finished"]
    assert study.trials["reason"].tolist() == [schema.BY_HAND, ""]
    assert study.trials["epochs"].tolist() == [1, LONG["optimiser.epochs"]]
    assert study.trials["origin"].tolist() == ["", schema.BY_HAND]


@pytest.mark.usefixtures("cluster")
def test_a_trial_that_hangs_is_ended_and_frees_its_slot(
    tiny: Tiny, console: Console, monkeypatch: pytest.MonkeyPatch, assert_nothing_lost: Callable[..., Any]
) -> None:
    monkeypatch.setattr(ray_backend, "run_on_ray", sabotaged({0: "hangs", 1: "hangs"}))
    resources = {"max_concurrent": 1, "silence_minutes": 0.02}
    paths = launch(tiny(budget={"trials": 2}, resources=resources), console=console)
    for number, end in assert_nothing_lost(paths, 2, mlflow=False).items():
        assert (end["status"], end["fault"]) == ("failed", "timeout")
        assert end["reason"].startswith("hung: no epoch and no progress for 0:00:01")
        assert len(of_kind(paths.trial(number), ATTEMPT)) == 1, "a hang is not tried again"
        assert "in faulty" in paths.trial(number).hang.read_text(), "where it hung"
    assert "starting it again" not in console.file.getvalue()


@pytest.mark.exhaustive
@pytest.mark.usefixtures("cluster")
def test_when_tune_falls_over_it_is_started_again(
    tiny: Tiny, console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    reported, broken = Session.reported, []

    def once(session: Session, number: int) -> None:
        reported(session, number)
        if not broken:
            broken.append(number)
            raise RuntimeError("2 worker(s) were killed due to the node running low on memory")

    monkeypatch.setattr(Session, "reported", once)
    paths = launch(tiny(settings=LONG, budget={"trials": 2}, resources={"max_concurrent": 1}), console=console)
    assert_whole(2)
    assert resumed_epochs(paths.trial(0))[0] == 0
    assert resumed_epochs(paths.trial(0))[-1] >= 1
    assert "starting it again with the unfinished trials" in console.file.getvalue()


@pytest.mark.exhaustive
@pytest.mark.usefixtures("cluster")
def test_a_worker_that_rays_memory_monitor_kills_is_one_loss(
    tiny: Tiny, console: Console, monkeypatch: pytest.MonkeyPatch, assert_nothing_lost: Callable[..., Any]
) -> None:
    resolved, killed = RayActorManager._actor_task_resolved, []

    def once(manager: RayActorManager, tracked_actor_task: Any, result: Any) -> None:
        if killed:
            return resolved(manager, tracked_actor_task, result)
        killed.append(of_kind(study_paths("tiny").trial(0), ATTEMPT)[-1]["pid"])
        os.kill(killed[0], signal.SIGKILL)
        low = OutOfMemoryError("the node is running low on memory")
        return manager._actor_task_failed(tracked_actor_task=tracked_actor_task, exception=low)

    monkeypatch.setattr(RayActorManager, "_actor_task_resolved", once)
    paths = launch(tiny(settings=LONG, budget={"trials": 1}), console=console)
    assert assert_nothing_lost(paths, 1, mlflow=False)[0]["status"] == "finished"
    assert [loss["reason"] for loss in of_kind(paths.trial(0), LOST)] == [
        "Ray ended its process because the node ran out of memory"
    ]
    assert "starting it again" not in console.file.getvalue()


@pytest.mark.usefixtures("cluster")
@pytest.mark.parametrize("number", [pytest.param(signal.SIGINT, marks=pytest.mark.exhaustive), signal.SIGTERM])
def test_a_signal_ends_the_study_in_order(
    tiny: Tiny, console: Console, monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    reported = Session.reported

    def interrupted(session: Session, trial_number: int) -> None:
        reported(session, trial_number)
        if session.interrupted is None:
            signal.raise_signal(number)

    with monkeypatch.context() as patch:
        patch.setattr(interrupts, "ECHO_S", 0.0)
        patch.setattr(Session, "reported", interrupted)
        with pytest.raises(SystemExit) as stopped:
            launch(tiny(settings=LONG, budget={"trials": 2}, resources={"max_concurrent": 1}), console=console)
    assert stopped.value.code == 130
    assert console.file.getvalue().count("ending in order; once more ends at once") == 1
    assert "continue with: study resume tiny" in console.file.getvalue()
    paths = study_paths("tiny")
    assert of_kind(paths.trial(0), ENDED) == []
    resume("tiny", console=console)
    assert_whole(2)
    assert resumed_epochs(paths.trial(0))[-1] >= 1


@pytest.mark.exhaustive
@pytest.mark.usefixtures("cluster")
def test_a_disk_that_fills_up_under_a_worker_costs_no_attempt(
    tiny: Tiny,
    console: Console,
    monkeypatch: pytest.MonkeyPatch,
    small_disk: Path,
    fill: Callable[[Path, int], None],
    assert_nothing_lost: Callable[..., Any],
) -> None:
    ballast, reported = small_disk / "ballast", Session.reported

    def fills_up(session: Session, number: int) -> None:
        reported(session, number)
        if number == 1 and not ballast.exists():
            fill(small_disk, 0)

    resources = {"minimum_free_gib": 0.0, "max_failures": 0, "max_concurrent": 1}
    with monkeypatch.context() as patch:
        patch.setattr(Session, "reported", fills_up)
        with pytest.raises(UserError, match=r"a disk is full .* make room, then continue with: study resume tiny"):
            launch(tiny(settings=LONG, budget={"trials": 2}, resources=resources), console=console)
    paths = study_paths("tiny")
    finished = paths.trial(0).events.read_bytes()
    ballast.unlink()
    resume("tiny", console=console)
    ends = assert_nothing_lost(paths, 2, mlflow=False, untouched={0: finished})
    assert [end["status"] for end in ends.values()] == ["finished"] * 2
    assert of_kind(paths.trial(1), LOST) == []
    assert resumed_epochs(paths.trial(1))[-1] >= 1


@pytest.mark.exhaustive
@pytest.mark.usefixtures("cluster")
def test_the_time_limit_needs_no_report(tiny: Tiny, console: Console, monkeypatch: pytest.MonkeyPatch) -> None:
    def late(search: Search) -> float:
        return 6.0 if of_kind(study_paths("tiny").trial(0), EPOCH) else 0.0

    monkeypatch.setattr(Search, "wall_minutes", late)
    settings = {"optimiser.epochs": 4000}
    paths = launch(tiny(settings=settings, budget={"wall_minutes": 5.0}), console=console)
    for folder in paths.each_trial():
        (end,) = of_kind(folder, ENDED)
        assert (end["status"], end["reason"]) == ("stopped", "the time limit of 5 minutes is reached")
        assert read_events(folder)[-1] == end


@pytest.mark.exhaustive
def test_a_second_signal_ends_the_study_at_once(tiny: Tiny, console: Console, studies: Path) -> None:
    """The first waits for the trials' workers to end in order; one that does not is killed by the second."""
    config = tiny(settings=LONG, budget={"trials": 2}, resources={"max_concurrent": 1})
    paths = study_paths("tiny")
    (studies / "study.yaml").write_text(config.to_yaml())
    command = [sys.executable, "-m", "study", "launch", str(studies / "study.yaml"), "--no-supervise"]
    driver = subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        worker = wait_for_epoch(paths.trial(0), 2)
        os.kill(worker, signal.SIGSTOP)
        driver.send_signal(signal.SIGINT)
        with pytest.raises(subprocess.TimeoutExpired):
            driver.wait(2 * interrupts.ECHO_S)
        driver.send_signal(signal.SIGINT)
        assert driver.wait(PATIENCE_S) == 130
    finally:
        driver.kill()
        driver.wait()
    assert is_gone(worker)
    assert of_kind(paths.trial(0), ENDED) == []
    resume("tiny", backend="inline", console=console)
    assert_whole(2)
    assert resumed_epochs(paths.trial(0))[-1] >= 2


def test_a_killed_driver_is_resumed_without_repetition(tiny: Tiny, console: Console, studies: Path) -> None:
    config = tiny(settings=LONG, budget={"trials": 3}, resources={"max_concurrent": 1})
    paths = study_paths("tiny")
    (studies / "study.yaml").write_text(config.to_yaml())
    code = (
        "from study.config import StudyConfig; from study.launch import launch;"
        f"launch(StudyConfig.load({str(studies / 'study.yaml')!r}))"
    )
    driver = subprocess.Popen([sys.executable, "-c", code], cwd=REPOSITORY, stderr=subprocess.DEVNULL)
    try:
        wait_for_epoch(paths.trial(1), 2)
    finally:
        driver.kill()
        driver.wait()
    finished = paths.trial(0).events.read_bytes()
    resume("tiny", backend="inline", console=console)
    assert_whole(3)
    assert paths.trial(0).events.read_bytes() == finished
    assert resumed_epochs(paths.trial(1))[-1] >= 2
    assert_as_if_nothing_had_happened(paths.trial(1))
