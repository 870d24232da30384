"""Values of a space that no trial can run with, alone or two of them together."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping

from search_spaces import ranges
from search_spaces.catalogue import DIMENSIONS
from search_spaces.dimension import Value
from search_spaces.faults import Fault
from search_spaces.leaves import searchable
from search_spaces.space import Part
from trainables.catalogue import check
from trainables.config import ConfigError, TrialConfig

_ARCHITECTURE = "network.architecture"


def end_faults(part: Part) -> dict[str, Fault]:
    """By dimension: ends of ranges, choices and fixed values that are refused; where none is, pairs of them.

    Refused is what is so both alone and while the others are fixed or at their lowest. Dimensions with a name bear
    each other, so pairs are of a leaf and another dimension.
    """
    trial = _Refusals(part)
    faults: dict[str, Fault] = {}
    for name, value in _values(part):
        if reason := trial.of({name: value}):
            faults.setdefault(name, Fault((), f"{name} cannot be {_words(name, value)}: {reason}"))
    return faults or _pair_faults(part, trial)


def differently_built(part: Part) -> list[TrialConfig]:
    """Configurations of ``part``, one a network and coreset: each leaf at each of its ends with every architecture, on
    which it depends what a network can be; all else at its lowest."""
    leaves = [(name, value) for name, value in _values(part) if name not in DIMENSIONS and name in part.lowest]
    starts = [{**part.lowest, name: value} for name, value in leaves if name == _ARCHITECTURE] or [part.lowest]
    changes = [{}, *({name: value} for name, value in leaves if name != _ARCHITECTURE)]
    configs = [part.config({**start, **change}) for start in starts for change in changes]
    return list({(config.network, config.coreset): config for config in configs}.values())


def _pair_faults(part: Part, trial: _Refusals) -> dict[str, Fault]:
    faults: dict[str, Fault] = {}
    ends = [(name, end) for name, distribution in part.searched for end in ranges.ends(distribution)] + [*part.fixed]
    ends.sort(key=lambda one: one[0] not in DIMENSIONS)  # the fault is the leaf's
    for (other, beside), (name, value) in itertools.combinations(ends, 2):
        if name == other or name in DIMENSIONS or name in faults:
            continue
        if reason := trial.of({other: beside, name: value}):
            where = f"where {other} is {_words(other, beside)}"
            faults[name] = Fault((), f"{name} cannot be {_words(name, value)} {where}: {reason}{_remedy(other)}")
    return faults


def _remedy(other: str) -> str:
    """Beside what the reason says."""
    return "" if searchable(other).kind is float else f"; or say where it is searched, when: {{{other}: ...}}"


def _values(part: Part) -> Iterator[tuple[str, Value]]:
    """The ends of all ranges, and of whole numbers between them those of a leaf where they are few."""
    for name, distribution in part.searched:
        found = ranges.members(distribution) if name not in DIMENSIONS else ranges.ends(distribution)
        yield from ((name, value) for value in found)
    yield from part.fixed


class _Refusals:
    """Why no trial of a part can run with some values."""

    def __init__(self, part: Part) -> None:
        self._base = Part(part.base, (), (), part.conditions)
        self._lowest = {**dict(part.fixed), **part.lowest}

    def of(self, values: Mapping[str, Value]) -> str | None:
        """Where one of ``values`` depends on others that are not among them, those are as they must be."""
        for name, condition in self._base.conditions:
            if name in values:
                values = condition.first | dict(values)
        alone = self._refusal(values)
        return alone if alone and self._refusal({**self._lowest, **values}) else None

    def _refusal(self, values: Mapping[str, Value]) -> str | None:
        try:
            check(self._base.config(values))
        except ConfigError as error:
            return str(error)
        return None


def _words(name: str, value: Value) -> str:
    return searchable(name).words(value)
