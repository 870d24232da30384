"""Asynchronous successive halving over several accuracies: which trials to end early. No files, no clock, no Ray.

Work is counted in pre-training forward-equivalents, so that a decision does not depend on the machine.

*Brackets.* The learning rate of every trial falls along a cosine over its own schedule, and an accuracy half-way up
a long one says little beside the end of a short one: trials are compared only if their schedules are of like length.
Length is the schedule's total work, not its epochs. A comparison is made at equal work, and at equal work two trials
have come as far along their cosines as their totals are alike: within a factor of two of each other at most, whatever
an epoch of theirs holds. Epochs would not bound that (ten epochs of 64 crops and ten of 4 lie a factor of 16 apart at
equal work), and to ask for both would only divide the trials further.

*Rungs* lie at the lower edge of a bracket divided by powers of ``eta``, so that every member reaches all of them. A
trial is measured at a rung by its first report at or above it, unless that lies at the next rung or beyond: then its
epochs are too long for the comparison, it leaves no record there and is not judged.

*Rank* is by fronts, then by crowding within a front, over the accuracies alone. With cost among them nearly every
trial would be non-dominated; and within a bracket trials cost about the same.

*Noise.* A trial counts as beaten only beyond a margin of standard errors, in every accuracy, and the margin is wider
the earlier the rung: what is measured early is not only noisy but foretells less, since some start slowly and win.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from study.early_stopping.ranking import beaten, fronts, ranking


@dataclass(frozen=True, kw_only=True)
class Rule:
    """How trials are compared and how many go on.

    The defaults were chosen on ``families.TUNING``, to gain hypervolume while ending at most 5 % of the frontier;
    ``errors`` was then raised from 1.75, since 20 % of a frontier of slow starters were still ended. ``DRAWN`` were
    drawn after that choice. More errors spare more and save less.
    """

    eta: float = 2.0
    """A rung lets the best 1/eta go on; neighbouring rungs lie this factor apart."""
    rungs: int = 3
    """Rungs in a bracket at most."""
    spread: float = 2.0
    """Most that the totals within a bracket may differ, as a factor."""
    minimum: int = 4
    """Records at a rung before it ends anybody."""
    errors: float = 2.5
    """Standard errors by which one must be worse to count as beaten at a bracket's last rung; at the rung before it
    twice as many, at the one before that three times."""


@dataclass(frozen=True, kw_only=True)
class Point:
    """What a trial had reached when it reported: its work so far in forward-equivalents, and its accuracies."""

    epoch: int
    work: float
    scores: tuple[float, ...]

    @property
    def measured(self) -> bool:
        return all(math.isfinite(score) for score in self.scores)


@dataclass(frozen=True, kw_only=True)
class Decision:
    """What a rung made of a trial, and against how many."""

    rung: float
    """Forward-equivalents."""
    epoch: int
    """The report that was judged."""
    rank: int
    of: int
    stop: bool


@dataclass(frozen=True)
class Bracket:
    """Trials of like total work: those from ``lower`` to below ``lower * spread`` forward-equivalents."""

    lower: float
    rungs: tuple[float, ...]
    """Ascending, in forward-equivalents."""

    @classmethod
    def of(cls, total: float, rule: Rule) -> Bracket:
        """The bracket of a trial of so much work; edges are powers of ``rule.spread``, the same in any study."""
        power = math.floor(math.log(total) / math.log(rule.spread) + 1e-9)
        lower = rule.spread**power
        return cls(lower, tuple(lower / rule.eta**step for step in range(rule.rungs, 0, -1)))

    def rung(self, points: Sequence[Point], rung: float, eta: float) -> Point | None:
        """The report that stands for a trial at ``rung``; ``None`` if it has none, or one that lies too far beyond."""
        first = next((point for point in points if point.work >= rung), None)
        return first if first is not None and first.work < rung * eta and first.measured else None


class Halving:
    """The records of all rungs, and the decisions that follow from them.

    A decision depends on which records a rung holds, never on the order in which they came.
    """

    def __init__(self, rule: Rule, images: Sequence[int]) -> None:
        """``images``: on how many each of the accuracies is measured."""
        self._rule, self._images = rule, tuple(images)
        self._records: dict[tuple[float, float], dict[int, tuple[float, ...]]] = defaultdict(dict)

    @property
    def records(self) -> Mapping[tuple[float, float], Mapping[int, tuple[float, ...]]]:
        """Accuracies by trial, for each (bracket's lower edge, rung)."""
        return {key: dict(sorted(found.items())) for key, found in sorted(self._records.items())}

    def due(self, number: int, total: float, points: Sequence[Point]) -> list[tuple[float, Point]]:
        """The rungs that the trial has reached and that hold no record of it yet, with the reports to be judged."""
        bracket = Bracket.of(total, self._rule)
        reached = ((rung, bracket.rung(points, rung, self._rule.eta)) for rung in bracket.rungs)
        return [
            (rung, point)
            for rung, point in reached
            if point is not None and number not in self._records[bracket.lower, rung]
        ]

    def record(self, number: int, total: float, rung: float, point: Point) -> None:
        """Take a trial into a rung without judging it: it was judged before."""
        self._records[Bracket.of(total, self._rule).lower, rung][number] = point.scores

    def judge(self, number: int, total: float, rung: float, point: Point) -> Decision:
        """Record a trial at a rung and say whether it goes on.

        It ends if the rung holds enough records, others beat it beyond the margin, and it is not among the best
        1/eta. Nobody is ended by its last report: all that would save is the evaluation that it trained for.
        """
        self.record(number, total, rung, point)
        bracket = Bracket.of(total, self._rule)
        found = self._records[bracket.lower, rung]
        numbers = sorted(found)
        scores, place = [found[other] for other in numbers], numbers.index(number)
        errors = self._rule.errors * (len(bracket.rungs) - bracket.rungs.index(rung))
        front = fronts(beaten(scores, self._images, errors))
        rank = int(ranking(scores, front)[place])
        enough = len(numbers) >= self._rule.minimum and point.work < total
        stop = enough and front[place] > 0 and rank > math.ceil(len(numbers) / self._rule.eta)
        return Decision(rung=rung, epoch=point.epoch, rank=rank, of=len(numbers), stop=bool(stop))
