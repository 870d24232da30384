"""Attempts that died: what is held against a trial, and what is not."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from analysis.layout import ATTEMPT, LOST, TrialPaths, append_event, read_events
from study.search.losses import judge, node_of, record_loss


@pytest.fixture
def trial(tmp_path: Path) -> TrialPaths:
    return TrialPaths(tmp_path / "0000")


def lose(trial: TrialPaths, cause: str, excuse: str | None = None) -> None:
    attempt = 1 + sum(event["kind"] == ATTEMPT for event in read_events(trial))
    append_event(trial, ATTEMPT, attempt)
    record_loss(trial, cause, excuse)


def test_a_trial_is_given_up_after_more_losses_than_allowed(trial: TrialPaths) -> None:
    for cause in ("first", "second"):
        assert judge(trial, 2) is None
        lose(trial, cause)
    assert judge(trial, 2) is None
    lose(trial, "third")
    verdict = judge(trial, 2)
    assert verdict is not None
    assert (verdict.reason, verdict.fault) == ("lost 3 times: third", "lost")
    assert [event["attempt"] for event in read_events(trial) if event["kind"] == LOST] == [1, 2, 3]


def test_a_node_that_went_away_is_not_held_against_a_trial(trial: TrialPaths) -> None:
    for _ in range(9):
        lose(trial, "the node died", excuse="its node was lost")
    assert judge(trial, 0) is None


def test_an_attempt_that_ended_with_its_driver_is_no_loss(trial: TrialPaths) -> None:
    for attempt in range(1, 9):
        append_event(trial, ATTEMPT, attempt)
    assert judge(trial, 0) is None


def test_a_loss_before_any_attempt_began_counts(trial: TrialPaths) -> None:
    record_loss(trial, "No module named 'study'", None)
    assert judge(trial, 0) is not None


def test_a_dead_node_excuses_the_attempt_that_ran_there_and_none_after_it(trial: TrialPaths) -> None:
    """Later ones may die before they write anything, each time, and would be tried again for ever."""
    assert node_of(trial) is None
    append_event(trial, ATTEMPT, 1, node="gone")
    assert node_of(trial) == "gone"
    record_loss(trial, "the node died", "its node was lost")
    assert node_of(trial) is None
    append_event(trial, ATTEMPT, 2, node="other")
    assert node_of(trial) == "other"


HANG = """
import ctypes, sys
from pathlib import Path
from study.execution.watchdog import Watchdog

def stuck():
    ctypes.PyDLL(None).pause()  # in C, holding the lock that Python needs to run

with Watchdog(Path(sys.argv[1]), 0.2):
    {does}
"""


def run(does: str, path: Path) -> int:
    return subprocess.run([sys.executable, "-c", HANG.format(does=does), path], check=False, timeout=60).returncode


def test_a_process_that_hangs_in_c_ends_and_says_where(trial: TrialPaths) -> None:
    trial.root.mkdir()
    assert run("stuck()", trial.hang) == 1
    assert "in stuck" in trial.hang.read_text()
    verdict = judge(trial, 9)
    assert verdict is not None
    assert verdict.fault == "timeout"
    assert verdict.reason.startswith("hung: no epoch and no progress for 0:00:00.2")


def test_without_a_hang_there_is_no_file(trial: TrialPaths) -> None:
    trial.root.mkdir()
    assert run("pass", trial.hang) == 0
    assert not trial.hang.exists()


def test_waiting_for_others_is_no_silence(trial: TrialPaths) -> None:
    trial.root.mkdir()
    waits = "import time\n    with watchdog.paused():\n        time.sleep(1.0)"
    script = HANG.replace("0.2):", "0.2) as watchdog:").format(does=waits)
    assert subprocess.run([sys.executable, "-c", script, trial.hang], check=False).returncode == 0
    assert not trial.hang.exists()


def test_an_empty_file_is_no_hang(trial: TrialPaths) -> None:
    trial.root.mkdir()
    trial.hang.touch()
    assert judge(trial, 0) is None
