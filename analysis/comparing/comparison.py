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


def verdicts(comparison: Comparison) -> list[str]:
    """What the table shows, a sentence a scheduler under each sampler, above the one that stops nobody, and a sentence
    a sampler above the first, where nobody is stopped.

    Over several scenarios it is of the mean of their gains, seed by seed.
    """
    samplers = list(dict.fromkeys(one.sampler for one in comparison.series))
    schedulers = list(dict.fromkeys(one.scheduler for one in comparison.series))
    pairs = [
        *(((sampler, one), (sampler, REFERENCE)) for sampler in samplers for one in schedulers if one != REFERENCE),
        *(((other, REFERENCE), (samplers[0], REFERENCE)) for other in samplers[1:]),
    ]
    told = (_verdict(comparison, one, over) for one, over in pairs)
    return [sentence for sentence in told if sentence]


def _verdict(comparison: Comparison, one: tuple[str, str], over: tuple[str, str]) -> str:
    """``halving under random: better than none, +0.9 [+0.5, +1.3] points of hypervolume on average of 3 scenarios
    (better in 2, worse in 0, not told apart in 1)``; "" where either was not searched."""
    by_key = {(series.scenario, series.sampler, series.scheduler): series for series in comparison.series}
    found = [
        (by_key[scenario, *one].final, by_key[scenario, *over].final)
        for scenario in dict.fromkeys(series.scenario for series in comparison.series)
        if (scenario, *one) in by_key and (scenario, *over) in by_key
    ]
    if not found:
        return ""
    ours, theirs = ([statistics.fmean(seed) for seed in zip(*side, strict=True)] for side in zip(*found, strict=True))
    gain = paired(ours, theirs)
    same_sampler = one[0] == over[0]
    who, whom = (f"{one[1]} under {one[0]}", over[1]) if same_sampler else (one[0], over[0])
    words = f"{who}: {_told(gain, whom)}, {labels.points(*gain)} points of hypervolume"
    if len(found) == 1:
        return words
    each = [_word(paired(*pair)) for pair in found]
    counted = ", ".join(f"{word} in {each.count(word)}" for word in _WORDS)
    return f"{words} on average of {len(found)} scenarios ({counted})"


_WORDS = ("better", "worse", "not told apart")


def _word(gain: Interval) -> str:
    """Which of ``_WORDS`` the interval allows."""
    better, worse, alike = _WORDS
    return better if gain.low > 0 else worse if gain.high < 0 else alike


def _told(gain: Interval, other: str) -> str:
    word = _word(gain)
    return f"{word} {'from' if word == _WORDS[-1] else 'than'} {other}"


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
