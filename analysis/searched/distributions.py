"""The ranges that a study's parameters were drawn from, as Optuna's distributions."""

from __future__ import annotations

import json
import math
import warnings
from collections.abc import Mapping, Sequence
from typing import Any, TypeGuard

import numpy as np
from numpy.typing import NDArray
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
    json_to_distribution,
)

from analysis import labels

_DECADE = 10.0


def distribution(stated: Mapping[str, Any], values: Sequence[Any]) -> BaseDistribution:
    """The range that ``stated``, Optuna's JSON, describes, widened to ``values``; inferred from these if it does not.

    Values are wider than the range where a study was extended to a narrower one.
    """
    found = _readable(stated)
    if isinstance(found, CategoricalDistribution) or not all(map(is_number, values)):
        choices = found.choices if isinstance(found, CategoricalDistribution) else ()
        return CategoricalDistribution(list(dict.fromkeys([*map(plain, choices), *map(plain, values)])))
    if isinstance(found, IntDistribution | FloatDistribution):
        return _widened(found, values)
    low, high = min(values), max(values)
    return _ranged(low, high, whole=_whole(values), log=low > 0 and high / low > _DECADE and _even_in_logs(values))


def plain(value: Any) -> Any:
    """A value as Optuna stores choices: numbers as they are, all else by its text."""
    return value if is_number(value) else str(labels.choice(value))


def _readable(stated: Mapping[str, Any]) -> BaseDistribution | None:
    try:
        with warnings.catch_warnings(action="ignore"):  # of a range that its steps do not fill
            return json_to_distribution(json.dumps(dict(stated)))
    except (AttributeError, KeyError, TypeError, ValueError):
        return None


def _widened(found: IntDistribution | FloatDistribution, values: Sequence[Any]) -> BaseDistribution:
    low, high = min(found.low, *values), max(found.high, *values)
    if (low, high) == (found.low, found.high):
        return found
    return _ranged(low, high, whole=isinstance(found, IntDistribution) and _whole(values), log=found.log and low > 0)


def _ranged(low: float, high: float, *, whole: bool, log: bool) -> BaseDistribution:
    return IntDistribution(int(low), int(high), log=log) if whole else FloatDistribution(low, high, log=log)


def _whole(values: Sequence[Any]) -> bool:
    return all(float(value).is_integer() for value in values)


def _even_in_logs(values: Sequence[Any]) -> bool:
    """Whether the middle one of positive ``values`` is nearer to the middle of their range in logarithms."""

    def off(places: NDArray[np.float64]) -> float:
        middle = (places.min() + places.max()) / 2
        return float(abs(np.median(places) - middle) / (places.max() - places.min()))

    places = np.asarray(values, dtype=float)
    return off(np.log(places)) < off(places)


def is_number(value: Any) -> TypeGuard[float]:
    """Whether it is a finite number, which true and false are not."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
