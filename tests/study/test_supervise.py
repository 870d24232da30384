"""The process that stands by: real processes, real signals, drivers that do nothing but die."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from analysis.layout import ENDED, EPOCH, StudyPaths, append_event
from study import notice, supervise
from study.files.lock import is_running

PATIENCE_S = 60.0

DRIVER = """
import json, os, signal, sys, time
from pathlib import Path
from analysis.layout import EPOCH, StudyPaths, append_event
from study import supervise
from study.execution.interrupts import interruptible

folder = Path(sys.argv[1])
supervise.PAUSES_S = tuple(json.loads(sys.argv[2]))
arguments = supervise.stand_by(["launch", "study.yaml"])
paths = StudyPaths(folder / "tiny")
paths.root.mkdir(exist_ok=True)
paths.study_file.touch()
if sys.argv[3] == "announce":
    supervise.Continuation.of(paths.root, ["resume", "tiny"]).announce()
with open(folder / "drivers", "a") as file:
    file.write(json.dumps({"pid": os.getpid(), "parent": os.getppid(), "arguments": arguments}) + "\\n")
number = len((folder / "drivers").read_text().splitlines())

def die():
    os.kill(os.getpid(), signal.SIGKILL)

def wait_for_signals():
    heard = []
    with interruptible(lambda: heard.append(1)):
        (folder / "ready").touch()
        while not heard:
            time.sleep(0.01)
    (folder / "heard").write_text(str(len(heard)))
    sys.exit(130)

"""

WROTE = "append_event(paths.trial(1), EPOCH, 1, epoch=2, metrics={}) if number == 1 else None"
Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts a supervised driver that does as ``does`` says; what is left of it is killed."""
    started: list[subprocess.Popen[str]] = []

    def run(does: str, pauses: tuple[float, ...] = (0.01, 0.01), told: str = "announce") -> subprocess.Popen[str]:
        command = [sys.executable, "-c", DRIVER + does, str(tmp_path), json.dumps(pauses), told]
        process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True)
        started.append(process)
        return process

    yield run
    for process in started:
        with process:
            process.kill()


def drivers(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "drivers").read_text().splitlines()]


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_driver_that_dies_is_gone_on_with(start: Start, tmp_path: Path) -> None:
    process = start("die() if number < 3 else sys.exit(0)")
    _, errors = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0
    assert [driver["arguments"] for driver in drivers(tmp_path)] == [
        ["launch", "study.yaml"],
        ["resume", "tiny"],
        ["resume", "tiny"],
    ]
    assert {driver["parent"] for driver in drivers(tmp_path)} == {process.pid}
    assert errors.count("the driver of tiny died (SIGKILL); going on in") == 2


def test_who_drives_several_studies_goes_on_with_the_last(start: Start, tmp_path: Path) -> None:
    """As the demo does, which confirms what it has found."""
    second = 'supervise.Continuation.of(paths.root, ["resume", "tiny-confirmed"]).announce()'
    process = start(f"{second} if number == 1 else None; die() if number == 1 else sys.exit(0)")
    process.communicate(timeout=PATIENCE_S)
    assert [driver["arguments"] for driver in drivers(tmp_path)][1:] == [["resume", "tiny-confirmed"]]


def test_starts_in_vain_are_bounded(start: Start, tmp_path: Path) -> None:
    process = start("sys.exit(1) if number == 1 else die()")
    _, errors = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 128 + signal.SIGKILL
    assert len(drivers(tmp_path)) == 3
    assert "tiny is left after 2 starts in vain; try again with: study resume tiny" in errors


def test_starts_that_bring_the_study_on_are_not(start: Start, tmp_path: Path) -> None:
    process = start("append_event(paths.trial(0), EPOCH, 1, epoch=number); die() if number < 6 else sys.exit(0)")
    process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0
    assert len(drivers(tmp_path)) == 6


@pytest.mark.parametrize("code", [0, 2, 130])
def test_a_driver_that_ends_by_itself_is_left_alone(start: Start, tmp_path: Path, code: int) -> None:
    process = start(f"sys.exit({code})")
    _, errors = process.communicate(timeout=PATIENCE_S)
    assert (process.returncode, len(drivers(tmp_path)), errors) == (code, 1, "")


@pytest.mark.parametrize(
    ("does", "heard"),
    [
        ("die() if number < 3 else sys.exit(0)", "tiny has ended: 2 trials, 1 finished, 1 not ended."),
        ("paths.stop.touch(); sys.exit(0)", "tiny was stopped: 2 trials, 1 finished, 1 not ended."),
        (f"{WROTE}; sys.exit(2)", "tiny does not go on (exit code 2): 2 trials, 1 finished, 1 not ended."),
        (f"{WROTE}; die()", "tiny does not go on (exit code 137): 2 trials, 1 finished, 1 not ended."),
        ("sys.exit(2)", None),
        (f"{WROTE}; sys.exit(130)", None),
    ],
    ids=[
        "ended, the third time",
        "stopped as asked",
        "the user's turn",
        "left",
        "refused at once",
        "interrupted by somebody, who knows",
    ],
)
def test_the_end_is_told_once_to_whom_it_was_asked(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, does: str, heard: str | None
) -> None:
    paths = StudyPaths(tmp_path / "tiny")
    append_event(paths.trial(0), ENDED, 1, status="finished", reason=None, metrics={})
    append_event(paths.trial(1), EPOCH, 1, epoch=1, metrics={})
    monkeypatch.setenv(notice.NOTIFY, f"cat >> {tmp_path}/heard")
    _, errors = start(does).communicate(timeout=PATIENCE_S)
    told = tmp_path / "heard"
    assert (told.read_text().splitlines()[::2] if told.exists() else []) == ([heard] if heard else [])
    assert notice.NOTIFY not in errors


def test_word_that_cannot_be_sent_is_told_here_and_changes_nothing(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(notice.NOTIFY, "echo no such address >&2; exit 3")
    process = start("sys.exit(0)")
    _, errors = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0
    assert errors.splitlines() == [
        "no such address",
        f"{notice.NOTIFY}: echo no such address >&2; exit 3 ended with exit code 3",
    ]


def test_trials_that_cannot_be_read_change_no_exit_code(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    StudyPaths(tmp_path / "tiny").trial(0).events.mkdir(parents=True)
    monkeypatch.setenv(notice.NOTIFY, "cat")
    process = start("sys.exit(0)")
    _, errors = process.communicate(timeout=PATIENCE_S)
    assert (process.returncode, errors.startswith("nobody was told: "), len(errors.splitlines())) == (0, True, 1)


def test_a_driver_that_dies_before_its_study_began_is_left_alone(start: Start, tmp_path: Path) -> None:
    process = start("die()", told="nothing")
    process.communicate(timeout=PATIENCE_S)
    assert (process.returncode, len(drivers(tmp_path))) == (128 + signal.SIGKILL, 1)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("send", [os.kill, os.killpg])
def test_a_signal_reaches_the_driver_once(
    start: Start, tmp_path: Path, number: signal.Signals, send: Callable[[int, int], None]
) -> None:
    process = start("wait_for_signals()")
    wait_until((tmp_path / "ready").exists)
    send(process.pid, number)
    process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 130
    assert (tmp_path / "heard").read_text() == "1"
    assert len(drivers(tmp_path)) == 1


def test_ctrl_c_in_a_terminal_reaches_the_driver_once(tmp_path: Path) -> None:
    command = [sys.executable, "-c", DRIVER + "wait_for_signals()", str(tmp_path), "[0.01]", "announce"]
    process, terminal = pty.fork()
    if process == 0:
        os.execv(sys.executable, command)
    wait_until((tmp_path / "ready").exists)
    os.write(terminal, b"\x03")
    _, status = os.waitpid(process, 0)
    os.close(terminal)
    assert os.waitstatus_to_exitcode(status) == 130
    assert (tmp_path / "heard").read_text() == "1"


def test_after_a_signal_a_driver_that_dies_is_left_alone(start: Start, tmp_path: Path) -> None:
    process = start("signal.signal(signal.SIGTERM, lambda *_: die()); (folder / 'ready').touch(); time.sleep(60)")
    wait_until((tmp_path / "ready").exists)
    process.terminate()
    process.communicate(timeout=PATIENCE_S)
    assert (process.returncode, len(drivers(tmp_path))) == (128 + signal.SIGKILL, 1)


def test_a_study_that_is_about_to_go_on_counts_as_running(start: Start, tmp_path: Path) -> None:
    paths = StudyPaths(tmp_path / "tiny")
    process = start("die()", pauses=(PATIENCE_S,))
    wait_until(lambda: is_running(paths))
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=PATIENCE_S)
    assert (process.returncode, len(drivers(tmp_path))) == (130, 1)
    assert not is_running(paths)


def test_a_driver_outlives_who_stands_by(start: Start, tmp_path: Path) -> None:
    process = start(
        "parent = os.getppid(); (folder / 'ready').touch()\n"
        "while os.getppid() == parent: time.sleep(0.01)\n"
        "(folder / 'alone').touch()"
    )
    wait_until((tmp_path / "ready").exists)
    process.kill()
    wait_until((tmp_path / "alone").exists)


def test_only_what_runs_a_study_is_supervised(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not supervise.is_wanted(["launch", "study.yaml"]), "not where much is loaded"
    monkeypatch.delitem(sys.modules, "torch")
    assert supervise.is_wanted(["launch", "study.yaml"])
    assert not supervise.is_wanted(["launch", "study.yaml", "--no-supervise"])
    assert not supervise.is_wanted(["front", "launch"])
    assert not supervise.is_wanted([])
