"""Trials that train nothing: each takes the curve of the recorded trial nearest to its configuration."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from search_spaces.catalogue import DIMENSIONS
from search_spaces.space import SearchSpace
from study.simulation.curves import Curve, CurvesError, Nearest, parameters, read
from trainables.config import TrialConfig


@dataclass(frozen=True)
class ReplayedEpoch:
    """One epoch as it was recorded, in the place of an ``EpochReport``."""

    epoch: int
    values: Mapping[str, float]

    def metrics(self) -> dict[str, float]:
        return dict(self.values)


@dataclass(frozen=True)
class Replayed:
    """A trial's end as it was recorded, in the place of a ``TrialResult``."""

    curve: Curve
    outcomes: None = None

    def metrics(self) -> dict[str, float]:
        return dict(self.curve.metrics)

    def to_dict(self) -> dict[str, Any]:
        return {"replayed": self.curve.id, "metrics": self.metrics()}


class Replay:
    """Stands in for ``trainables.trial.run``, in microseconds."""

    def __init__(self, file: Path) -> None:
        """Raises ``CurvesError`` if ``file`` cannot be read."""
        self.file = file
        self._nearest = Nearest(read(file))

    def check(self, space: SearchSpace, objectives: Iterable[str]) -> str:
        """The recording in words, in the place of data; ``CurvesError`` where it lacks a trainable of ``space``, or a
        trial one of ``objectives``."""
        for trainable in space.trainables:
            if trainable not in self._nearest.trainables:
                recorded = ", ".join(self._nearest.trainables)
                raise CurvesError(f"{self.file} holds no trial of {trainable}; it has {recorded}")
        for curve in self._nearest.curves:
            if lacking := [name for name in objectives if name not in curve.metrics]:
                raise CurvesError(f"{self.file} has no {', '.join(lacking)} of {curve.id}, an objective of the study")
        unknown = dict.fromkeys(name for part in space.parts for name, _ in part.searched if name not in DIMENSIONS)
        without = f", which knows nothing of {', '.join(unknown)}" if unknown else ""
        return f"replayed from {len(self._nearest.curves)} recorded trials in {self.file}{without}"

    def total(self, config: TrialConfig) -> float:
        """Pre-training work of the trial that ``config`` takes, in forward-equivalents."""
        return self._curve(config).total

    def run(
        self,
        config: TrialConfig,
        *,
        report: Callable[[ReplayedEpoch], None],
        checkpoint: Path | None = None,  # noqa: ARG002
        progress: Callable[[str], None] = lambda _: None,  # noqa: ARG002
        gpu_share: float = 1.0,  # noqa: ARG002
    ) -> Replayed:
        """Report the recorded epochs, end as recorded; costs are those of the recording."""
        curve = self._curve(config)
        for epoch, values in enumerate(curve.epochs, start=1):
            report(ReplayedEpoch(epoch, values))
        return Replayed(curve)

    def _curve(self, config: TrialConfig) -> Curve:
        return self._nearest.of(config.trainable, parameters(config))
