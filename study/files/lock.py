"""One driver a study: the lock goes with the process that holds it, however that ends."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from analysis.layout import StudyPaths
from study.files.containment import check_contained
from trainables.config import UserError

PATIENCE_S = 0.5
"""Somebody who only looks whether a driver runs holds the lock for a moment."""


class StudyBusyError(UserError):
    """Another process runs this study."""


@contextmanager
def sole_driver(paths: StudyPaths) -> Iterator[None]:
    """Within: this process runs the study; ``StudyBusyError`` if another does."""
    check_contained(paths.root)
    lock = FileLock(paths.lock, timeout=PATIENCE_S)
    try:
        lock.acquire()
    except Timeout as error:
        raise _busy(paths) from error
    except OSError as error:
        raise UserError(
            f"study {paths.name} cannot be changed: {paths.root} cannot be written ({error.strerror})"
        ) from error
    try:
        yield
    finally:
        lock.release()


def check_idle(paths: StudyPaths) -> None:
    """Raises ``StudyBusyError`` where ``sole_driver`` would now."""
    if _is_held(paths.lock):
        raise _busy(paths)


def is_running(paths: StudyPaths) -> bool:
    """Whether a driver runs the study, or somebody is about to start it again."""
    return _is_held(paths.lock) or _is_held(paths.supervisor_lock)


def _busy(paths: StudyPaths) -> StudyBusyError:
    return StudyBusyError(
        f"study {paths.name} is being run by another process; wait for it, or end it with `study stop {paths.name}`"
    )


def _is_held(path: Path) -> bool:
    """Asks without taking: a shared lock for a moment."""
    try:
        descriptor = os.open(path, os.O_RDONLY)  # also where one may only look
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False
