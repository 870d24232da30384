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
from analysis.reading.written import written
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
    """In order; a damaged request holds none."""
    return [
        Added(id=id, values=values, request=request)
        for request in paths.each_added()
        for id, values in _configurations(request).items()
    ]


def damaged(paths: StudyPaths) -> list[Path]:
    """Requests that say nothing, which a study does not end for."""
    return [request for request in paths.each_added() if not _configurations(request) and request.exists()]


def take(added: Added) -> None:
    """Drop it from its request; with the last the request goes."""
    left = {id: values for id, values in _configurations(added.request).items() if id != added.id}
    if left:
        write_json(added.request, left)
    else:
        added.request.unlink()


def _configurations(request: Path) -> dict[str, Any]:
    """By id; none of a request whose last one the driver has just taken, or that is damaged."""
    try:
        found = written(request)
    except UserError:
        return {}
    return found if all(isinstance(values, dict) for values in found.values()) else {}
