"""Schedulers to compare halving with, as a simulation asks them: what has a trial reported, does it end there?"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Protocol

from study.early_stopping.halving import Bracket, Halving, Point, Rule, Scores


class Judge(Protocol):
    """Hears of one search's trials."""

    def __call__(self, number: int, total: float, points: Sequence[Point]) -> bool:
        """Whether the trial ends now; ``total`` is its work to come and done, ``points`` are its reports so far."""

    def finish(self, number: int, total: float, final: Scores) -> None:
        """The trial has run to its end and was measured."""


class Nobody:
    """Every trial runs to its end."""

    def __call__(self, number: int, total: float, points: Sequence[Point]) -> bool:  # noqa: ARG002
        return False

    def finish(self, number: int, total: float, final: Scores) -> None: ...


PUBLISHED_ETA = 4.0
"""Of the experiments in arXiv 1810.05934: three of four trials end at each rung."""
CLEAN, PGD = 0, 1
"""Places of the probes in a point's scores."""


class Asha(Nobody):
    """Asynchronous successive halving on one figure (Li et al. 2020, arXiv 1810.05934, algorithm 2), ending trials.

    At a rung a trial goes on if it is among the best floor(n / eta) of the n that have reached it, or the best at
    all. Brackets are those of ``rule``, and so are rungs unless ``eta`` says otherwise.
    """

    def __init__(self, rule: Rule, figure: int, eta: float | None = None) -> None:
        self._rule, self._figure = replace(rule, eta=eta or rule.eta), figure
        self._rungs: dict[tuple[float, float], dict[int, float]] = defaultdict(dict)

    def __call__(self, number: int, total: float, points: Sequence[Point]) -> bool:
        bracket = Bracket.of(total, self._rule)
        ends = [self._ends(number, bracket, rung, points) for rung in bracket.rungs]
        return any(ends) and points[-1].work < total

    def _ends(self, number: int, bracket: Bracket, rung: float, points: Sequence[Point]) -> bool:
        found, point = self._rungs[bracket.lower, rung], bracket.rung(points, rung, self._rule.eta)
        if point is None or number in found:
            return False
        found[number] = point.scores[self._figure]
        better = sum(score > found[number] for score in found.values())
        return better >= max(1, int(len(found) / self._rule.eta))


class MultiObjective(Halving):
    """``halving`` over both probes."""

    def __init__(self, rule: Rule) -> None:
        super().__init__(rule, (CLEAN, PGD))

    def __call__(self, number: int, total: float, points: Sequence[Point]) -> bool:
        decisions = [self.judge(number, total, rung, point) for rung, point in self.due(number, total, points)]
        return any(decision.stop for decision in decisions)


SCHEDULERS: Mapping[str, Callable[[Rule], Judge]] = MappingProxyType(
    {
        "none": lambda _: Nobody(),
        "asha_clean": lambda rule: Asha(rule, CLEAN),
        "asha_pgd": lambda rule: Asha(rule, PGD),
        "asha_clean_4": lambda rule: Asha(rule, CLEAN, PUBLISHED_ETA),
        "asha_pgd_4": lambda rule: Asha(rule, PGD, PUBLISHED_ETA),
        "halving": MultiObjective,
    }
)
"""By name, each made anew for a search."""
