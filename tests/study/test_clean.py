"""The disk that a study's trials use, and what cleaning may take."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from filelock import FileLock
from rich.console import Console

from analysis.layout import ENDED, TrialPaths, append_event, read_events, study_paths, write_json
from study import clean as cleaning
from study.clean import clean
from study.config import StudyConfig
from study.execution.session import Session
from study.launch import launch, resume
from study.publishing.export import export
from trainables import checkpoint
from trainables.atomic import replacing, unfinished
from trainables.checkpoint import CheckpointError
from trainables.config import TrialConfig, UserError, from_dict

Tiny = Callable[..., StudyConfig]
pytestmark = pytest.mark.usefixtures("studies")

HALF = f".checkpoint.pt.{'0' * 32}"


def quiet() -> Console:
    return Console(file=io.StringIO(), width=200)


def config_of(trial: TrialPaths) -> TrialConfig:
    return from_dict(json.loads(trial.config.read_text())["config"])


@pytest.fixture
def interrupted(tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> TrialPaths:
    """A trial that ended in the middle and can be resumed; a writer was killed beside it."""

    def stop(session: Session, number: int) -> None:
        session.interrupt()

    with monkeypatch.context() as patch:
        patch.setattr(Session, "reported", stop)
        with pytest.raises(SystemExit):
            launch(
                tiny(settings={"optimiser.epochs": 2}, budget={"trials": 1}, tracking={"offline": True}),
                backend="inline",
                console=quiet(),
            )
    trial = study_paths("tiny").trial(0)
    (trial.root / HALF).write_bytes(b"half")
    return trial


def test_a_finished_trial_keeps_what_export_needs(tiny: Tiny, tmp_path: Path) -> None:
    paths = launch(tiny(budget={"trials": 1}), backend="inline", console=quiet())
    with pytest.raises(CheckpointError, match="a trial that has ended"):
        checkpoint.load(paths.trial(0).checkpoint, config_of(paths.trial(0)))
    assert export("tiny/0", tmp_path / "exported").encoder
    assert clean(paths).bytes_freed == 0


def test_what_can_be_resumed_is_not_touched(interrupted: TrialPaths) -> None:
    before = interrupted.checkpoint.read_bytes()
    assert clean(study_paths("tiny")).bytes_freed == 4
    assert not (interrupted.root / HALF).exists()
    assert interrupted.checkpoint.read_bytes() == before
    resume("tiny", backend="inline", console=quiet())
    assert read_events(interrupted)[-1]["status"] == "finished"


def test_a_trial_that_ended_early_is_reduced(interrupted: TrialPaths) -> None:
    append_event(interrupted, ENDED, 1, status="stopped", reason="dominated", metrics={})
    before = interrupted.checkpoint.stat().st_size
    freed = clean(study_paths("tiny")).bytes_freed
    assert freed == before - interrupted.checkpoint.stat().st_size + 4 > 4
    assert checkpoint.load_weights(interrupted.checkpoint, config_of(interrupted))
    assert clean(study_paths("tiny")).bytes_freed == 0


def test_a_trial_that_a_process_holds_is_left(interrupted: TrialPaths) -> None:
    append_event(interrupted, ENDED, 1, status="failed", reason="lost", metrics={})
    with FileLock(interrupted.root / ".lock"):
        done = clean(study_paths("tiny"))
    assert (done.bytes_freed, done.left) == (0, ("trial 0000 is being run",))
    assert (interrupted.root / HALF).exists()


def test_a_trial_that_cannot_be_read_is_named_and_the_others_are_cleaned(interrupted: TrialPaths) -> None:
    append_event(interrupted, ENDED, 1, status="failed", reason="lost", metrics={})
    other = study_paths("tiny").trial(1)
    write_json(other.config, json.loads(interrupted.config.read_text()))
    other.checkpoint.write_bytes(b"no checkpoint")
    append_event(other, ENDED, 1, status="failed", reason="lost", metrics={})
    done = clean(study_paths("tiny"))
    assert done.bytes_freed > 4
    (left,) = done.left
    assert left.startswith("trial 0001: ")
    assert "no readable checkpoint" in left


def test_the_studys_own_files_are_left_while_they_may_be_written(
    interrupted: TrialPaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = study_paths("tiny")
    fresh, old = (paths.root / f".study.json.{digit * 32}" for digit in "ab")
    for file in (fresh, old):
        file.write_bytes(b"12345678")
    os.utime(old, (0, 0))
    assert clean(paths).bytes_freed == 12
    assert (fresh.exists(), old.exists()) == (True, False)
    monkeypatch.setattr(cleaning, "ABANDONED_S", -1.0)
    assert clean(paths).bytes_freed == 8


def test_what_the_driver_writes_beside_a_trial_is_left(interrupted: TrialPaths) -> None:
    """A trial that nobody runs yet is locked by nobody, and its driver writes down what it is to run."""
    with replacing(interrupted.config) as file:
        file.write(b"{}")
        clean(study_paths("tiny"))
    assert interrupted.config.read_bytes() == b"{}"


def test_a_file_that_is_whole_meanwhile_is_no_fault(interrupted: TrialPaths, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = study_paths("tiny").root / f".tracking.json.{'0' * 32}"
    monkeypatch.setattr(cleaning, "unfinished", lambda folder: [gone, *unfinished(folder)])
    assert clean(study_paths("tiny")).bytes_freed == 4


def test_there_must_be_a_study() -> None:
    with pytest.raises(UserError, match="no study named 'nothing'"):
        clean(study_paths("nothing"))
