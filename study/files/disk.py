"""Room on the disks that a study writes to."""

from __future__ import annotations

import errno
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from trainables.config import UserError

_FULL = (errno.ENOSPC, errno.EDQUOT)


def is_low(folder: Path, minimum_gib: float) -> bool:
    """Whether the disk of ``folder`` has less than ``minimum_gib`` GiB free."""
    return shutil.disk_usage(folder).free < minimum_gib * 2**30


def full_disk(error: BaseException | None) -> str | None:
    """The words for a full disk, or a spent quota, somewhere under ``error``; ``None`` if that is not its cause.

    Libraries wrap what the system says: torch raises another error in its place, Optuna one around SQLite's.
    """
    for cause in _causes(error):
        if isinstance(cause, OSError) and cause.errno in _FULL:
            return str(cause)
        if isinstance(cause, sqlite3.OperationalError) and "disk is full" in str(cause):
            return str(cause)
    return None


@contextmanager
def writing(path: Path, remedy: str = "choose another place") -> Iterator[None]:
    """What keeps ``path`` from being written becomes a ``UserError``, but for a full disk, which ends every command."""
    try:
        yield
    except OSError as error:
        if full_disk(error):
            raise
        raise UserError(f"{path} cannot be written ({error}); {remedy}") from error


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()  # nothing forbids a chain that ends in itself
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__
