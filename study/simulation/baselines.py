"""Schedulers to compare in simulation, as one asks them: what has a trial reported, does it end there?"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Protocol

from study.early_stopping.asha import Ahead, Asha
from study.early_stopping.halving import Halving
from study.early_stopping.rungs import Point, Rule, Rungs, Scores


class Judge(Protocol):
    """Hears of one search's trials."""

    def __call__(self, number: int, total: float, points: Sequence[Point]) -> bool:
        """Whether the trial ends now; ``total`` is its work to come and done, ``points`` are its reports so far."""

    def finish(self, number: int, total: float, final: Scores) -> None:
        """The trial has run to its end and was measured."""

    def learn(self, number: int, total: float, points: Sequence[Point], final: Scores) -> None:
        """A trial of an earlier study had done so."""


class Nobody:
    """Every trial runs to its end."""

    def __call__(self, number: int, total: float, points: Sequence[Point]) -> bool:  # noqa: ARG002
        return False

    def finish(self, number: int, total: float, final: Scores) -> None: ...

    def learn(self, number: int, total: float, points: Sequence[Point], final: Scores) -> None: ...


class AtRungs:
    """What ``rungs`` decide."""

    def __init__(self, rungs: Rungs) -> None:
        self._rungs = rungs
        self.finish, self.learn = rungs.finish, rungs.learn

    def __call__(self, number: int, total: float, points: Sequence[Point]) -> bool:
        due = self._rungs.due(number, total, points)
        decisions = [self._rungs.judge(number, total, rung, point) for rung, point in due]
        return any(decision.stop for decision in decisions)


PUBLISHED_ETA = 4.0
"""Of the experiments in arXiv 1810.05934: three of four trials end at each rung."""
CLEAN, PGD = 0, 1
"""Places of the probes in a point's scores."""


def ahead_in(figure: int) -> Ahead:
    """By one figure alone."""
    return lambda scores: sum(other[figure] > scores[-1][figure] for other in scores)


def _published(rule: Rule, ahead: Ahead) -> Judge:
    """It ends the second at a rung already."""
    return AtRungs(Asha(replace(rule, minimum=1), ahead))


SCHEDULERS: Mapping[str, Callable[[Rule], Judge]] = MappingProxyType(
    {
        "none": lambda _: Nobody(),
        "asha_clean": lambda rule: _published(rule, ahead_in(CLEAN)),
        "asha_pgd": lambda rule: _published(rule, ahead_in(PGD)),
        "asha_clean_4": lambda rule: _published(replace(rule, eta=PUBLISHED_ETA), ahead_in(CLEAN)),
        "asha_pgd_4": lambda rule: _published(replace(rule, eta=PUBLISHED_ETA), ahead_in(PGD)),
        "asha": lambda rule: AtRungs(Asha(rule)),
        "halving": lambda rule: AtRungs(Halving(rule, (CLEAN, PGD))),
    }
)
"""By name, each made anew for a search; what a study may have, and ASHA on one figure as others have it."""
