"""A study that this process may not write can still be looked at."""

from __future__ import annotations

import errno
import os
from typing import Any

import pytest
from filelock import FileLock

from analysis.layout import StudyPaths, study_paths
from study.files.lock import StudyBusyError, is_running, sole_driver
from trainables.config import UserError


@pytest.fixture
def paths(studies) -> StudyPaths:
    found = study_paths("s")
    found.root.mkdir(parents=True)
    found.lock.touch()
    return found


@pytest.fixture
def read_only(monkeypatch) -> None:
    """As on a disk that is mounted so, which root too must respect."""
    real = os.open

    def opened(path: Any, flags: int, *rest: Any, **more: Any) -> int:
        if flags & (os.O_RDWR | os.O_WRONLY):
            raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(path))
        return real(path, flags, *rest, **more)

    monkeypatch.setattr(os, "open", opened)


def test_whether_it_runs_is_asked_without_writing(paths, read_only):
    assert not is_running(paths)


def test_a_driver_is_seen(paths):
    with sole_driver(paths):
        assert is_running(paths)
        with pytest.raises(StudyBusyError), sole_driver(paths):
            pass
    assert not is_running(paths)
    with FileLock(paths.lock):
        assert is_running(paths)


def test_changing_it_is_refused_in_words(paths, read_only):
    with pytest.raises(UserError, match=r"study s cannot be changed: .* cannot be written"), sole_driver(paths):
        pass
