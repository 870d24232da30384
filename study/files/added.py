"""Configurations that somebody adds to a study by hand: requests in its folder, which its driver takes one by one.

A request appears whole. Each of its configurations has an id, by which the driver knows one that it has enqueued, and
leaves the request only after that: a driver that dies between the two adds nothing twice.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from analysis.layout import StudyPaths, write_json
from analysis.written import written
from trainables.config import UserError


@dataclass(frozen=True, kw_only=True)
class Added:
    """One configuration, as a value for each dimension, that its study's driver has not taken yet."""

    id: str
    values: Mapping[str, Any]
    request: Path


def leave(paths: StudyPaths, configurations: Sequence[Mapping[str, Any]]) -> None:
    """Add ``configurations`` to the study, all of them or none; requests come in the order of their time."""
    request = f"{time.time_ns():020d}-{uuid.uuid4().hex}"
    write_json(paths.added(request), {f"{request}/{place}": dict(each) for place, each in enumerate(configurations)})


def waiting(paths: StudyPaths) -> list[Added]:
    """In order; ``UserError`` where a request is damaged."""
    return [
        Added(id=id, values=values, request=request)
        for request in paths.each_added()
        for id, values in _configurations(request).items()
    ]


def take(added: Added) -> None:
    """Drop it from its request; with the last the request goes."""
    left = {id: values for id, values in _configurations(added.request).items() if id != added.id}
    if left:
        write_json(added.request, left)
    else:
        added.request.unlink()


def _configurations(request: Path) -> dict[str, Any]:
    """By id; none of a request whose last one the driver has just taken."""
    try:
        return written(request)
    except UserError as error:
        if isinstance(error.__cause__, FileNotFoundError):
            return {}
        raise
