"""Ctrl-C and SIGTERM end a study in order; a second one ends it at once."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def interruptible(on_signal: Callable[[], None]) -> Iterator[None]:
    """The first signal calls ``on_signal``; then, and on leaving, the handlers are as they were before.

    Outside the main thread, where Python allows no handlers, nothing is changed.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in _SIGNALS}

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    def once(_number: int, _frame: FrameType | None) -> None:
        restore()
        on_signal()

    for number in _SIGNALS:
        signal.signal(number, once)
    try:
        yield
    finally:
        restore()
