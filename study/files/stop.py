"""Asking a running study to end, from another process: a request in its folder, which its driver heeds."""

from __future__ import annotations

import json
import time
from enum import StrEnum

from analysis.download import StudyNotFoundError
from analysis.layout import StudyPaths, write_json
from study.files.lock import is_running
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
