"""Early stopping of one study: its rungs on the trials' folders, the decisions beside the trials.

Every decision, also that a trial goes on, is in the trial's ``rungs.json`` before the trial hears of it: a driver that
takes over knows who was compared with whom, asks no rung twice, and decides as if its predecessor had not died.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, Protocol, Self

from analysis import labels
from analysis.constraints import Bounds, least, violation
from analysis.layout import EPOCH, StudyPaths, TrialPaths, ending, exclusions, read_events, write_json
from analysis.reading.written import config_of, written
from analysis.schema import TrialStatus
from search_spaces.work import Total
from study.early_stopping.asha import Asha
from study.early_stopping.halving import Halving
from study.early_stopping.rungs import Decision, Point, Rule, Rungs
from trainables.metrics import (
    PROBE_ACCURACY,
    PROBE_PGD_ACCURACY,
    TRAIN_FORWARD_EQUIVALENTS,
    is_accuracy,
    is_attacked,
)

SchedulerName = Literal["halving", "asha"]
_REPORTED = (TRAIN_FORWARD_EQUIVALENTS, PROBE_ACCURACY, PROBE_PGD_ACCURACY)


@dataclass(frozen=True)
class Report:
    """What a trial said after an epoch, as far as trials are compared by it: its work so far and the probe."""

    epoch: int
    metrics: Mapping[str, float]


class Precedent(Protocol):
    """A trial of another study that finished."""

    @property
    def reports(self) -> Sequence[Report]: ...

    @property
    def metrics(self) -> Mapping[str, float]: ...


def reports(trial: TrialPaths) -> list[Report]:
    """All that a trial has reported."""
    said = [event for event in read_events(trial) if event["kind"] == EPOCH]
    return [
        Report(event["epoch"], dict(zip(_REPORTED, _figures(event["metrics"], _REPORTED), strict=True)))
        for event in said
    ]


class Scheduler:
    """Hears of each report and writes into the trial's folder whether it is to end there.

    Reports and ends may come from different threads.
    """

    def __init__(
        self,
        paths: StudyPaths,
        name: SchedulerName,
        rule: Rule,
        objectives: Sequence[str],
        bounds: Bounds,
        total: Total,
    ) -> None:
        """Use ``open``. ``objectives``: those of the study; trials are compared by the accuracies among them.

        ``bounds``: its constraints; a trial that breaks one stands on no frontier and beats nobody, nor does halving
        give one a chance that is foretold to end below what an accuracy must reach.
        """
        self._paths, self._name, self._bounds, self._total = paths, name, bounds, total
        self._lock = threading.Lock()
        self._heard: set[int] = set()
        self._accuracies = tuple(filter(is_accuracy, objectives))
        self._probes = tuple(dict.fromkeys(map(probe, self._accuracies)))
        own = [self._probes.index(probe(name)) for name in self._accuracies]
        self.rungs: Rungs = (
            Asha(rule)
            if name == "asha"
            else Halving(rule, own, tuple(least(bounds, each) for each in self._accuracies))
        )
        self._decisions: dict[int, list[Decision]] = {}
        self._totals: dict[int, float] = {}

    @classmethod
    def open(
        cls,
        paths: StudyPaths,
        name: SchedulerName,
        rule: Rule,
        objectives: Sequence[str],
        bounds: Bounds,
        total: Total,
        precedents: Sequence[Precedent] = (),
    ) -> Self:
        """The scheduler as the decisions in the trials' folders left it; of ``precedents`` it learns what rungs
        foretell, and nobody is compared with them."""
        scheduler = cls(paths, name, rule, objectives, bounds, total)
        for place, precedent in enumerate(precedents):
            if points := scheduler._points(precedent.reports):
                final = _figures(precedent.metrics, scheduler._accuracies)
                scheduler.rungs.learn(-1 - place, points[-1].work, points, final)
        for trial in paths.each_trial():
            scheduler._recall(trial)
        scheduler.catch_up()
        return scheduler

    def reported(self, number: int) -> None:
        """Judge trial ``number`` at the rungs that it has reached; to be called before it goes on."""
        with self._lock:
            self._judge(self._paths.trial(number))

    def catch_up(self) -> None:
        """Learn from the trials that have ended since it was last asked how far their rungs foretold their ends, and
        which somebody has excluded."""
        with self._lock:
            self.rungs.exclude(exclusions(self._paths).keys())
            for trial in self._paths.each_trial():
                if trial.number not in self._heard and (end := ending(trial)) is not None:
                    self._heard.add(trial.number)
                    self._learn(trial, end)

    def _judge(self, trial: TrialPaths) -> None:
        total = self._total_of(trial)
        decided = self._decisions.setdefault(trial.number, [])
        due = self.rungs.due(trial.number, total, self._points(reports(trial)))
        decided += [self.rungs.judge(trial.number, total, rung, point) for rung, point in due]
        if due:
            write_json(trial.rungs, {"total": total, "rungs": [asdict(decision) for decision in decided]})
        stopping = next((decision for decision in decided if decision.stop), None)
        if stopping is not None:
            write_json(trial.stop, {"reason": _reason(self._name, stopping)})

    def _learn(self, trial: TrialPaths, end: Mapping[str, Any]) -> None:
        finished = end["status"] == TrialStatus.FINISHED
        if finished:
            self.rungs.finish(trial.number, self._total_of(trial), _figures(end["metrics"], self._accuracies))
        if end["status"] == TrialStatus.FAILED or (finished and violation(self._bounds, end["metrics"])):
            self.rungs.rule_out(trial.number)

    def _recall(self, trial: TrialPaths) -> None:
        """The rungs at which it was judged; of a trial that has ended all that it reached, for the study may have begun
        with another rule, or with none."""
        if trial.rungs.exists():
            known = written(trial.rungs)
            self._totals[trial.number] = known["total"]
            self._decisions[trial.number] = [Decision(**decision) for decision in known["rungs"]]
        if not (points := self._points(reports(trial))):
            return
        total, ended = self._total_of(trial), ending(trial) is not None
        judged = {decision.rung for decision in self._decisions.get(trial.number, ())}
        for rung, point in self.rungs.due(trial.number, total, points):
            if ended or rung in judged:
                self.rungs.record(trial.number, total, rung, point)

    def _total_of(self, trial: TrialPaths) -> float:
        if trial.number not in self._totals:
            self._totals[trial.number] = float(self._total(config_of(trial)))
        return self._totals[trial.number]

    def _points(self, said: Iterable[Report]) -> list[Point]:
        return [
            Point(
                epoch=report.epoch,
                work=report.metrics[TRAIN_FORWARD_EQUIVALENTS],
                scores=_figures(report.metrics, self._probes),
            )
            for report in said
        ]


def probe(accuracy: str) -> str:
    """What foretells it while a trial trains; there is one probe under attack, at ``evaluation.epsilon``."""
    return PROBE_PGD_ACCURACY if is_attacked(accuracy) else PROBE_ACCURACY


def _figures(metrics: Mapping[str, Any], names: Iterable[str]) -> tuple[float, ...]:
    return tuple(float(metrics.get(name, "NaN")) for name in names)


def _reason(name: SchedulerName, decision: Decision) -> str:
    reason = f"{name}: rank {decision.rank} of {decision.of} at {labels.cost(decision.rung)} forward-equivalents"
    if decision.chance is None:
        return reason
    return f"{reason}, with a chance of {decision.chance:.1%} to end on the frontier"
