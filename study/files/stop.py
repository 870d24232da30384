"""Asking a running study, or one of its trials, to end, from another process: a request in its folder.

A study's is heeded by its driver, a trial's by the process that runs it, and by the next one if that dies before.
"""

from __future__ import annotations

import json
import time
from enum import StrEnum

from analysis.layout import StudyPaths, ending, write_json
from analysis.reading.download import StudyNotFoundError
from study.files.lock import is_running
from study.files.storage import Storage
from trainables.config import UserError

_POLL_S = 0.2


class Request(StrEnum):
    """How a study is to end."""

    DRAIN = "drain"
    """Begin no further trial; those that run end as they would."""
    NOW = "now"
    """As Ctrl-C: trials that run are gone on with later."""


class NotRunningError(UserError):
    """There is nothing to stop."""


def ask(paths: StudyPaths, request: Request) -> None:
    """Leave the request for the driver; ``NotRunningError`` if there is none, ``StudyNotFoundError``."""
    if not paths.study_file.exists():
        raise StudyNotFoundError.beside(paths)
    if not is_running(paths):
        raise NotRunningError(f"study {paths.name} is not running; go on with it: study resume {paths.name}")
    write_json(paths.stop, {"request": str(request)})


def ask_trial(paths: StudyPaths, number: int, storage: Storage | None = None) -> None:
    """Have trial ``number`` end as soon as it can; ``NotRunningError`` says what it is instead of running.

    ``storage``: where the process that runs it looks, if it shares no disk with this one.
    """
    trial = paths.trial(number)
    if (end := ending(trial)) is not None:
        raise NotRunningError(f"trial {paths.trial_id(number)} does not run any more: it is {end['status']}")
    if not is_running(paths):
        raise NotRunningError(
            f"trial {paths.trial_id(number)} does not run: it was interrupted, and nobody runs its study; "
            f"go on with both: study resume {paths.name}"
        )
    write_json(trial.stop_by_hand, {"time": time.time()})
    if storage is not None:
        storage.push(trial, [trial.stop_by_hand.name])


def wait_for_trial(paths: StudyPaths, number: int) -> str | None:
    """Return when the trial has ended, and how; ``None`` if its driver has gone before."""
    while (end := ending(paths.trial(number))) is None and is_running(paths):
        time.sleep(_POLL_S)
    return None if end is None else f"{end['status']}: {end['reason']}" if end["reason"] else str(end["status"])


def asked(paths: StudyPaths) -> Request | None:
    """What was asked of the study's driver."""
    try:
        return Request(json.loads(paths.stop.read_text())["request"])
    except FileNotFoundError:
        return None


def forget(paths: StudyPaths) -> None:
    """Drop a request that was made of an earlier driver."""
    paths.stop.unlink(missing_ok=True)


def wait_for_end(paths: StudyPaths) -> None:
    while is_running(paths):
        time.sleep(_POLL_S)
