"""How schedulers compare in simulated searches: figures by seed, paired differences with intervals, tables, JSON."""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from rich.table import Table

from analysis import labels
from analysis.frontier.uncertainty import Interval, paired, student
from trainables.metrics import Accuracy

REFERENCE = "none"
"""The scheduler that stops nobody."""
OURS = "halving"


@dataclass(frozen=True, kw_only=True)
class Series:
    """One scheduler's searches in one scenario, an entry a seed."""

    scenario: str
    sampler: str
    scheduler: str
    hypervolume: tuple[tuple[float, ...], ...]
    """(seeds, moments): share of the unit square, from accuracy 0; the last moment is the end."""
    begun: tuple[int, ...]
    finished: tuple[int, ...]
    frontier: tuple[int, ...]
    """Trials begun that would have ended on the frontier of all begun."""
    frontier_stopped: tuple[int, ...]
    """How many of those were stopped."""

    @property
    def final(self) -> tuple[float, ...]:
        return tuple(path[-1] for path in self.hypervolume)

    @property
    def lost(self) -> Accuracy:
        """Share of the frontier's trials that were stopped."""
        return Accuracy(correct=sum(self.frontier_stopped), images=sum(self.frontier))


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Schedulers under equal GPU-minutes, seed by seed."""

    workers: int
    warm_start: int
    """Trials of an earlier study that schedulers learned from before each search."""
    minutes: Mapping[str, tuple[float, ...]]
    """By scenario, the moments in GPU-minutes, all workers together."""
    rule: Mapping[str, float]
    series: tuple[Series, ...]

    def rivals(self, one: Series) -> dict[str, Series]:
        """All schedulers of the same scenario and sampler, by name."""
        alike = (other for other in self.series if (other.scenario, other.sampler) == (one.scenario, one.sampler))
        return {other.scheduler: other for other in alike}

    def gain(self, one: Series, over: str) -> Interval | None:
        """Final hypervolume of ``one`` above that of the scheduler called ``over``, paired by seed."""
        other = self.rivals(one).get(over)
        return None if other is None or other is one else paired(one.final, other.final)

    def to_json(self) -> dict[str, Any]:
        """Everything, JSON-ready, with the intervals."""
        rows = []
        for one in self.series:
            gains = {name: self.gain(one, name) for name in self.rivals(one)}
            summary = {
                "final_hypervolume": student(one.final)._asdict(),
                "gain_over": {name: gain._asdict() for name, gain in gains.items() if gain is not None},
                "frontier_stopped_share": one.lost.value,
                "frontier_stopped_interval": one.lost.interval(),
            }
            rows.append(asdict(one) | summary)
        kept = {"workers": self.workers, "warm_start": self.warm_start, "rule": dict(self.rule)}
        return kept | {"minutes": dict(self.minutes), "series": rows}


def comparison_table(comparison: Comparison) -> Table:
    """A row a scheduler: its hypervolume, what it gains over no stopping, what halving gains over it, what it lost."""
    table = Table(title=_caption(comparison), title_justify="left")
    for heading in ("Scenario", "Sampler", "Scheduler"):
        table.add_column(heading)
    for heading in ("Hypervolume, %", "Above none", "Halving above it", "Frontier stopped, %", "Begun", "Finished"):
        table.add_column(heading, justify="right")
    for one in comparison.series:
        rivals = comparison.rivals(one)
        ours = comparison.gain(rivals[OURS], one.scheduler) if OURS in rivals else None
        table.add_row(
            *(one.scenario, one.sampler, one.scheduler),
            f"{student(one.final).mean * 100:.2f}",
            _signed(comparison.gain(one, REFERENCE)),
            _signed(ours),
            labels.percent_interval(one.lost.value, *one.lost.interval()),
            f"{statistics.fmean(one.begun):.1f}",
            f"{statistics.fmean(one.finished):.1f}",
        )
    return table


def _caption(comparison: Comparison) -> str:
    seeds = len(comparison.series[0].final) if comparison.series else 0
    learned = f", {comparison.warm_start} trials of an earlier study to learn from" if comparison.warm_start else ""
    return (
        f"Equal GPU-minutes on {comparison.workers} workers, {seeds} seeds{learned}. "
        "Hypervolume from accuracy 0, % of the unit square; differences paired by seed, mean [95 % interval]. "
        "Frontier: trials that would have ended on it"
    )


def _signed(gain: Interval | None) -> str:
    return labels.ABSENT if gain is None else labels.points(*gain)
