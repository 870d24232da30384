"""Where a configuration that another search drew lies in this space, if it does."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from search_spaces.faults import Fault, SpaceError
from search_spaces.leaves import dimensions
from search_spaces.space import SearchSpace
from trainables.checkpoint import FREE_TO_CHANGE
from trainables.config import TrialConfig, flatten

_UNCOMPARED = frozenset({"seed", *FREE_TO_CHANGE})
_CLOSE = 1e-9
"""Values nearer than this are equal: they come back from products of floats."""


def place(space: SearchSpace, config: TrialConfig) -> dict[str, Any]:
    """The parameters at which ``config`` lies in ``space``: there a trial would compute the same, but for its seed.

    Raises ``SpaceError`` with every dimension out of range and every setting that this space holds at another value;
    ``ConfigError`` where the space has no valid configuration there.
    """
    params = space.params(config)
    if faults := list(_differences(config, space.config(params))):
        raise SpaceError(faults)
    return params


def _differences(theirs: TrialConfig, ours: TrialConfig) -> Iterator[Fault]:
    compared = dimensions(ours)
    for dimension in compared:
        there, here = dimension.value(theirs), dimension.value(ours)
        if not _equal(there, here):
            message = f"{dimension.name} is {dimension.words(there)}, held at {dimension.words(here)}"
            yield Fault((dimension.name,), message)
    free = _UNCOMPARED | {dimension.path for dimension in compared}
    there_all, here_all = flatten(theirs), flatten(ours)
    for path in sorted(there_all.keys() - free):
        if not _equal(there_all[path], here_all.get(path)):
            yield Fault((path,), f"{path} is {there_all[path]!r}, held at {here_all.get(path)!r}")


def _equal(one: Any, other: Any) -> bool:
    if isinstance(one, int | float) and isinstance(other, int | float):
        return math.isclose(one, other, rel_tol=_CLOSE, abs_tol=_CLOSE)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_equal, one, other))
    return bool(one == other)
