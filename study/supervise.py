"""A small process that stands by while another one runs a study, and starts it again when that dies.

The driver holds Ray, CUDA and databases, any of which can take it down; this process holds nothing. The driver is
its fork, made before anything is imported. Both are in the terminal's foreground, where Ctrl-C reaches them both;
a signal that was sent to this one alone is handed on.
"""

from __future__ import annotations

import fcntl
import json
import os
import signal
import sys
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from analysis.layout import ENDED, EPOCH, StudyPaths, read_events
from study import notice

COMMANDS = ("launch", "resume", "extend", "measure", "reseed", "confirm", "demo")
"""What runs a study."""
OPT_OUT = "--no-supervise"

PAUSES_S = (1.0, 10.0, 60.0, 300.0)
"""Before each start that follows on one without a new epoch or a trial's end; after the last the study is left."""

INTERRUPTED = 130
"""Exit code of a study that a signal ended: 128 + SIGINT, as shells have it."""
_ENOUGH = 1 << 16
"""Bytes: all that a pipe holds."""
_told: list[int] = []
"""In a driver, the pipe to the process that stands by."""
_FINAL = (0, 2, INTERRUPTED)
"""Exit codes after which there is nothing to go on with: done, the user's turn, interrupted."""
Signals = Collection[int | signal.Signals]
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@dataclass(frozen=True)
class Continuation:
    """How to go on with a study: its folder, and the arguments of ``study`` that do."""

    root: Path
    arguments: list[str]
    written: int
    """Bytes that its trials had written before."""

    @classmethod
    def of(cls, root: Path, arguments: list[str]) -> Self:
        """In the driver, before it begins."""
        return cls(root, arguments, _written(StudyPaths(root)))

    @classmethod
    def read(cls, descriptor: int) -> Self | None:
        """What a driver announced last before it died; ``None`` if it did not come so far."""
        os.set_blocking(descriptor, False)  # a process that it left behind may hold the other end
        try:
            told = os.read(descriptor, _ENOUGH).splitlines()
        except BlockingIOError:
            told = []
        if not told:
            return None
        last = json.loads(told[-1])
        return cls(Path(last["root"]), last["arguments"], last["written"])

    def announce(self) -> None:
        """Tell the process that stands by, if one does; before another study again."""
        line = json.dumps({"root": str(self.root), "arguments": self.arguments, "written": self.written})
        for pipe in _told:
            os.write(pipe, f"{line}\n".encode())


@dataclass(frozen=True)
class Death:
    """How a driver died."""

    code: int
    """Its exit code; of a signal, negative."""
    final: bool
    """It ended by itself, or was told to."""

    @property
    def exit_code(self) -> int:
        """As a shell has it."""
        return self.code if self.code >= 0 else 128 - self.code

    def __str__(self) -> str:
        return f"exit code {self.code}" if self.code >= 0 else signal.Signals(-self.code).name


def is_wanted(arguments: Sequence[str]) -> bool:
    """Whether the command line runs a study and does not ask to do so alone; a process that holds much never forks."""
    asked = bool(arguments) and arguments[0] in COMMANDS and OPT_OUT not in arguments
    return asked and "torch" not in sys.modules


def stand_by(arguments: Sequence[str]) -> list[str]:
    """Returns in the driver, a new process, with the arguments it is to run; in this one it exits as the driver did.

    A driver that died is started again, after a pause, until it ends by itself or ``PAUSES_S`` are used up.
    """
    signals = {number for number in _SIGNALS if signal.getsignal(number) is not signal.SIG_IGN}
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD, *signals})
    reader, writer = os.pipe()
    if (driver := _fork(mask)) is None:
        _told.append(writer)
        os.close(reader)
        return list(arguments)
    os.close(writer)
    death = _wait(driver, signals)
    continuation = Continuation.read(reader)
    if continuation is None or not StudyPaths(continuation.root).study_file.exists():
        raise SystemExit(death.exit_code)
    return _go_on(continuation, death, signals, mask)


def _go_on(continuation: Continuation, death: Death, signals: Signals, mask: Signals) -> list[str]:
    paths, in_vain, reached = StudyPaths(continuation.root), 0, -1
    lock = None if death.final else _hold(paths)
    while lock is not None and not death.final:
        done = _progress(paths)
        in_vain, reached = (in_vain + 1, reached) if done <= reached else (0, done)
        if in_vain == len(PAUSES_S):
            _say(f"{paths.name} is left after {in_vain} starts in vain; try again with: study resume {paths.name}")
            break
        _say(f"the driver of {paths.name} died ({death}); going on in {PAUSES_S[in_vain]:g} s")
        if signal.sigtimedwait(signals, PAUSES_S[in_vain]):
            raise SystemExit(INTERRUPTED)
        if (driver := _fork(mask)) is None:
            os.close(lock)  # this copy of it; the parent's holds
            return continuation.arguments
        death = _wait(driver, signals)
    try:
        problem = notice.send(paths, death.exit_code) if _is_news(continuation, death) else None
    except OSError as error:
        problem = f"nobody was told: {error}"
    if problem:
        _say(problem)
    raise SystemExit(death.exit_code)


def _is_news(continuation: Continuation, death: Death) -> bool:
    """Not to who interrupted it, nor to who was refused at once, before any trial wrote a word."""
    paths = StudyPaths(continuation.root)
    return death.code == 0 or (death.exit_code != INTERRUPTED and _written(paths) > continuation.written)


def _written(paths: StudyPaths) -> int:
    """Bytes of all trials' events, which only grow; times would be those of the clock of whoever keeps the files."""
    return sum(trial.events.stat().st_size for trial in paths.each_trial() if trial.events.exists())


def _fork(mask: Signals) -> int | None:
    """The number of the new process; ``None`` in that process, which hears the signals of ``mask`` again."""
    sys.stdout.flush()
    sys.stderr.flush()
    if number := os.fork():
        return number
    signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    return None


def _wait(driver: int, signals: Signals) -> Death:
    """How the driver died."""
    told = False
    while True:
        news = signal.sigwaitinfo({signal.SIGCHLD, *signals})
        if news.si_signo != signal.SIGCHLD:
            told = True
            if news.si_code <= 0:  # from a process, not from the terminal, which tells the driver too
                os.kill(driver, news.si_signo)
            continue
        number, status = os.waitpid(driver, os.WNOHANG)
        if number == 0:
            continue
        code = os.waitstatus_to_exitcode(status)
        return Death(code, final=told or code in _FINAL or -code in _SIGNALS)


def _hold(paths: StudyPaths) -> int:
    """Show that the study is about to be gone on with, for as long as this process lives."""
    descriptor = os.open(paths.supervisor_lock, os.O_RDWR | os.O_CREAT, 0o644)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    return descriptor


def _progress(paths: StudyPaths) -> int:
    """Epochs and ends of all trials."""
    return sum(event["kind"] in (EPOCH, ENDED) for trial in paths.each_trial() for event in read_events(trial))


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()
