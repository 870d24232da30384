"""Searches that were run several times, a column a search, and their differences in words."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pandas as pd

from analysis import labels
from analysis.comparing.repeated import Difference, Repeated, Repeats
from analysis.frontier.history import HYPERVOLUME
from analysis.frontier.pareto import REFERENCE
from analysis.frontier.uncertainty import Interval
from analysis.tables.table import Column, Table
from trainables.metrics import ENDS, FORWARD_EQUIVALENTS, GPU_MINUTES

_MEANS = ("finished", GPU_MINUTES, FORWARD_EQUIVALENTS)
_ROWS: dict[str, Callable[[Repeated], str]] = {
    "Runs": lambda one: ", ".join(run.study for run in one.runs),
    "Trials finished, mean": lambda one: f"{_mean(one, 'finished'):.3g}",
    "GPU-minutes, mean": lambda one: labels.cost(_mean(one, GPU_MINUTES)),
    "Forward-equivalents, mean": lambda one: labels.cost(_mean(one, FORWARD_EQUIVALENTS)),
    "Hypervolume, mean, %": lambda one: _share(one.hypervolume),
}


def repeats_table(found: Repeats, accuracies: str, *, ranked: bool) -> Table:
    """A row a figure; ``values`` has a row a search, unrounded. ``accuracies``: those compared, in words.

    ``ranked``: with what sets the searches against each other, which says nothing of those that were not measured
    alike.
    """
    rows = [(title, *map(figure, found.searches)) for title, figure in _ROWS.items()]
    if ranked and math.isfinite(found.work):
        rows.append((f"  at equal {labels.COSTS[found.cost]}, %", *(_share(one.equal) for one in found.searches)))
    if ranked and found.differences:
        rows += [(f"  above {one.name}, points", *_above(found, one)) for one in found.searches]
    return Table(
        caption=_caption(found, accuracies, ranked=ranked),
        columns=tuple(Column(name, False, ()) for name in ("", *(one.name for one in found.searches))),
        rows=tuple(rows),
        values=pd.DataFrame([_record(found, one, ranked=ranked) for one in found.searches]),
    )


def gains_in_words(found: Repeats) -> Iterator[str]:
    """A sentence a difference."""
    runs = {one.name: len(one.runs) for one in found.searches}
    for one in found.differences:
        yield _told(one, runs, found.level) + "."


def _told(one: Difference, runs: Mapping[str, int], level: float) -> str:
    if not math.isfinite(one.gain.low):
        return f"{one.one} against {one.other}: a difference takes two runs or more of each"
    over = f"{runs[one.one]} pairs of runs" if one.paired else f"{runs[one.one]} and {runs[one.other]} runs"
    better, worse, gain = one.one, one.other, one.gain
    if gain.mean < 0:
        better, worse, gain = worse, better, _turned(gain)
    verdict = f"{better} finds more than {worse}" if one.told_apart else f"{better} and {worse} are not told apart"
    return f"{verdict}: {labels.points(*gain)} points of hypervolume, {level * 100:.3g} % interval over {over}"


def _turned(gain: Interval) -> Interval:
    """Of the other above the one."""
    return Interval(*(0.0 - value for value in (gain.mean, gain.high, gain.low)))  # 0, and not -0


def _caption(found: Repeats, accuracies: str, *, ranked: bool) -> str:
    equal = f", at equal {labels.COSTS[found.cost]}: {labels.cost(found.work)}"
    work = equal if ranked and math.isfinite(found.work) else ""
    together = ", of all differences together" if len(found.differences) > 1 else ""
    return (
        f"Searches side by side, each run with several seeds. Hypervolume of {accuracies} from accuracy "
        f"{REFERENCE.accuracy:g}{work}; [95 % intervals{together}] over runs: what others would find on these images"
    )


def _above(found: Repeats, other: Repeated) -> list[str]:
    """Of each search, how far it is above ``other``."""
    gains = _gains(found, other)
    return [labels.points(*gains[one.name]) if one.name in gains else labels.ABSENT for one in found.searches]


def _gains(found: Repeats, other: Repeated) -> dict[str, Interval]:
    """By name, of each that ``other`` is set against."""
    as_one = {one.other: _turned(one.gain) for one in found.differences if one.one == other.name}
    return as_one | {one.one: one.gain for one in found.differences if one.other == other.name}


def _record(found: Repeats, one: Repeated, *, ranked: bool) -> dict[str, Any]:
    """JSON-ready; under the names that a study has in ``standings_table``."""
    against: list[tuple[str, Interval | None]] = [(f"{HYPERVOLUME}_at_equal_{found.cost}", one.equal)]
    against += [(f"above_{other.name}", _gains(found, other).get(one.name)) for other in found.searches]
    intervals = [(HYPERVOLUME, one.hypervolume), *(against if ranked else [])]
    return {
        "search": one.name,
        "runs": len(one.runs),
        **{name: _mean(one, name) for name in _MEANS},
        **{key: end for name, value in intervals for key, end in _ends(name, value).items()},
    }


def _ends(name: str, value: Interval | None) -> dict[str, float]:
    ends = value or (math.nan,) * 3
    return {f"{name}{end}": one for end, one in zip(ENDS, ends, strict=True)}


def _mean(one: Repeated, name: str) -> float:
    return statistics.fmean(getattr(run, name) for run in one.runs)


def _share(found: Interval) -> str:
    known = math.isfinite(found.low)
    return labels.percent_interval(found.mean, *((max(0.0, found.low), min(1.0, found.high)) if known else found[1:]))
