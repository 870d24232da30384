"""``study clean``: frees the disk of what no trial needs any more."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from analysis.layout import StudyPaths, TrialPaths, ending
from analysis.reading.download import StudyNotFoundError
from analysis.reading.written import config_of
from study.config.measurement import Measurement
from study.config.stored import load_stored
from study.search.networks import spare
from trainables.atomic import unfinished
from trainables.config import UserError
from trainables.leftovers import remove_unfinished, shed, size
from trainables.trial import evaluation_folder

ABANDONED_S = 60.0
"""A file of the study's own is written within a second; a temporary one left untouched for so long is nobody's."""


@dataclass(frozen=True, kw_only=True)
class Cleaned:
    """What one cleaning did; ``left`` says of each trial that was left as it is why."""

    bytes_freed: int
    left: tuple[str, ...]


def clean(paths: StudyPaths) -> Cleaned:
    """Reduce every trial that has ended to what export needs; remove what killed processes left half-written, and the
    networks that were brought for trials that have measured them and hold them.

    Nothing that a trial needs to run or to be resumed is touched, so the study may be running. Raises
    ``StudyNotFoundError``.
    """
    if not paths.manifest.exists():
        raise StudyNotFoundError.beside(paths)
    freed, left, measures = _abandoned(paths.root), [], _measures(paths)
    for trial in paths.each_trial():
        try:
            with FileLock(trial.root / ".lock", blocking=False):
                freed += _clean(trial)
                freed += spare(paths, measures, trial) if measures else 0
        except Timeout:
            left.append(f"trial {trial.number:04d} is being run")
        except (OSError, ValueError, UserError) as error:
            left.append(f"trial {trial.number:04d}: {error}")
    return Cleaned(bytes_freed=freed, left=tuple(left))


def _measures(paths: StudyPaths) -> Measurement | None:
    """Whose networks have been brought, if any have."""
    return load_stored(paths).measures if paths.networks.exists() else None


def _clean(trial: TrialPaths) -> int:
    """The trial is locked: nobody writes its checkpoint or its heads, but its driver may write beside them."""
    freed = _half_written(trial.checkpoint) + _abandoned(trial.root)
    freed += remove_unfinished(evaluation_folder(trial.checkpoint))
    if ending(trial) is not None and trial.checkpoint.exists():
        freed += shed(trial.checkpoint, config_of(trial))
    return freed


def _half_written(file: Path) -> int:
    return sum(_remove(path) for path in list(unfinished(file.parent)) if path.name.startswith(f".{file.name}."))


def _abandoned(folder: Path) -> int:
    freed = 0
    for path in list(unfinished(folder)):
        with suppress(FileNotFoundError):  # it has taken its place meanwhile
            if time.time() - path.stat().st_mtime > ABANDONED_S:
                freed += _remove(path)
    return freed


def _remove(path: Path) -> int:
    freed = size(path)
    path.unlink(missing_ok=True)
    return freed
