"""Parts of what a dimension was searched in, and the share of even draws that falls into each."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pandas as pd
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from analysis import labels
from analysis.searched.distributions import is_number

_FEW = 6
"""Values up to which each is a part of its own."""
_MANY = 100_000
"""Steps from which a range is as good as one without."""
_SLACK = 1e-9
Range = IntDistribution | FloatDistribution


@dataclass(frozen=True)
class Part:
    """Some of the values that a dimension may have."""

    words: str
    """``22 to 24``, ``7``."""
    share: float
    """Of draws that are even over the dimension, or over its logarithm where that is searched."""
    holds: Callable[[Any], bool]
    """Whether a value lies in it."""

    def of(self, values: pd.Series[Any]) -> pd.Series[bool]:
        """(n,) whether each of ``values`` lies in it; a missing one does not."""
        return values.map(lambda value: bool(not pd.isna(value) and self.holds(value))).astype(bool)


def ends(name: str, distribution: BaseDistribution, share: float) -> tuple[Part, Part] | None:
    """The lower and the upper end of a range of numbers: at most ``share`` of its draws, but at least one value.

    ``None`` of words, and where there is but one value.
    """
    if isinstance(distribution, CategoricalDistribution):
        numbers = [float(choice) for choice in distribution.choices if is_number(choice)]
        if len(numbers) < max(2, len(distribution.choices)):
            return None
        return _value(name, min(numbers), 1 / len(numbers)), _value(name, max(numbers), 1 / len(numbers))
    if not isinstance(distribution, Range) or distribution.single():
        return None
    return _lowest(name, distribution, share), _highest(name, distribution, share)


def parts(name: str, distribution: BaseDistribution) -> tuple[Part, ...]:
    """Each choice, each value where these are few, else the lowest and the highest third."""
    if isinstance(distribution, CategoricalDistribution):
        return tuple(_value(name, choice, 1 / len(distribution.choices)) for choice in distribution.choices)
    if not isinstance(distribution, Range) or distribution.single():
        return ()
    values = _values(distribution)
    if values is not None and len(values) <= _FEW:
        return tuple(_between(name, distribution, value, value) for value in values)
    return _lowest(name, distribution, 1 / 3), _highest(name, distribution, 1 / 3)


def _value(name: str, choice: Any, share: float) -> Part:
    return Part(labels.param(name, labels.choice(choice)), share, lambda value: bool(value == choice))


def _lowest(name: str, distribution: Range, share: float) -> Part:
    values = _values(distribution)
    if values is None:
        return _between(name, distribution, distribution.low, _at(distribution, share))
    within = [value for value in values if _below(distribution, value) <= share + _SLACK]
    return _between(name, distribution, distribution.low, max(within, default=distribution.low))


def _highest(name: str, distribution: Range, share: float) -> Part:
    values = _values(distribution)
    if values is None:
        return _between(name, distribution, _at(distribution, 1 - share), distribution.high)
    within = [value for value in values if 1 - _below(distribution, value, before=True) <= share + _SLACK]
    return _between(name, distribution, min(within, default=distribution.high), distribution.high)


def _between(name: str, distribution: Range, low: float, high: float) -> Part:
    words = labels.param(name, low) if low == high else f"{labels.param(name, low)} to {labels.param(name, high)}"
    share = _below(distribution, high) - _below(distribution, low, before=True)
    slack = _SLACK * max(abs(low), abs(high))
    return Part(words, share, lambda value: low - slack <= value <= high + slack)


def _values(distribution: Range) -> list[float] | None:
    """All values of a range that has steps, and not too many."""
    step = distribution.step
    if step is None or (distribution.high - distribution.low) / step > _MANY:
        return None
    count = round((distribution.high - distribution.low) / step) + 1
    return [distribution.low + place * step for place in range(count)]


def _below(distribution: Range, value: float, *, before: bool = False) -> float:
    """The share of draws up to ``value``; ``before``: and without it. A step reaches half way to its neighbours."""
    half = 0.0 if distribution.step is None else distribution.step / 2
    low, high = _scaled(distribution, distribution.low - half), _scaled(distribution, distribution.high + half)
    return (_scaled(distribution, value - half if before else value + half) - low) / (high - low)


def _at(distribution: Range, share: float) -> float:
    """The value below which ``share`` of the draws of a range without steps lie."""
    low, high = _scaled(distribution, distribution.low), _scaled(distribution, distribution.high)
    place = low + share * (high - low)
    return math.exp(place) if distribution.log else place


def _scaled(distribution: Range, value: float) -> float:
    return math.log(value) if distribution.log else float(value)
