"""A space that is a list: given configurations, each to be run under every one of some seeds, or under its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from optuna.distributions import IntDistribution

from search_spaces import ranges
from search_spaces.dimension import Distribution
from search_spaces.faults import Fault, SpaceError
from search_spaces.space import Row, SearchSpace, Suggests
from trainables.config import TrialConfig, override

CONFIGURATION = "configuration"
"""The parameter that says which configuration runs, by its number."""
SEED = "seed"
LARGEST = 2**31 - 1
"""The range of what a list may grow by does not depend on what is listed: a search that has begun can be added to."""


@dataclass(frozen=True)
class ListedSpace(SearchSpace):
    """``parts`` are whole configurations; ``numbers`` are their names, in the same order."""

    numbers: tuple[int, ...]
    seeds: tuple[int, ...] = ()
    """In the place of their own, one after the other; empty: each configuration runs once, with its own."""

    @property
    def trainables(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(part.trainable for part in self.parts))

    @property
    def distributions(self) -> dict[str, Distribution]:
        if not self.seeds:
            return {CONFIGURATION: IntDistribution(0, LARGEST)}
        return {
            CONFIGURATION: IntDistribution(min(self.numbers), max(self.numbers)),
            SEED: IntDistribution(0, LARGEST),
        }

    @property
    def points(self) -> tuple[dict[str, Any], ...]:
        """Every configuration under the first seed, then under the next: what an interruption leaves is balanced."""
        if not self.seeds:
            return tuple({CONFIGURATION: number} for number in self.numbers)
        return tuple({CONFIGURATION: number, SEED: seed} for seed in self.seeds for number in self.numbers)

    def suggest(self, trial: Suggests) -> TrialConfig:
        """The configuration that ``trial`` was queued with; ``SpaceError`` for one that was not listed."""
        found = {
            name: trial.suggest_int(name, distribution.low, distribution.high)
            for name, distribution in self.distributions.items()
            if isinstance(distribution, IntDistribution)
        }
        return self.config(found)

    def sample(self, seed: int) -> TrialConfig:
        """The listed configurations in turn; equal seeds give equal ones."""
        return self.config(self.points[seed % len(self.points)])

    def config(self, params: Mapping[str, Any]) -> TrialConfig:
        if dict(params) not in self.points:
            raise SpaceError([Fault((CONFIGURATION,), f"{dict(params)} is not among the listed configurations")])
        base = self.parts[self.numbers.index(params[CONFIGURATION])].base
        return override(base, {SEED: params[SEED]}) if self.seeds else base

    def check(self, params: Mapping[str, Any]) -> None:
        self.config(params)

    def params(self, config: TrialConfig) -> dict[str, Any]:
        for point in self.points:
            if self.config(point) == config:
                return point
        raise SpaceError([Fault((CONFIGURATION,), f"this {config.trainable} is not among the listed configurations")])

    def to_json(self) -> dict[str, Any]:
        """Without the seeds, to which more may be added."""
        return {
            "parameters": {name: ranges.to_json(found) for name, found in self.distributions.items()},
            "configurations": {
                str(number): part.trainable for number, part in zip(self.numbers, self.parts, strict=True)
            },
        }

    def describe(self) -> list[Row]:
        numbers, seeds = (", ".join(map(str, values)) for values in (self.numbers, self.seeds))
        told = [Row(CONFIGURATION, self.trainables, CONFIGURATION, numbers, "a trial of the study that they are from")]
        if self.seeds:
            told.append(Row(SEED, self.trainables, SEED, seeds, "of weights, batches, views and attacks"))
        return told
