"""The bounds that a study sets on what its trials use and reach, and by how much a trial misses them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from analysis import labels
from analysis.schema import TrialFault
from trainables.metrics import BOUNDED, PEAK_MEMORY_GIB, TRUSTED, is_share

AT_LEAST = "at_least"
Bound = float | bool | Mapping[str, float]
Bounds = Mapping[str, Bound]
"""Metric -> the most that a trial may use of it, or ``{at_least: 0.7}``, what it must reach; ``trusted: true``: every
sanity check must have held."""


def excess(bounds: Bounds, metrics: Mapping[str, float], fault: str | None = None) -> dict[str, float]:
    """By how much each bound is missed, as a share of it: at most 0 where it is kept.

    What a trial did not measure keeps a bound on its use just so, and misses by all of it one that it was to reach: a
    trial that ended early has shown nothing, and is no example of how a bound is kept. An untrusted figure counts as 1
    beyond. A trial that ran out of memory counts as if it had needed twice what it may, whether or not the study bounds
    its memory.
    """
    missed = {name: _excess(name, bound, metrics.get(name, math.nan)) for name, bound in bounds.items()}
    if fault == TrialFault.OUT_OF_MEMORY:
        missed[PEAK_MEMORY_GIB] = max(1.0, missed.get(PEAK_MEMORY_GIB, 1.0))
    return missed


def violation(bounds: Bounds, metrics: Mapping[str, float]) -> str:
    """``peak_memory_gib is 25.1, above 24; clean_accuracy is 61.5 %, below 70 %``: every bound that is missed; "" if
    all are kept."""
    missed = [name for name, by in excess(bounds, metrics).items() if by > 0]
    return "; ".join(_missed(name, bounds[name], metrics.get(name, math.nan)) for name in missed)


def words(bounds: Bounds) -> str:
    """``peak_memory_gib at most 24, clean_accuracy at least 70 %, figures trusted``."""
    return ", ".join(
        "figures trusted" if name == TRUSTED else f"{name} {bound_words(name, bound)}" for name, bound in bounds.items()
    )


def bound_words(name: str, bound: Bound) -> str:
    """``at least 70 %``."""
    return f"at {'least' if isinstance(bound, Mapping) else 'most'} {_writer(name)(limit(bound))}"


def limit(bound: Bound) -> float:
    """Where it lies, whichever side of it is forbidden."""
    return float(bound[AT_LEAST] if isinstance(bound, Mapping) else bound)


def least(bounds: Bounds, name: str) -> float:
    """What the metric ``name`` must reach; minus infinity where nothing is asked of it."""
    bound = bounds.get(name)
    return limit(bound) if isinstance(bound, Mapping) else -math.inf


def readable(bounds: object) -> dict[str, Bound]:
    """The bounds that a manifest states, whatever else stands there."""
    stated = bounds.items() if isinstance(bounds, Mapping) else ()
    return {name: value for name, value in stated if _is_readable(name, value)}


def _is_readable(name: str, value: object) -> bool:
    if isinstance(value, Mapping):
        return is_share(name) and value.keys() == {AT_LEAST} and _is_above_0(value[AT_LEAST])
    return name == TRUSTED or (name in BOUNDED and _is_above_0(value))


def _is_above_0(value: object) -> bool:
    return isinstance(value, int | float) and value > 0


def _excess(name: str, bound: Bound, value: float) -> float:
    if isinstance(bound, Mapping):
        return 1.0 - value / limit(bound) if math.isfinite(value) else 1.0
    if not math.isfinite(value):
        return 0.0
    return 1.0 - value if name == TRUSTED else value / bound - 1.0


def _missed(name: str, bound: Bound, value: float) -> str:
    if name == TRUSTED:
        return "its figures are not trusted"
    if not math.isfinite(value):
        return f"{name} was not measured, and is to be {bound_words(name, bound)}"
    side = "below" if isinstance(bound, Mapping) else "above"
    found, asked = _apart(_writer(name), value, limit(bound))
    return f"{name} is {found}, {side} {asked}"


def _writer(name: str) -> Callable[..., str]:
    return labels.share if is_share(name) else labels.cost


def _apart(write: Callable[..., str], value: float, other: float) -> tuple[str, str]:
    """Both with as many digits as it takes to tell them apart: 24.04 is not "24, above 24"."""
    written = [(write(value, digits), write(other, digits)) for digits in range(3, 18)]
    return next((pair for pair in written if pair[0] != pair[1]), written[0])
