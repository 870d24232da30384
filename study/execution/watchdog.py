"""Ends the process of a trial that makes no progress, also where Python cannot run."""

from __future__ import annotations

import faulthandler
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Self


class Watchdog:
    """Within its block the process ends when ``progress`` is not called for ``silence_s`` seconds.

    A thread of C's counts, so that a call that never returns and never lets Python run is ended too. It leaves in
    ``path`` where every thread was; otherwise there is no such file afterwards. ``None`` for the seconds: no end.
    """

    def __init__(self, path: Path, silence_s: float | None) -> None:
        self._path, self._silence_s = path, silence_s
        self._file: BinaryIO | None = None

    def __enter__(self) -> Self:
        if self._silence_s is not None:
            self._file = open(self._path, "wb")
            self.progress()
        return self

    def __exit__(self, *_error: object) -> None:
        if self._file is not None:
            faulthandler.cancel_dump_traceback_later()
            self._file.close()
            self._path.unlink(missing_ok=True)

    def progress(self) -> None:
        """The trial is alive: count anew."""
        if self._file is not None and self._silence_s is not None:
            faulthandler.dump_traceback_later(self._silence_s, file=self._file, exit=True)

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Within: somebody else is waited for, which is no silence of the trial's."""
        if self._file is not None:
            faulthandler.cancel_dump_traceback_later()
        yield
        self.progress()
