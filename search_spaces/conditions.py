"""Dimensions that a configuration has only where others of its trainable have certain values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from search_spaces import ranges
from search_spaces.dimension import Distribution, Value
from search_spaces.faults import Fault, SpaceError, nearest
from search_spaces.leaves import searchable
from search_spaces.ranges import WHEN


@dataclass(frozen=True)
class Condition:
    """By the name of another dimension the values of which it must have one; all of them hold at once."""

    demands: tuple[tuple[str, tuple[Value, ...]], ...]

    def holds(self, values: Mapping[str, Value]) -> bool:
        """Whether ``values`` have what is demanded; a dimension that is not among them has nothing."""
        return all(name in values and values[name] in wanted for name, wanted in self.demands)

    @property
    def first(self) -> dict[str, Value]:
        """The first values at which it holds."""
        return {name: wanted[0] for name, wanted in self.demands}

    @property
    def words(self) -> str:
        """``where network.architecture is vit_tiny or vit_small``."""
        each = (f"{name} is {' or '.join(map(searchable(name).words, wanted))}" for name, wanted in self.demands)
        return f"where {' and '.join(each)}"

    def to_json(self) -> dict[str, list[Value]]:
        return {name: list(wanted) for name, wanted in self.demands}


def parted(choice: Any) -> tuple[Any, dict[str, Any]]:
    """What a study says of a dimension without its condition, and that under its key, empty where it has none."""
    if not isinstance(choice, Mapping) or WHEN not in choice:
        return choice, {}
    return {key: value for key, value in choice.items() if key != WHEN}, {WHEN: choice[WHEN]}


def condition(
    name: str, stated: Any, searched: Mapping[str, Distribution], conditional: Mapping[str, Any]
) -> Condition:
    """The condition that is ``stated`` of dimension ``name``, beside what else its trainable searches.

    ``conditional``: which of those have one themselves. Raises ``SpaceError`` with every fault, paths beginning below
    the dimension.
    """
    if not isinstance(stated, Mapping) or not stated:
        found = ranges.written(stated)
        what = f"{name}.{WHEN} is {found}; it must be a mapping, {{network.architecture: resnet18}} say"
        raise SpaceError([Fault((WHEN,), what)])
    firm = {other: found for other, found in searched.items() if other != name and other not in conditional}
    demands = {str(other): _list(wanted) for other, wanted in stated.items()}
    faults = [fault for other, wanted in demands.items() for fault in _faults(name, other, wanted, firm)]
    if faults:
        raise SpaceError(faults)
    return Condition(tuple((other, tuple(_at(firm[other], wanted))) for other, wanted in demands.items()))


def _list(wanted: Any) -> list[Any]:
    return list(wanted) if isinstance(wanted, list | tuple) else [wanted]


def _faults(name: str, other: str, wanted: list[Any], firm: Mapping[str, Distribution]) -> list[Fault]:
    path = (WHEN, other)
    if other not in firm:
        counted = [known for known, found in firm.items() if _is_counted(known, found)]
        remedy = nearest(other, counted) if counted else "drop it"
        return [Fault(path, f"{name} depends on {other}, which does not vary by itself there; {remedy}")]
    if not _is_counted(other, firm[other]):
        return [Fault(path, f"{name} depends on {other}, of which single values are never drawn; drop it")]
    if not wanted:
        return [Fault(path, f"{name} depends on no value of {other}; give at least one")]
    outside = [_outside(name, other, value, firm[other]) for value in wanted if not _lies(firm[other], value)]
    return outside or _twice(name, other, _at(firm[other], wanted))


def _twice(name: str, other: str, wanted: list[Value]) -> list[Fault]:
    if len(set(wanted)) == len(wanted):
        return []
    listed = ", ".join(map(searchable(other).words, wanted))
    return [Fault((WHEN, other), f"{name} depends on a value of {other} that is listed twice: {listed}; keep one")]


def _is_counted(name: str, distribution: Distribution) -> bool:
    """Of words, whole numbers, true and false, which are equal or not."""
    return searchable(name).kind is not float and ranges.count(distribution) is not None


def _lies(distribution: Distribution, value: Any) -> bool:
    try:
        ranges.snap(distribution, value)
    except (ValueError, TypeError):
        return False
    return True


def _outside(name: str, other: str, value: Any, distribution: Distribution) -> Fault:
    dimension = searchable(other)
    told = f"{other} is {dimension.exactly(value)}, outside {ranges.words(dimension, distribution)}"
    return Fault((WHEN, other), f"{name} has a condition that is never met: {told}")


def _at(distribution: Distribution, wanted: list[Any]) -> list[Value]:
    return [ranges.snap(distribution, value) for value in wanted]
