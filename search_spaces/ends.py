"""Values of a space that no trial can run with, alone or two of them together."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterator, Mapping

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
    """By dimension: ends of ranges, choices and fixed values that are refused; of the other dimensions, pairs of them.

    Refused is what is so both alone and while the others are fixed or at their lowest. Dimensions with a name bear
    each other, so pairs are of a leaf and another dimension.
    """
    trial = _Refusals(part)
    faults: dict[str, Fault] = {}
    for name, value in _values(part):
        if reason := trial.of({name: value}):
            faults.setdefault(name, Fault((), f"{name} cannot be {_words(name, value)}: {reason}"))
    return faults | _pair_faults(part, trial, alone=faults)


def differently_built(part: Part) -> list[TrialConfig]:
    """Configurations of ``part``, one a network and coreset: each leaf at each of its ends with every architecture, on
    which it depends what a network can be; all else at its lowest."""
    leaves = [(name, value) for name, value in _values(part) if name not in DIMENSIONS and name in part.lowest]
    starts = [{**part.lowest, name: value} for name, value in leaves if name == _ARCHITECTURE] or [part.lowest]
    changes = [{}, *({name: value} for name, value in leaves if name != _ARCHITECTURE)]
    configs = [part.config({**start, **change}) for start in starts for change in changes]
    return list({(config.network, config.coreset): config for config in configs}.values())


def _pair_faults(part: Part, trial: _Refusals, alone: Collection[str]) -> dict[str, Fault]:
    """Of dimensions that are not refused ``alone``."""
    faults: dict[str, Fault] = {}
    ends = [(name, end) for name, distribution in part.searched for end in ranges.ends(distribution)] + [*part.fixed]
    ends = [one for one in ends if one[0] not in alone]
    ends.sort(key=lambda one: one[0] not in DIMENSIONS)  # the fault is the leaf's
    for (other, beside), (name, value) in itertools.combinations(ends, 2):
        if name == other or name in DIMENSIONS or name in faults:
            continue
        reason = trial.of({other: beside, name: value})
        if reason and reason not in (trial.alone({other: beside}), trial.alone({name: value})):
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
        self._lowest = self._together({**dict(part.fixed), **part.lowest})

    def of(self, values: Mapping[str, Value]) -> str | None:
        """Where one of ``values`` depends on others that are not among them, those are as they must be; if they are
        refused themselves, it is not for this one."""
        for name, condition in self._base.conditions:
            if name not in values:
                continue
            if not condition.first.keys() <= values.keys() and self.of(condition.first):
                return None
            values = condition.first | dict(values)
        reason = self.alone(values)
        return reason if reason and self.alone({**self._lowest, **values}) else None

    def _together(self, lowest: Mapping[str, Value]) -> dict[str, Value]:
        """All of the ``lowest`` values, or as many as a trial can run with: a wrong one says nothing of the others."""
        if self.alone(lowest) is None:
            return dict(lowest)
        able: dict[str, Value] = {}
        for name, value in [*lowest.items()] * 2:  # what a value needs of another may come after it
            if self.alone({**able, name: value}) is None:
                able[name] = value
        return able

    def alone(self, values: Mapping[str, Value]) -> str | None:
        """While the others are as the base has them."""
        try:
            check(self._base.config(values))
        except ConfigError as error:
            return str(error)
        return None


def _words(name: str, value: Value) -> str:
    return searchable(name).words(value)
