"""Trials whose machines share no disk: their files are in storage, and an attempt elsewhere goes on from there."""

from __future__ import annotations

import io
import json
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import fsspec
import pytest
from rich.console import Console

from analysis.layout import (
    ATTEMPT,
    ENDED,
    EPOCH,
    LOST,
    StudyPaths,
    TrialPaths,
    append_event,
    append_exclusion,
    append_note,
    ending,
    read_events,
    study_paths,
    write_json,
)
from study.config import StudyConfig
from study.execution.progress import Progress
from study.execution.session import Session
from study.execution.worker import Terms, run_assignment
from study.files import storage as storages
from study.files.storage import Storage, StorageError, check_storage
from study.launch import launch
from study.resources.allotment import Allotment
from study.search.searcher import Search
from study.tracking.tracker import Tracker
from trainables import trial
from trainables.config import TrialConfig, UserError, to_dict
from trainables.metrics import CLEAN_ACCURACY, PGD_ACCURACY

Tiny = Callable[..., StudyConfig]


@pytest.fixture(params=["file", "memory"])
def uri(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return f"file://{tmp_path / 'bucket'}" if request.param == "file" else f"memory://{uuid.uuid4().hex}"


def node(folder: Path) -> StudyPaths:
    return StudyPaths(folder / "tiny")


def handed_out(paths: StudyPaths, config: TrialConfig) -> TrialPaths:
    folder = paths.trial(0)
    write_json(folder.config, {"number": 0, "trainable": config.trainable, "params": {}, "config": to_dict(config)})
    return folder


def test_an_attempt_on_another_machine_goes_on_from_the_checkpoint(tiny: Tiny, tmp_path: Path, uri: str) -> None:
    config = tiny({"optimiser.epochs": 4}).base_configs()["cf_amc_ssl"]
    one, other, third = (node(tmp_path / name) for name in ("one", "other", "third"))
    Storage(uri, "tiny").push(handed_out(one, config))

    def dies(report: Any) -> None:
        if report.epoch == 2:
            raise OSError("the machine is gone")

    with pytest.raises(OSError, match="the machine is gone"):
        run_assignment(one.root, 0, Terms(storage=uri), on_report=dies)
    ended = run_assignment(other.root, 0, Terms(storage=uri))
    events = read_events(other.trial(0))
    assert [event["resumed_epoch"] for event in events if event["kind"] == ATTEMPT] == [0, 2]
    assert [event["epoch"] for event in events if event["kind"] == EPOCH] == [1, 2, 3, 4]
    whole = trial.run(config).metrics()
    for name in (CLEAN_ACCURACY, PGD_ACCURACY):
        assert ended.metrics[name] == whole[name]
    assert run_assignment(third.root, 0, Terms(storage=uri)).metrics == ended.metrics, "what has ended is not run again"
    assert third.trial(0).events.read_bytes() == other.trial(0).events.read_bytes()
    assert third.trial(0).result.exists()
    Storage(uri, "tiny").fetch(one.trial(0), whole=True)
    assert one.trial(0).events.read_bytes() == other.trial(0).events.read_bytes(), "the first machine learns of it"


def test_a_study_leaves_its_trials_in_storage(tiny: Tiny, studies: Path, uri: str) -> None:
    paths = launch(tiny(storage=uri, budget={"trials": 1}), backend="inline", console=Console(file=io.StringIO()))
    bare = node(studies / "elsewhere")
    bare.trial(0).root.mkdir(parents=True)
    Storage(uri, "tiny").fetch_all(bare)
    for name in ("config.json", "events.jsonl", "result.json"):
        assert (bare.trial(0).root / name).read_bytes() == (paths.trial(0).root / name).read_bytes()
    assert not list(bare.trial(0).root.rglob("*.pt")), "a driver reads no tensors"
    assert StudyConfig.load(paths.study_file).storage == uri


def test_an_end_that_did_not_reach_storage_is_brought_there(
    tiny: Tiny, tmp_path: Path, uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, driver, sent = node(tmp_path / "here"), node(tmp_path / "driver").trial(0), Storage.push
    Storage(uri, "tiny").push(handed_out(here, tiny().base_configs()["cf_amc_ssl"]))

    def away(storage: Storage, trial: TrialPaths, names: Any = None) -> None:
        if ending(trial) is not None:
            raise StorageError("away")
        sent(storage, trial, names)

    with monkeypatch.context() as patch:
        patch.setattr(Storage, "push", away)
        with pytest.raises(StorageError, match="away"):
            run_assignment(here.root, 0, Terms(storage=uri))
    finished = here.trial(0).events.read_bytes()
    assert run_assignment(here.root, 0, Terms(storage=uri)).metrics
    Storage(uri, "tiny").fetch(driver, whole=False)
    assert driver.events.read_bytes() == finished
    assert driver.result.exists()


@pytest.fixture
def pair(tmp_path: Path, uri: str) -> tuple[Storage, TrialPaths, Storage, TrialPaths]:
    """Two machines' views of one trial."""
    here, there = (node(tmp_path / name).trial(3) for name in ("here", "there"))
    here.root.mkdir(parents=True)
    return Storage(uri, "tiny"), here, Storage(uri, "tiny"), there


def test_a_loss_outlives_the_report_of_an_attempt_that_was_taken_for_lost(
    pair: tuple[Storage, TrialPaths, Storage, TrialPaths],
) -> None:
    at_driver, here, at_worker, there = pair
    append_event(there, ATTEMPT, 1)
    at_worker.push(there)
    at_driver.fetch(here, whole=False)
    append_event(here, LOST, 1, reason="its node went", excuse=None)
    at_driver.push(here)
    append_event(there, EPOCH, 1, epoch=1, metrics={})
    at_worker.push(there)
    for _ in range(2):
        at_driver.fetch(here, whole=False)
        assert [event["kind"] for event in read_events(here)] == [ATTEMPT, EPOCH, LOST]


def test_the_copy_that_knows_more_counts(pair: tuple[Storage, TrialPaths, Storage, TrialPaths]) -> None:
    mine, here, theirs, there = pair
    append_event(here, ATTEMPT, 1)
    here.checkpoint.write_bytes(b"one")
    mine.push(here)
    append_event(here, EPOCH, 1, epoch=1)
    here.checkpoint.write_bytes(b"not sent")
    mine.fetch(here, whole=True)
    assert here.checkpoint.read_bytes() == b"not sent", "ahead of storage, the local copy stays"
    theirs.fetch(there, whole=True)
    assert there.checkpoint.read_bytes() == b"one"
    append_event(there, ATTEMPT, 2)
    there.checkpoint.write_bytes(b"two")
    theirs.push(there)
    mine.fetch(here, whole=False)
    assert not here.checkpoint.exists(), "a stale checkpoint is not continued from"
    mine.fetch(here, whole=True)
    assert here.checkpoint.read_bytes() == b"two"
    assert here.events.read_bytes() == there.events.read_bytes()


def test_what_somebody_says_of_a_trial_stays_where_it_was_said(
    pair: tuple[Storage, TrialPaths, Storage, TrialPaths],
) -> None:
    """A copy that comes back from the machine that trains would be an older one."""
    storage, here, other, there = pair
    append_event(here, ATTEMPT, 1)
    append_note(here, "for the paper")
    append_exclusion(here, "a broken node")
    storage.push(here)
    other.fetch(there, whole=True)
    assert there.events.exists()
    assert not there.notes.exists()
    assert not there.exclusions.exists()


def test_an_end_is_final(pair: tuple[Storage, TrialPaths, Storage, TrialPaths]) -> None:
    mine, here, theirs, there = pair
    append_event(here, ATTEMPT, 1)
    mine.push(here)
    theirs.fetch(there, whole=True)
    append_event(there, EPOCH, 1, epoch=1)
    theirs.push(there)
    append_event(here, ENDED, 1, status="stopped")
    mine.fetch(here, whole=False)
    assert [event["kind"] for event in read_events(here)] == [ATTEMPT, ENDED]
    theirs.push(there)
    mine.push(here)
    theirs.fetch(there, whole=True)
    assert there.events.read_bytes() == here.events.read_bytes()


def test_no_event_is_there_before_what_it_speaks_of(
    pair: tuple[Storage, TrialPaths, Storage, TrialPaths], monkeypatch: pytest.MonkeyPatch
) -> None:
    storage, here, *_ = pair
    sent: list[str] = []
    monkeypatch.setattr(Storage, "_upload", lambda self, path, place: sent.append(path.name))
    append_event(here, ENDED, 1)
    here.checkpoint.write_bytes(b"x")
    here.result.write_text("{}")
    (here.root / ".lock").touch()
    storage.push(here)
    assert sent[-1] == "events.jsonl"
    assert sorted(sent) == ["checkpoint.pt", "events.jsonl", "result.json"]
    storage.push(here)
    assert len(sent) == 3, "what has not changed is not sent again"


def test_a_decision_to_stop_reaches_the_machine_that_trains(
    pair: tuple[Storage, TrialPaths, Storage, TrialPaths],
) -> None:
    driver, here, worker, there = pair
    worker.pull(there, "stop.json")
    assert not there.stop.exists()
    write_json(here.stop, {"reason": "hopeless"})
    driver.push(here, ["stop.json", "events.jsonl"])
    worker.pull(there, "stop.json")
    assert json.loads(there.stop.read_text()) == {"reason": "hopeless"}


@contextmanager
def session_of(config: StudyConfig, uri: str) -> Iterator[Session]:
    paths, console = study_paths("tiny"), Console(file=io.StringIO())
    paths.root.mkdir()
    search = Search.open(paths, config, config.search_space())
    tracker = Tracker.open(paths, offline=True)
    with closing(search), closing(tracker), Progress(console, config) as progress:
        yield Session(
            paths=paths,
            config=config,
            allotment=Allotment(shares={}, concurrent=1, at_most=None, cpus=1, gpus=0),
            search=search,
            tracker=tracker,
            progress=progress,
            console=console,
            storage=Storage(uri, "tiny"),
        )


@pytest.mark.usefixtures("studies")
def test_what_ended_elsewhere_at_the_last_moment_is_no_trial_that_was_stopped(
    tiny: Tiny, tmp_path: Path, uri: str
) -> None:
    there = node(tmp_path / "there")
    with session_of(tiny(storage=uri, budget={"trials": 2}), uri) as session:
        assert session.next() is not None
        assert session.next() is not None
        run_assignment(there.root, 0, Terms(storage=uri))
        session.close()
    here = study_paths("tiny")
    ends = [ending(trial) for trial in here.each_trial()]
    assert [end["status"] for end in ends if end] == ["finished", "stopped"]
    Storage(uri, "tiny").fetch(there.trial(1), whole=True)
    assert there.trial(1).events.read_bytes() == here.trial(1).events.read_bytes()


@pytest.mark.usefixtures("studies")
def test_a_trial_that_is_given_up_is_so_on_every_machine(tiny: Tiny, tmp_path: Path, uri: str) -> None:
    """Ray begins another attempt of it all the same, perhaps on another machine; that must not train it."""
    with session_of(tiny(storage=uri, budget={"trials": 1}, resources={"max_failures": 0}), uri) as session:
        assert session.next() is not None
        assert session.lost(0, "SIGKILL")
    there = node(tmp_path / "there")
    there.trial(0).root.mkdir(parents=True)
    ended = run_assignment(there.root, 0, Terms(storage=uri))
    assert (str(ended.status), ended.reason) == ("failed", "lost once: SIGKILL")
    assert [event["kind"] for event in read_events(there.trial(0))] == [LOST, ENDED]


def test_storage_writes_inside_the_trial_s_folder_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    storage, here = Storage(f"memory://{uuid.uuid4().hex}", "tiny"), node(tmp_path).trial(0)
    here.root.mkdir(parents=True)
    base = f"{storage._root}/0000"
    names = ["../escaped", "a/../../escaped", "/escaped", ".lock", "fine.json"]
    monkeypatch.setattr(type(storage._files), "find", lambda self, path: [f"{base}/{name}" for name in names])
    monkeypatch.setattr(Storage, "_download", lambda self, trial, name: (trial.root / name).write_text(""))
    storage.fetch(here, whole=True)
    assert [path.name for path in tmp_path.rglob("*") if path.is_file() and path != here.events] == ["fine.json"]


def test_storage_that_fails_is_no_fault_of_the_trial(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storages, "PAUSE_S", 0.0)
    storage, here = Storage(f"memory://{uuid.uuid4().hex}", "tiny"), node(tmp_path).trial(0)
    asked = []

    def away(*_args: Any, **_kwargs: Any) -> None:
        asked.append(1)
        raise RuntimeError("503 Slow Down")

    monkeypatch.setattr(type(storage._files), "find", away)
    with pytest.raises(StorageError, match="RuntimeError: 503 Slow Down"):
        storage.fetch(here, whole=True)
    assert len(asked) == storages.ATTEMPTS


@pytest.mark.parametrize(
    ("uri", "words"),
    [
        ("nope://x", "cannot be used"),
        ("bucket/folder", "give an address, s3://BUCKET/FOLDER"),
        ("s3://[bucket", "cannot be used|Invalid"),
        ("ftp://me:hunter2@host/x", "leave them to the environment"),
    ],
)
def test_storage_that_cannot_be_used_is_refused(tiny: Tiny, uri: str, words: str) -> None:
    with pytest.raises(UserError, match=words) as refused:
        check_storage(uri)
    assert "hunter2" not in str(refused.value)
    with pytest.raises(ValueError, match=words):
        tiny(storage=uri)


def test_the_filesystems_are_real() -> None:
    assert {"file", "memory", "s3", "gcs", "abfs"} <= set(fsspec.available_protocols())
