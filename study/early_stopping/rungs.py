"""Where trials are compared while they train: brackets of like schedules, rungs of equal work, and who was seen there.

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

What is compared are accuracies alone. With cost among them nearly every trial would be non-dominated; and within a
bracket trials cost about the same.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

Scores = tuple[float, ...]
"""Accuracies of one trial."""


@dataclass(frozen=True, kw_only=True)
class Rule:
    """How trials are compared and how many go on; ``best``, ``finished`` and ``loss`` are halving's alone.

    The defaults were chosen on ``families.TUNING``, to gain hypervolume while ending at most 5 % of the frontier.
    """

    eta: float = 2.0
    """Neighbouring rungs lie this factor of work apart."""
    rungs: int = 3
    """Rungs in a bracket at most."""
    spread: float = 2.0
    """Most that the totals within a bracket may differ, as a factor."""
    minimum: int = 4
    """Records at a rung before it ends anybody."""
    best: float = 0.25
    """Halving: share of a rung's members that go on whatever their chances."""
    finished: int = 12
    """Halving: trials, of the study or of those it learns from, that must have finished after such a rung before it
    ends anybody."""
    loss: float = 0.03
    """Halving: of the expected frontier, what ending trials may cost, in equal parts at each of a bracket's rungs."""


@dataclass(frozen=True, kw_only=True)
class Point:
    """What a trial had reached when it reported: its work so far in forward-equivalents, and its accuracies."""

    epoch: int
    work: float
    scores: Scores

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
    chance: float | None
    """To end on the frontier; ``None`` while too few have finished to tell."""
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


@dataclass(frozen=True)
class Features:
    """What is known of a trial at a rung: its accuracies, and the share of its work that is done."""

    scores: Scores
    done: float


class Verdict(NamedTuple):
    """What a rule says of a trial among the members of its rung; ``chance`` as a ``Decision`` has it."""

    rank: int
    chance: float | None
    ends: bool


class Rungs(ABC):
    """The records of all rungs, what finished trials reached, and the decisions that follow from them.

    A decision depends on what is recorded, never on the order in which it came.
    """

    def __init__(self, rule: Rule) -> None:
        self._rule = rule
        self._records: dict[tuple[float, float], dict[int, Features]] = defaultdict(dict)
        self._finals: dict[int, Scores] = {}
        self._lowers: dict[int, float] = {}
        self._ruled_out: set[int] = set()
        self._excluded: frozenset[int] = frozenset()

    @abstractmethod
    def _verdict(self, number: int, found: Mapping[int, Features], bracket: Bracket, rung: float) -> Verdict:
        """On a trial among ``found``, the members of a rung of its bracket."""

    def judge(self, number: int, total: float, rung: float, point: Point) -> Decision:
        """Record a trial at a rung and say whether it goes on.

        Nobody is ended before the rung holds enough records, nor by its last report: all that would save is the
        evaluation that it trained for.
        """
        self.record(number, total, rung, point)
        bracket = Bracket.of(total, self._rule)
        found = self._members(bracket, rung)
        verdict = self._verdict(number, found, bracket, rung)
        judged = len(found) >= self._rule.minimum and point.work < total
        return Decision(
            rung=rung,
            epoch=point.epoch,
            rank=verdict.rank,
            of=len(found),
            chance=verdict.chance,
            stop=judged and verdict.ends,
        )

    @property
    def records(self) -> Mapping[tuple[float, float], Mapping[int, Scores]]:
        """Accuracies by trial, for each (bracket's lower edge, rung)."""
        return {
            key: {number: found[number].scores for number in sorted(found)}
            for key, found in sorted(self._records.items())
            if found
        }

    @property
    def finals(self) -> Mapping[int, Scores]:
        """What the finished trials reached that nobody excluded."""
        return {number: self._finals[number] for number in sorted(self._finals.keys() - self._excluded)}

    def due(self, number: int, total: float, points: Sequence[Point]) -> list[tuple[float, Point]]:
        """The rungs that the trial has reached and that hold no record of it yet, with the reports to be judged.

        None for a trial that is ruled out: it was given up, and a process of it reports all the same; nor for one that
        is excluded.
        """
        if number in self._ruled_out | self._excluded:
            return []
        bracket = Bracket.of(total, self._rule)
        reached = ((rung, bracket.rung(points, rung, self._rule.eta)) for rung in bracket.rungs)
        return [
            (rung, point)
            for rung, point in reached
            if point is not None and number not in self._records[bracket.lower, rung]
        ]

    def record(self, number: int, total: float, rung: float, point: Point) -> None:
        """Take a trial into a rung without judging it: it was judged before."""
        self._records[Bracket.of(total, self._rule).lower, rung][number] = Features(point.scores, point.work / total)

    def finish(self, number: int, total: float, final: Scores) -> None:
        """A trial has run to its end and reached these accuracies."""
        if all(map(math.isfinite, final)):
            self._finals[number] = final
            self._lowers[number] = Bracket.of(total, self._rule).lower

    def learn(self, number: int, total: float, points: Sequence[Point], final: Scores) -> None:
        """A trial of another study has finished so: it tells what rungs foretell, and nobody is compared with it."""
        for rung, point in self.due(number, total, points):
            self.record(number, total, rung, point)
        self.finish(number, total, final)
        self.rule_out(number)

    def rule_out(self, number: int) -> None:
        """The trial failed, breaks a bound of its study or is of another: it stands on no frontier, and nobody is
        beaten by it."""
        self._ruled_out.add(number)

    def exclude(self, numbers: Collection[int]) -> None:
        """These trials and no others are as if they had not run: nobody is compared with them or learns from them."""
        self._excluded = frozenset(numbers)

    def _members(self, bracket: Bracket, rung: float) -> Mapping[int, Features]:
        found = self._records[bracket.lower, rung]
        return {number: found[number] for number in sorted(found.keys() - self._ruled_out - self._excluded)}
