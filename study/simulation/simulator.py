"""A search on a virtual clock: workers that train recorded or synthetic curves, one event a report, nothing sleeps."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from analysis.frontier.pareto import non_dominated
from study.early_stopping.rungs import Point, Scores
from study.simulation.baselines import Judge
from study.simulation.curves import Curve
from study.simulation.scenarios import Drawn, Proposals
from trainables.metrics import (
    CLEAN_ACCURACY,
    GPU_MINUTES,
    PGD_ACCURACY,
    PROBE_ACCURACY,
    PROBE_PGD_ACCURACY,
    TRAIN_FORWARD_EQUIVALENTS,
    Direction,
)

BOTH: tuple[Direction, Direction] = ("maximize", "maximize")


class Outcome(StrEnum):
    """What became of a simulated trial."""

    FINISHED = "finished"
    STOPPED = "stopped"
    CUT = "cut"  # it still ran when the time was up


@dataclass(frozen=True, kw_only=True)
class Lived:
    """One simulated trial; times are GPU-minutes on the clock of the search, each worker holding one share."""

    drawn: Drawn
    began: float
    ended: float
    outcome: Outcome
    epochs: int


@dataclass(frozen=True)
class Run:
    """One simulated search."""

    trials: tuple[Lived, ...]

    @property
    def minutes(self) -> float:
        """GPU-minutes that the workers spent."""
        return sum(trial.ended - trial.began for trial in self.trials)

    def count(self, outcome: Outcome) -> int:
        return sum(trial.outcome is outcome for trial in self.trials)

    def frontier(self) -> tuple[Lived, ...]:
        """The trials that would be the frontier if all that began had run to their ends."""
        best = non_dominated([trial.drawn.truth for trial in self.trials], BOTH)
        return tuple(trial for trial, optimal in zip(self.trials, best, strict=True) if optimal)


@dataclass
class _Running:
    drawn: Drawn
    began: float
    points: list[Point] = field(default_factory=list)

    @property
    def curve(self) -> Curve:
        return self.drawn.curve

    def next_at(self) -> float:
        """When it next reports, or, after its last report, ends."""
        done = len(self.points)
        if done < len(self.curve.epochs):
            return self.began + self.curve.minutes(done + 1)
        return self.began + max(self.curve.metrics[GPU_MINUTES], self.curve.minutes(done))

    def lived(self, at: float, outcome: Outcome) -> Lived:
        return Lived(drawn=self.drawn, began=self.began, ended=at, outcome=outcome, epochs=len(self.points))


def simulate(proposals: Proposals, judge: Judge, *, workers: int, minutes: float) -> Run:
    """Search with ``workers`` side by side until each has worked ``minutes``, or there are no more trials.

    A worker begins its next trial as soon as its last one has ended or was stopped. What still runs at the end is
    cut: it has cost its minutes and found nothing.
    """
    running: dict[int, _Running] = {}
    lived: dict[int, Lived] = {}
    events: list[tuple[float, int]] = []

    def begin(at: float) -> None:
        number = len(running) + len(lived)
        drawn = proposals.ask(number)
        if drawn is not None:
            running[number] = _Running(drawn, at)
            heapq.heappush(events, (running[number].next_at(), number))

    def end(number: int, at: float, outcome: Outcome) -> None:
        trial = running.pop(number)
        lived[number] = trial.lived(at, outcome)
        if outcome is Outcome.FINISHED:
            judge.finish(number, trial.curve.total, _final(trial.curve))
        proposals.tell(number, trial.curve if outcome is Outcome.FINISHED else None)
        begin(at)

    for _ in range(workers):
        begin(0.0)
    while events and events[0][0] <= minutes:
        at, number = heapq.heappop(events)
        trial = running[number]
        if len(trial.points) == len(trial.curve.epochs):
            end(number, at, Outcome.FINISHED)
            continue
        trial.points.append(_point(trial.curve, len(trial.points) + 1))
        if judge(number, trial.curve.total, trial.points):
            end(number, at, Outcome.STOPPED)
        else:
            heapq.heappush(events, (trial.next_at(), number))
    cut = {number: trial.lived(minutes, Outcome.CUT) for number, trial in running.items()}
    return Run(tuple(trial for _, trial in sorted((lived | cut).items())))


def teach(judge: Judge, earlier: Iterable[Curve]) -> None:
    """Let ``judge`` learn from the trials of an earlier study."""
    for place, curve in enumerate(earlier):
        points = [_point(curve, epoch) for epoch in range(1, len(curve.epochs) + 1)]
        judge.learn(-1 - place, curve.total, points, _final(curve))


def finished_by(run: Run, at: float) -> Sequence[Drawn]:
    """What the search had found after ``at`` minutes."""
    return [trial.drawn for trial in run.trials if trial.outcome is Outcome.FINISHED and trial.ended <= at]


def _final(curve: Curve) -> Scores:
    return (curve.metrics[CLEAN_ACCURACY], curve.metrics[PGD_ACCURACY])


def _point(curve: Curve, epoch: int) -> Point:
    measured = curve.epochs[epoch - 1]
    scores = (measured[PROBE_ACCURACY], measured[PROBE_PGD_ACCURACY])
    return Point(epoch=epoch, work=measured[TRAIN_FORWARD_EQUIVALENTS], scores=scores)
