"""Recorded trials: what finished trials measured, epoch by epoch, so that searches can be replayed without training.

A file of them is JSON lines, one trial a line, so that recordings are joined by joining files:

    {"id": STUDY/NUMBER, "trainable": ..., "params": {dimension: value}, "config": {leaf: value},
     "gpu_share": ..., "epochs": {"forward_equivalents": [...], "seconds": [...], "probe_accuracy": [...],
     "probe_pgd_accuracy": [...]}, "metrics": {"clean_accuracy": ..., ...}}

``params`` holds every dimension that the trainable has, searched or not; ``config`` what a reader must know to judge.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np

from analysis.layout import (
    EPOCH,
    StudyPaths,
    TrialPaths,
    ending_of,
    exclusion_of,
    finite,
    read_events,
    write_atomically,
)
from analysis.reading.written import config_of
from analysis.schema import TrialStatus
from search_spaces.catalogue import DIMENSIONS
from study.early_stopping.ranking import Floats
from trainables.config import TrialConfig, UserError, flatten
from trainables.metrics import (
    CLEAN_ACCURACY,
    EVALUATION_IMAGES,
    FORWARD_EQUIVALENTS,
    GPU_MINUTES,
    PGD_ACCURACY,
    PROBE_ACCURACY,
    PROBE_PGD_ACCURACY,
    TRAIN_FORWARD_EQUIVALENTS,
    TRAIN_SECONDS,
    is_accuracy,
)

EPOCH_METRICS = (TRAIN_FORWARD_EQUIVALENTS, TRAIN_SECONDS, PROBE_ACCURACY, PROBE_PGD_ACCURACY)
METRICS = (CLEAN_ACCURACY, PGD_ACCURACY, GPU_MINUTES, FORWARD_EQUIVALENTS, EVALUATION_IMAGES)
"""Of a finished trial, beside any further accuracy that it has. Its accuracies are measured on so many images as the
last says, probes on at most so many."""
ESSENTIALS = ("seed", "data.source", "data.train_images", "optimiser.epochs", "evaluation.head", "evaluation.epsilon")
_DECADE = 10.0


class CurvesError(UserError):
    """A file of recorded trials that cannot be read or does not serve."""


@dataclass(frozen=True, kw_only=True)
class Curve:
    """One finished trial as it was measured."""

    id: str
    trainable: str
    params: Mapping[str, float]
    epochs: tuple[Mapping[str, float], ...]
    """Each epoch's ``EPOCH_METRICS``; an absent probe is NaN."""
    metrics: Mapping[str, float]
    """``METRICS``, and what else of accuracies was measured."""
    gpu_share: float = 1.0
    config: Mapping[str, Any]

    @property
    def total(self) -> float:
        """Pre-training work in forward-equivalents."""
        return self.epochs[-1][TRAIN_FORWARD_EQUIVALENTS]

    def minutes(self, epochs: int) -> float:
        """GPU-minutes until the report of epoch ``epochs``."""
        return self.epochs[epochs - 1][TRAIN_SECONDS] / 60 * self.gpu_share


def parameters(config: TrialConfig) -> dict[str, float]:
    """Where ``config`` lies on every dimension with a name that its trainable has."""
    return {name: cast(float, found.value(config)) for name, found in DIMENSIONS.items() if found.belongs(config)}


def record(paths: StudyPaths, file: Path) -> tuple[int, int]:
    """Write the finished trials of a study to ``file``; how many there are, and how many others it has.

    What somebody excluded is left out. Raises ``CurvesError`` if none is left.
    """
    found = [_recorded(paths, trial) for trial in paths.each_trial()]
    curves = [curve for curve in found if curve is not None]
    if not curves:
        where = f"{paths.name} in {paths.root.parent}"
        raise CurvesError(f"no trial of {where} has finished and counts; there is nothing to record")
    write(curves, file)
    return len(curves), len(found) - len(curves)


def write(curves: Iterable[Curve], file: Path) -> None:
    """One line a curve, replacing ``file`` at once."""
    write_atomically(file, "".join(json.dumps(finite(_to_json(curve))) + "\n" for curve in curves))


def read(file: Path) -> list[Curve]:
    """The trials recorded in ``file``; ``CurvesError`` names the line that is none."""
    try:
        lines = file.read_text().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise CurvesError(f"{file}: cannot be read ({error}); give a file that `study record` wrote") from error
    curves = [_parse(line, f"{file}:{number}") for number, line in enumerate(lines, start=1) if line.strip()]
    if not curves:
        raise CurvesError(f"{file}: holds no trial; give a file that `study record` wrote")
    return curves


class Nearest:
    """Finds the recorded trial of a trainable that lies nearest to a point.

    Each parameter is scaled to [0, 1] over the trainable's recorded trials, on a logarithmic scale where these span
    more than a decade; distance is Euclidean; what the recording does not vary, or a point lacks, does not count.
    """

    def __init__(self, curves: Sequence[Curve]) -> None:
        self.curves = tuple(curves)
        self.trainables = tuple(dict.fromkeys(curve.trainable for curve in curves))
        self._members = {name: [curve for curve in curves if curve.trainable == name] for name in self.trainables}
        self._scales = {name: _scales(members) for name, members in self._members.items()}
        self._places = {
            name: np.array([self._place(name, curve.params) for curve in members])
            for name, members in self._members.items()
        }

    def dimensions(self, trainable: str) -> tuple[str, ...]:
        """The parameters that the recording varies."""
        return tuple(self._scales[trainable])

    def of(self, trainable: str, params: Mapping[str, float]) -> Curve:
        """Nearest to ``params`` in their own units; ``CurvesError`` for a trainable of which none is recorded."""
        if trainable not in self._members:
            raise CurvesError(f"no trial of {trainable} is recorded; there are {', '.join(self.trainables)}")
        return self.at(trainable, self._place(trainable, params))

    def at(self, trainable: str, place: Sequence[float] | Floats) -> Curve:
        """Nearest to a point of the unit cube over ``dimensions``; at a tie the first recorded."""
        distance = np.nansum((self._places[trainable] - np.asarray(place)) ** 2, axis=1)
        return self._members[trainable][int(distance.argmin())]

    def _place(self, trainable: str, params: Mapping[str, float]) -> Floats:
        scales = self._scales[trainable]
        return np.array([scales[name].share(params.get(name, math.nan)) for name in scales])


@dataclass(frozen=True)
class _Scale:
    low: float
    high: float
    log: bool

    def share(self, value: float) -> float:
        if self.log:
            return math.log(max(value, self.low * 1e-9) / self.low) / math.log(self.high / self.low)
        return (value - self.low) / (self.high - self.low)


def _scales(curves: Sequence[Curve]) -> dict[str, _Scale]:
    shared = [name for name in curves[0].params if all(name in curve.params for curve in curves)]
    found = {}
    for name in shared:
        values = [float(curve.params[name]) for curve in curves]
        low, high = min(values), max(values)
        if low < high:
            found[name] = _Scale(low, high, log=low > 0 and high / low > _DECADE)
    return found


def _recorded(paths: StudyPaths, trial: TrialPaths) -> Curve | None:
    events = read_events(trial)
    ended = ending_of(events)
    epochs = {event["epoch"]: event["metrics"] for event in reversed(events) if event["kind"] == EPOCH}
    if ended is None or ended["status"] != TrialStatus.FINISHED or not epochs or exclusion_of(trial):
        return None
    config = config_of(trial)
    leaves = flatten(config)
    return Curve(
        id=paths.trial_id(trial.number),
        trainable=config.trainable,
        params=parameters(config),
        epochs=tuple(_known(epochs[epoch], EPOCH_METRICS) for epoch in sorted(epochs)),
        metrics={name: float(value) for name, value in ended["metrics"].items() if _is_recorded(name)},
        gpu_share=next((event["gpu_share"] for event in reversed(events) if "gpu_share" in event), 1.0),
        config={name: leaves[name] for name in ESSENTIALS},
    )


def _is_recorded(name: str) -> bool:
    return name in METRICS or is_accuracy(name)


def _known(metrics: Mapping[str, Any], names: Iterable[str]) -> dict[str, float]:
    return {name: float(metrics.get(name, "NaN")) for name in names}


def _to_json(curve: Curve) -> dict[str, Any]:
    return {
        "id": curve.id,
        "trainable": curve.trainable,
        "params": dict(curve.params),
        "config": dict(curve.config),
        "gpu_share": curve.gpu_share,
        "epochs": {_short(name): [epoch[name] for epoch in curve.epochs] for name in EPOCH_METRICS},
        "metrics": dict(curve.metrics),
    }


def _parse(line: str, place: str) -> Curve:
    try:
        values = json.loads(line)
        columns = [[float(value) for value in values["epochs"][_short(name)]] for name in EPOCH_METRICS]
        rows: Iterator[tuple[float, ...]] = zip(*columns, strict=True)
        curve = Curve(
            id=str(values["id"]),
            trainable=str(values["trainable"]),
            params={name: float(value) for name, value in values["params"].items()},
            epochs=tuple(dict(zip(EPOCH_METRICS, row, strict=True)) for row in rows),
            metrics={name: float(value) for name, value in values["metrics"].items()},
            gpu_share=float(values["gpu_share"]),
            config=values["config"],
        )
        missing = [name for name in METRICS if name not in curve.metrics]
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise CurvesError(f"{place}: no recorded trial ({type(error).__name__}: {error})") from error
    if missing or not curve.epochs:
        raise CurvesError(f"{place}: no recorded trial: without {', '.join(missing) or 'any epoch'}")
    return curve


def _short(name: str) -> str:
    return name.rpartition("/")[2]
