"""Early stopping of one study: ``halving`` on the trials' folders, the decisions beside the trials.

Every decision, also that a trial goes on, is in the trial's ``rungs.json`` before the trial hears of it: a driver that
takes over knows who was compared with whom, asks no rung twice, and decides as if its predecessor had not died.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self

from analysis import labels
from analysis.layout import EPOCH, StudyPaths, TrialPaths, read_events, write_json
from search_spaces.space import SearchSpace
from study.early_stopping.halving import Decision, Halving, Point, Rule
from trainables.catalogue import pretrain_forward_equivalents
from trainables.config import TrialConfig, from_dict
from trainables.evaluation.neighbours import QUERIES
from trainables.metrics import (
    AUTO_ATTACK_ACCURACY,
    CLEAN_ACCURACY,
    PGD_ACCURACY,
    PROBE_ACCURACY,
    PROBE_PGD_ACCURACY,
    TRAIN_FORWARD_EQUIVALENTS,
)
from trainables.trial import evaluation_images, load_all

_PROBES = {
    CLEAN_ACCURACY: PROBE_ACCURACY,
    PGD_ACCURACY: PROBE_PGD_ACCURACY,
    AUTO_ATTACK_ACCURACY: PROBE_PGD_ACCURACY,
}
"""What foretells an objective while a trial trains."""


@dataclass(frozen=True)
class Known:
    """What can be said of a study's trials before they run."""

    total: Callable[[TrialConfig], float]
    """Pre-training work of a configuration, in forward-equivalents."""
    images: Mapping[str, int]
    """On how many images each probe is measured."""

    @classmethod
    def of_data(cls, space: SearchSpace) -> Known:
        """From the study's images, which are read for it; they are the same for all its trainables."""
        base = space.parts[0].base
        splits, measured_on = load_all(base)
        images, evaluated = len(splits.train), len(evaluation_images(measured_on, base.evaluation))
        return cls(lambda config: pretrain_forward_equivalents(config, images), probe_images(evaluated))


def probe_images(evaluated: int) -> dict[str, int]:
    """On how many images each probe is measured where ``evaluated`` images can be had."""
    return dict.fromkeys((PROBE_ACCURACY, PROBE_PGD_ACCURACY), min(QUERIES, evaluated))


class Scheduler:
    """Hears of each report and writes into the trial's folder whether it is to end there."""

    def __init__(self, paths: StudyPaths, rule: Rule, objectives: Sequence[str], known: Known) -> None:
        """Use ``open``. ``objectives``: those of the study; trials are compared by the accuracies among them."""
        self._paths, self._total = paths, known.total
        self._probes = tuple(dict.fromkeys(_PROBES[name] for name in objectives if name in _PROBES))
        self.halving = Halving(rule, [known.images[probe] for probe in self._probes])
        self._decisions: dict[int, list[Decision]] = {}
        self._totals: dict[int, float] = {}

    @classmethod
    def open(cls, paths: StudyPaths, rule: Rule, objectives: Sequence[str], known: Known) -> Self:
        """The scheduler as the decisions in the trials' folders left it."""
        scheduler = cls(paths, rule, objectives, known)
        for trial in paths.each_trial():
            scheduler._recall(trial)
        return scheduler

    def reported(self, number: int) -> None:
        """Judge trial ``number`` at the rungs that it has reached; to be called before it goes on."""
        trial = self._paths.trial(number)
        total = self._total_of(trial)
        decided = self._decisions.setdefault(number, [])
        due = self.halving.due(number, total, self._points(trial))
        decided += [self.halving.judge(number, total, rung, point) for rung, point in due]
        if due:
            write_json(trial.rungs, {"total": total, "rungs": [asdict(decision) for decision in decided]})
        ending = next((decision for decision in decided if decision.stop), None)
        if ending is not None:
            write_json(trial.stop, {"reason": _reason(ending)})

    def _recall(self, trial: TrialPaths) -> None:
        try:
            written = json.loads(trial.rungs.read_text())
        except FileNotFoundError:
            return
        points = {point.epoch: point for point in self._points(trial)}
        self._totals[trial.number] = written["total"]
        self._decisions[trial.number] = [Decision(**decision) for decision in written["rungs"]]
        for decision in self._decisions[trial.number]:
            if decision.epoch in points:
                self.halving.record(trial.number, written["total"], decision.rung, points[decision.epoch])

    def _total_of(self, trial: TrialPaths) -> float:
        if trial.number not in self._totals:
            config = from_dict(json.loads(trial.config.read_text())["config"])
            self._totals[trial.number] = float(self._total(config))
        return self._totals[trial.number]

    def _points(self, trial: TrialPaths) -> list[Point]:
        return [_point(event, self._probes) for event in read_events(trial) if event["kind"] == EPOCH]


def _point(event: Mapping[str, Any], probes: Sequence[str]) -> Point:
    metrics = event["metrics"]
    return Point(
        epoch=event["epoch"],
        work=float(metrics[TRAIN_FORWARD_EQUIVALENTS]),
        scores=tuple(float(metrics.get(probe, "NaN")) for probe in probes),
    )


def _reason(decision: Decision) -> str:
    return f"halving: rank {decision.rank} of {decision.of} at {labels.cost(decision.rung)} forward-equivalents"
