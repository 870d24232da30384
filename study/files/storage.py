"""Trials on storage that every node reaches, where no disk is shared: S3, GCS, a folder, whatever fsspec knows.

A trial runs in a local folder. After each report, and at its end, its files go to ``URI/STUDY/trials/NNNN``, the events
last, so that no event speaks of what is not there; an attempt elsewhere begins by fetching them. Events are only ever
appended, so of two copies the one that continues the other is the newer, and its folder counts. An end is final: no
copy takes the place of one that has it.
"""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar

import fsspec
from fsspec.implementations.local import LocalFileSystem

from analysis.layout import LOST, StudyPaths, TrialPaths, ending, parse_object
from trainables.atomic import replacing
from trainables.config import UserError

EVENTS = "events.jsonl"
ATTEMPTS, PAUSE_S = 4, 0.5
"""So often is a request made, each pause twice as long as the one before."""

T = TypeVar("T")


class StorageError(OSError):
    """The storage failed: no fault of a trial."""


def check_storage(uri: str) -> None:
    """Raise ``UserError`` for an address that cannot be used, or that holds a password."""
    if not re.match(r"[a-z][a-z0-9+.:-]*://.", uri):
        raise UserError(f"storage is {uri!r}; give an address, s3://BUCKET/FOLDER or file:///FOLDER say")
    if "@" in uri.partition("://")[2].partition("/")[0]:
        raise UserError("storage holds a user or password; leave them to the environment, the study's file is shown")
    try:
        fsspec.core.url_to_fs(uri)
    except (ImportError, ValueError) as error:
        raise UserError(
            f"storage {uri!r} cannot be used ({error}); s3://BUCKET/FOLDER or file:///FOLDER say"
        ) from error


class Storage:
    """One study's trials at ``uri``. Raises ``StorageError`` where it does not answer in time."""

    def __init__(self, uri: str, study: str) -> None:
        filesystem, root = fsspec.core.url_to_fs(uri)
        self._files: Any = filesystem
        self._root = f"{root.rstrip('/')}/{study}/trials"
        self._sent: dict[Path, tuple[int, int]] = {}

    def fetch(self, trial: TrialPaths, *, whole: bool) -> None:
        """Bring what the local folder lacks, and everything if storage knows more of the trial than it does.

        Of two copies that went apart storage's counts, with the losses that were recorded here.
        Without ``whole`` tensors stay where they are: a driver reads none.
        """
        there = self._listing(trial)
        theirs = self._read(trial, EVENTS) if EVENTS in there else b""
        newer = not _bytes(trial.events).startswith(theirs) and ending(trial) is None
        for name in there:
            path = trial.root / name
            if path.suffix == ".pt" and not whole:
                if newer:
                    path.unlink(missing_ok=True)  # of an earlier attempt here
            elif name != EVENTS and (newer or not path.exists()):
                self._download(trial, name)
        if newer:
            unheard = [line for line in _losses(_bytes(trial.events)) if line not in theirs]
            with replacing(trial.events) as file:
                file.write(theirs + b"".join(unheard))

    def push(self, trial: TrialPaths, names: Iterable[str] | None = None) -> None:
        """Send what has changed since it was last sent from here: all files, or those called ``names``.

        What somebody has said of the trial stays: a copy that comes back would be an older one.
        """
        found = (
            _names(trial.root) - {trial.notes.name, trial.exclusions.name}
            if names is None
            else {name for name in names if (trial.root / name).exists()}
        )
        for name in sorted(found, key=lambda each: each == EVENTS):
            path = trial.root / name
            state = (path.stat().st_mtime_ns, path.stat().st_size)
            if self._sent.get(path) != state:
                self._try(partial(self._upload, path, self._place(trial, name)))
                self._sent[path] = state

    def pull(self, trial: TrialPaths, name: str) -> None:
        """Bring one file, if it is there."""
        if self._try(lambda: self._files.exists(self._place(trial, name))):
            self._download(trial, name)

    def fetch_all(self, paths: StudyPaths) -> None:
        """What a driver that comes back reads of every trial that it knows of."""
        for trial in paths.each_trial():
            self.fetch(trial, whole=False)

    def _place(self, trial: TrialPaths, name: str) -> str:
        return f"{self._root}/{trial.root.name}/{name}"

    def _listing(self, trial: TrialPaths) -> list[str]:
        base = f"{self._root}/{trial.root.name}/"
        self._files.invalidate_cache()
        found = [str(path).partition(base)[2] for path in self._try(lambda: self._files.find(base.rstrip("/")))]
        return [name for name in found if name and _is_inside(name)]

    def _read(self, trial: TrialPaths, name: str) -> bytes:
        return bytes(self._try(lambda: self._files.cat_file(self._place(trial, name))))

    def _download(self, trial: TrialPaths, name: str) -> None:
        def copy() -> None:
            with replacing(trial.root / name) as to, self._files.open(self._place(trial, name), "rb") as file:
                shutil.copyfileobj(file, to)

        self._try(copy)

    def _upload(self, path: Path, place: str) -> None:
        self._files.makedirs(place.rpartition("/")[0], exist_ok=True)
        # An object appears whole, when it is closed; a file on a disk does not.
        whole = replacing(Path(place)) if isinstance(self._files, LocalFileSystem) else self._files.open(place, "wb")
        with open(path, "rb") as file, whole as to:
            shutil.copyfileobj(file, to)

    def _try(self, request: Callable[[], T]) -> T:
        for again in range(ATTEMPTS):
            try:
                return request()
            except FileNotFoundError:
                raise
            except Exception as error:
                if again == ATTEMPTS - 1:
                    raise StorageError(f"the storage of the trials failed: {type(error).__name__}: {error}") from error
                time.sleep(PAUSE_S * 2**again)
        raise AssertionError


def _names(root: Path) -> set[str]:
    """Of all files below ``root`` but the hidden ones: locks, and what is being written."""
    paths = [path.relative_to(root) for path in root.rglob("*") if path.is_file()]
    return {path.as_posix() for path in paths if not any(part.startswith(".") for part in path.parts)}


def _is_inside(name: str) -> bool:
    parts = PurePosixPath(name).parts
    return not name.startswith("/") and all(part != ".." and not part.startswith(".") for part in parts)


def _losses(events: bytes) -> list[bytes]:
    """The lines that a driver wrote: an attempt that was taken for lost, and goes on, never heard of them."""
    return [line for line in events.splitlines(keepends=True) if (of := parse_object(line)) and of.get("kind") == LOST]


def _bytes(path: Path) -> bytes:
    return path.read_bytes() if path.exists() else b""
