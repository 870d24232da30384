"""The bounds that a study sets on what its trials may use, and by how much a trial misses them."""

from __future__ import annotations

import math
from collections.abc import Mapping

from analysis import labels
from analysis.schema import TrialFault
from trainables.metrics import BOUNDED, PEAK_MEMORY_GIB, TRUSTED

Bounds = Mapping[str, float | bool]
"""Metric -> the most that it may be; ``trusted: true``: every sanity check must have held."""


def excess(bounds: Bounds, metrics: Mapping[str, float], fault: str | None = None) -> dict[str, float]:
    """By how much each bound is exceeded, as a share of it: at most 0 where it is kept.

    What a trial did not measure counts as just within its bound, an untrusted figure as 1 beyond it. A trial that ran
    out of memory counts as if it had needed twice what it may, whether or not the study bounds its memory.
    """
    missed = {name: _excess(name, bound, metrics.get(name, math.nan)) for name, bound in bounds.items()}
    if fault == TrialFault.OUT_OF_MEMORY:
        missed[PEAK_MEMORY_GIB] = max(1.0, missed.get(PEAK_MEMORY_GIB, 1.0))
    return missed


def violation(bounds: Bounds, metrics: Mapping[str, float]) -> str:
    """``peak_memory_gib is 25.1, above 24``: every bound that is exceeded; "" if all are kept."""
    missed = [name for name, by in excess(bounds, metrics).items() if by > 0]
    return "; ".join(
        "its figures are not trusted"
        if name == TRUSTED
        else f"{name} is {labels.cost(metrics[name])}, above {labels.cost(float(bounds[name]))}"
        for name in missed
    )


def words(bounds: Bounds) -> str:
    """``peak_memory_gib at most 24, figures trusted``."""
    return ", ".join(
        "figures trusted" if name == TRUSTED else f"{name} at most {labels.cost(float(bound))}"
        for name, bound in bounds.items()
    )


def readable(bounds: object) -> dict[str, float | bool]:
    """The bounds that a manifest states, whatever else stands there."""
    stated = bounds.items() if isinstance(bounds, Mapping) else ()
    return {
        name: value
        for name, value in stated
        if name == TRUSTED or (name in BOUNDED and isinstance(value, int | float) and value > 0)
    }


def _excess(name: str, bound: float | bool, value: float) -> float:
    if not math.isfinite(value):
        return 0.0
    return 1.0 - value if name == TRUSTED else value / bound - 1.0
