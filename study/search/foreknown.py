"""What a study's bounds say of a configuration before it is trained: its pre-training work is known then."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Self

from analysis import labels
from analysis.constraints import Bound, Bounds, violation, words
from search_spaces.space import SearchSpace
from search_spaces.work import Total
from trainables.config import ConfigError, TrialConfig
from trainables.metrics import FORWARD_EQUIVALENTS

TRIES = 1000
"""So many random draws without one within the bounds: there is none worth looking for."""


def known_before(bounds: Bounds) -> dict[str, Bound]:
    """Those of ``bounds`` that a configuration is known to keep or not before it is trained."""
    return {name: bound for name, bound in bounds.items() if name == FORWARD_EQUIVALENTS}


@dataclass(frozen=True)
class Foreknown:
    """Bounds that need no training to be judged, at least one."""

    bounds: Bounds
    total: Total

    @classmethod
    def of(cls, bounds: Bounds, total: Total) -> Self | None:
        """Of a study's ``bounds``; ``None`` where all of them need training."""
        known = known_before(bounds)
        return cls(known, total) if known else None

    def violation(self, config: TrialConfig) -> str:
        """``forward_equivalents is 346 k, above 100 k``; "" where the bounds are kept, or ``config`` cannot run at all:
        that has an error of its own."""
        return violation(self.bounds, {FORWARD_EQUIVALENTS: self._work(config)})

    def cheapest(self, configs: Iterable[TrialConfig]) -> str:
        """``the cheapest takes 923 k``; "" where none of ``configs`` can run."""
        least = min((work for work in map(self._work, configs) if math.isfinite(work)), default=math.nan)
        return f"the cheapest takes {labels.cost(least)}" if math.isfinite(least) else ""

    def within(self, space: SearchSpace, seed: int) -> dict[str, Any]:
        """Parameters within the bounds, drawn uniformly: the first such of ``TRIES`` draws; equal seeds, equal ones.

        Raises ``ConfigError`` where there is none.
        """
        drawn = []
        for index in range(TRIES):
            drawn.append(space.sample(seed * TRIES + index))
            if not self.violation(drawn[-1]):
                return space.params(drawn[-1])
        raise ConfigError(
            f"none of {TRIES} random draws of the space keeps {words(self.bounds)}, {self.cheapest(drawn)}; raise the "
            "bound, or narrow the ranges that cost most"
        )

    def _work(self, config: TrialConfig) -> float:
        """NaN of what cannot run."""
        try:
            return float(self.total(config))
        except ConfigError:
            return math.nan
