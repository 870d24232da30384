"""A copy of a study, on which is tried what must not be done to the study itself."""

from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from fnmatch import fnmatch
from pathlib import Path

from analysis.layout import StudyPaths
from study.files.containment import check_contained
from trainables.config import UserError

_LEFT = ("*.pt", "*.lock", ".lock", "*.part", "networks", "figures", "report.html", "optuna.db*")
"""Names of what is not copied as it is: what nobody asks of a copy, and the search, which is copied whole."""


@contextmanager
def copied(paths: StudyPaths) -> Iterator[StudyPaths]:
    """Within: the study under its name in another folder, without networks and pictures. Whoever runs it goes on.

    Errors that are raised within name the study's own files: those of the copy are gone when somebody reads them. What
    is taken away in the meantime is not in the copy. The search comes last, and so knows every trial in it.
    """
    check_contained(paths.root)
    with tempfile.TemporaryDirectory(prefix="study-") as folder:
        copy = StudyPaths(Path(folder) / paths.name)
        _copy_files(paths.root, copy.root)
        if paths.optuna.exists():
            _copy_database(paths.optuna, copy.optuna)
        try:
            yield copy
        except UserError as error:
            error.args = tuple(str(arg).replace(str(copy.root), str(paths.root)) for arg in error.args)
            raise


def _copy_files(source: Path, target: Path) -> None:
    for folder, folders, names in os.walk(source):
        folders[:] = [name for name in folders if not _is_left(name)]
        there = target / Path(folder).relative_to(source)
        there.mkdir(parents=True, exist_ok=True)
        for name in names:
            if not _is_left(name):
                with suppress(FileNotFoundError):
                    shutil.copyfile(Path(folder) / name, there / name)


def _is_left(name: str) -> bool:
    return any(fnmatch(name, pattern) for pattern in _LEFT)


def _copy_database(source: Path, target: Path) -> None:
    """As it is between two changes of whoever writes it."""
    try:
        with (
            closing(sqlite3.connect(f"{source.as_uri()}?mode=rw", uri=True)) as there,
            closing(sqlite3.connect(target)) as here,
        ):
            there.backup(here)
    except sqlite3.DatabaseError:  # no database: who opens the copy says so
        shutil.copyfile(source, target)
