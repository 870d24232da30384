"""What a study's bounds say of a configuration before it is trained: its pre-training work is known then."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

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
        try:
            return violation(self.bounds, {FORWARD_EQUIVALENTS: float(self.total(config))})
        except ConfigError:
            return ""

    def within(self, space: SearchSpace, seed: int) -> dict[str, Any]:
        """Parameters within the bounds, drawn uniformly: the first such of ``TRIES`` draws; equal seeds, equal ones.

        Raises ``ConfigError`` where there is none.
        """
        for index in range(TRIES):
            if not self.violation(config := space.sample(seed * TRIES + index)):
                return space.params(config)
        raise ConfigError(
            f"none of {TRIES} random draws of the space keeps {words(self.bounds)}; raise the bound, or narrow the "
            "ranges that cost most"
        )
