"""A copy of a study that runs, or whose driver was killed in the middle of a word."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from analysis.layout import StudyPaths, study_paths, write_json
from study.files import copy
from study.files.copy import copied

ROWS = 10_000
"""More than fit into the memory that the writer may take."""
KILLED_IN_A_TRANSACTION = """
import os, sqlite3, sys
database = sqlite3.connect(sys.argv[1])
database.execute("PRAGMA cache_size = 1")  # so that what is not decided is in the file already
database.execute("UPDATE words SET word = 'lied'")
os._exit(0)
"""


@pytest.fixture
def paths(studies: Path) -> StudyPaths:
    found = study_paths("s")
    found.trial(0).root.mkdir(parents=True)
    with closing(sqlite3.connect(found.optuna)) as database:
        database.execute("CREATE TABLE words (word)")
        database.executemany("INSERT INTO words VALUES (?)", [("said",)] * ROWS)
        database.commit()
    write_json(found.trial(0).config, {"number": 0})
    found.trial(0).checkpoint.write_bytes(b"large")
    return found


def test_what_was_not_decided_is_not_in_the_copy(paths: StudyPaths) -> None:
    subprocess.run([sys.executable, "-c", KILLED_IN_A_TRANSACTION, str(paths.optuna)], check=True)
    assert Path(f"{paths.optuna}-journal").stat().st_size > 0
    with copied(paths) as found, closing(sqlite3.connect(found.optuna)) as database:
        assert database.execute("SELECT DISTINCT word FROM words").fetchall() == [("said",)]
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def test_a_writer_that_has_not_decided_is_neither_heard_nor_waited_for(paths: StudyPaths) -> None:
    with closing(sqlite3.connect(paths.optuna)) as writer:
        writer.execute("INSERT INTO words VALUES ('thought')")
        with copied(paths) as found, closing(sqlite3.connect(found.optuna)) as database:
            assert database.execute("SELECT count(*) FROM words").fetchall() == [(ROWS,)]


def test_files_that_go_while_it_is_made_are_not_in_it(paths: StudyPaths, monkeypatch: pytest.MonkeyPatch) -> None:
    write_json(paths.trial(0).progress, {"words": "attacking"})

    def late(source: Path, target: Path, real: Callable[..., object] = shutil.copyfile) -> None:
        if source.name == paths.trial(0).progress.name:
            source.unlink()
        real(source, target)

    monkeypatch.setattr(copy.shutil, "copyfile", late)
    with copied(paths) as found:
        assert {path.name for path in found.trial(0).root.iterdir()} == {"config.json"}


def test_what_is_no_database_is_copied_for_who_opens_it_to_say(paths: StudyPaths) -> None:
    paths.optuna.write_text("no database")
    with copied(paths) as found:
        assert found.optuna.read_text() == "no database"
