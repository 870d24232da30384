"""Ctrl-C, SIGTERM and the terminal's going end a study in order; a second one ends it at once."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

ECHO_S = 0.5
"""A signal to a whole group of processes comes once directly and once from whoever stands by."""


@contextmanager
def interruptible(on_signal: Callable[[], None]) -> Iterator[None]:
    """The first signal calls ``on_signal``; after its echo, and on leaving, the handlers are as they were before.

    SIGHUP stays ignored where it was (``nohup``). Outside the main thread, where Python allows no handlers, nothing
    is changed.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in _SIGNALS}
    if before[signal.SIGHUP] is signal.SIG_IGN:
        del before[signal.SIGHUP]
    first: list[float] = []

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    def once(number: int, _frame: FrameType | None) -> None:
        first.append(time.monotonic())
        if len(first) == 1:
            on_signal()
        elif first[-1] - first[0] > ECHO_S:
            restore()
            signal.raise_signal(number)

    for number in before:
        signal.signal(number, once)
    try:
        yield
    finally:
        if first:
            time.sleep(max(0.0, ECHO_S - (time.monotonic() - first[0])))
        restore()
