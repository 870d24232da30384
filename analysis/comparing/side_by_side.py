"""Studies side by side: how much each has found for what it spent, and how sure it is that one has found more.

A study's hypervolume is that of its trials that finished within its bounds and are not flagged, or of a confirmation's
means over seeds, from ``REFERENCE``, in the accuracies that all studies optimised. What it might have been on other
images is told by ``resampling``'s draws, one call for all studies, so that a draw of one stands beside a draw of each
other.

The best of many measured trials looks better than it is, and redrawn it does so once more; so draws are reflected at
the measured hypervolume (the basic bootstrap), which takes that much off. An interval therefore reaches farther down
than up, and of many trials that are alike it may lie below the hypervolume itself. In simulated searches of 12 to 60
trials along a trade-off, on 300 to 1,000 images, 92 to 93 % of such intervals held the hypervolume that the trials
deserved, 5 to 90 % of those that were not reflected; where 60 trials differed by luck alone, 67 % and none. There each
trial erred on images of its own. Where images are hard for all alike (correlation 0.5 and 0.8), what all owe to them
does not average out: 92 to 96 % of the intervals held it with images drawn for all trials together, 64 to 77 % with
each trial's drawn by themselves, as those must be that recorded no outcomes (`benchmarks/uncertainty.py`).

A chance is too sure of studies that differ little. It takes no difference to be likelier than another; but of searches
alike, whose true differences are as small as the error of measuring them, the one that looks much better owes part of
that to its images. Of such pairs with a chance above 95 %, 98 to 99 % on average, 83 to 97 % were right, while 93 to
94 % of the intervals of their difference held it (`benchmarks/chances.py`). By how much studies differ two of them do
not tell, so nothing is taken off.

It is the hypervolume of the networks that were trained: how much another run of the same search would differ is not in
it, and so neither interval nor chance says that one search is better than another (``repeated`` does).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analysis import labels
from analysis.frontier.confirmed import confirmed, confirms
from analysis.frontier.history import GPU_HOURS, HYPERVOLUME, history
from analysis.frontier.measured import searches
from analysis.frontier.pareto import REFERENCE, hypervolume, non_dominated
from analysis.frontier.resampling import DRAWS, Candidate, candidates, resample
from analysis.progress.so_far import with_costs
from analysis.reading.runs import CONFIG, Study
from trainables.metrics import ACCURACIES, ENDS, FORWARD_EQUIVALENTS, GPU_MINUTES, Direction

WORK = "work"
"""What the ended trials of a search had cost by then."""
_BACKBONE = tuple(f"{CONFIG}network.{name}" for name in ("architecture", "stem", "width", "depth", "patch_size"))
_SLACK = 1e-9
_ENDS = (0.025, 0.975)


class Side(NamedTuple):
    """What is gathered of one study.

    ``points``: a row a finished trial, or of a confirmation a configuration, that has all ``accuracies``: ``id``,
    ``trainable``, each of ``ACCURACIES`` and ``accuracies`` with its interval as ``NAME_low`` and ``NAME_high``,
    ``verdict``, ``counts`` (within the study's bounds and not flagged). ``path``: ``history``, empty for a
    confirmation: that searches nothing. ``cost``: in which its ``WORK`` is counted (``common_cost``).
    """

    name: str
    accuracies: tuple[str, ...]
    cost: str
    finished: int
    gpu_minutes: float
    forward_equivalents: float
    points: pd.DataFrame
    candidates: list[Candidate]
    path: pd.DataFrame


class Standing(NamedTuple):
    """What one study has found, beside the others. Shares are in [0, 1]; NaN for what there is not.

    ``counted``: of its trials or configurations those within its bounds and not flagged; ``frontier``: those of them
    that none of its own dominates, ``joint`` that none of any study does, ``share`` of all such. ``equal``: its
    hypervolume when it had spent the least of ``cost`` that any search spent. ``chance``: that its hypervolume is the
    greatest on other images.
    """

    name: str
    finished: int
    counted: int
    frontier: int
    gpu_minutes: float
    forward_equivalents: float
    hypervolume: float
    low: float
    high: float
    cost: str
    equal: float
    joint: int
    share: float
    chance: float
    best: dict[str, tuple[float, float, float]]
    """By accuracy its greatest, and that one's interval."""


def gather(studies: Sequence[Study], accuracies: Sequence[str]) -> list[Side]:
    """As if each study had optimised ``accuracies`` alone."""
    objectives = {"objectives": [{"metric": name} for name in accuracies]}
    cost = common_cost(studies)
    return [_side(replace(study, manifest=study.manifest | objectives), tuple(accuracies), cost) for study in studies]


def common_cost(studies: Sequence[Study]) -> str:
    """The cost that is the same work in all: forward-equivalents where all trials have one backbone, of whose forward
    pass they are multiples, else GPU-minutes."""
    told = pd.concat([study.trials.reindex(columns=list(_BACKBONE)) for study in studies]).dropna(subset=_BACKBONE[0])
    backbones = {tuple(labels.param(path, row[path]) for path in _BACKBONE) for row in told.to_dict("records")}
    return GPU_MINUTES if len(backbones) > 1 else FORWARD_EQUIVALENTS


def compute(sides: Sequence[Side], draws: int = DRAWS) -> list[Standing]:
    """In the order of ``sides``, of which there is at least one."""
    found = [one for side in sides for one in side.candidates]
    values = _values(found, len(sides[0].accuracies))
    owners = np.repeat(np.arange(len(sides)), [len(side.candidates) for side in sides])
    drawn = resample(found, sides[0].accuracies, draws)
    own = [owners == place for place in range(len(sides))]
    volumes = np.array([_volume(values[mask]) for mask in own])
    reflected = np.array([reflected_volumes(values[mask], drawn[:, mask]) for mask in own]).T
    chances = greatest(reflected) if found else np.full(len(sides), np.nan)
    best, least = non_dominated(values, _directions(values)), equal_work(sides)
    return [
        Standing(
            name=side.name,
            finished=side.finished,
            counted=len(side.candidates),
            frontier=int(non_dominated(values[own[place]], _directions(values)).sum()),
            gpu_minutes=side.gpu_minutes,
            forward_equivalents=side.forward_equivalents,
            hypervolume=float(volumes[place]),
            low=_interval(reflected[:, place])[0],
            high=_interval(reflected[:, place])[1],
            cost=side.cost,
            equal=reached(side.path, least),
            joint=int(best[own[place]].sum()),
            share=float(best[own[place]].sum() / best.sum()) if best.any() else math.nan,
            chance=float(chances[place]),
            best={name: _best(side.points, name) for name in side.accuracies},
        )
        for place, side in enumerate(sides)
    ]


def reflected_interval(measured: NDArray[np.float64], drawn: NDArray[np.float64]) -> tuple[float, float]:
    """Of the hypervolume of accuracies ``measured`` (n, accuracies), from ``drawn`` (draws, n, accuracies); NaN where
    nothing was drawn."""
    return _interval(reflected_volumes(measured, drawn))


def reflected_volumes(measured: NDArray[np.float64], drawn: NDArray[np.float64]) -> NDArray[np.float64]:
    """(draws,)"""
    found: NDArray[np.float64] = 2 * _volume(measured) - np.array([_volume(draw) for draw in drawn])
    return found


def greatest(draws: NDArray[np.float64]) -> NDArray[np.float64]:
    """(k,) In which share of ``draws`` (n, k) each is the greatest; those that are equal share a draw."""
    first = draws == draws.max(axis=1, keepdims=True)
    found: NDArray[np.float64] = (first / first.sum(axis=1, keepdims=True)).mean(axis=0)
    return found


def equal_work(sides: Sequence[Side]) -> float:
    """The ``cost`` of the search whose ended trials spent the least, of those that spent any; else NaN."""
    spent = [float(side.path[WORK].iloc[-1]) for side in sides if len(side.path)]
    return min((work for work in spent if work > 0), default=math.nan)


def _side(study: Study, accuracies: tuple[str, ...], cost: str) -> Side:
    costs = with_costs(study)
    path = history(study) if searches(study) else history(study)[:0]
    return Side(
        name=study.name,
        accuracies=accuracies,
        cost=cost,
        finished=len(study.finished),
        gpu_minutes=float(costs[GPU_MINUTES].sum()),
        forward_equivalents=float(costs[FORWARD_EQUIVALENTS].sum()),
        points=_points(study, accuracies),
        candidates=candidates(study, accuracies),
        path=path.assign(**{WORK: path[FORWARD_EQUIVALENTS] if cost == FORWARD_EQUIVALENTS else path[GPU_HOURS] * 60}),
    )


def _points(study: Study, accuracies: tuple[str, ...]) -> pd.DataFrame:
    rows = confirmed(study).rename(columns={"configuration": "id"}) if confirms(study) else study.finished
    kept = rows[np.isfinite(rows[list(accuracies)].to_numpy(dtype=float)).all(axis=1)]
    within = kept["number"].isin(study.feasible["number"]) if "number" in kept else True
    figures = [f"{name}{end}" for name in dict.fromkeys([*ACCURACIES, *accuracies]) for end in ENDS]
    found: pd.DataFrame = kept.reindex(columns=["id", "trainable", *figures, "verdict"])
    found["counts"] = ~kept["verdict"].map(labels.is_flagged).astype(bool) & within
    return found


def volume(side: Side) -> float:
    """Its hypervolume."""
    return _volume(_values(side.candidates, len(side.accuracies)))


def _values(found: Sequence[Candidate], accuracies: int) -> NDArray[np.float64]:
    """(n, accuracies), means over seeds."""
    return np.array([one.values.mean(axis=0) for one in found]).reshape(-1, accuracies)


def _volume(values: NDArray[np.float64]) -> float:
    return hypervolume(values, _directions(values), [REFERENCE.accuracy] * values.shape[-1])


def _directions(values: NDArray[np.float64]) -> list[Direction]:
    return ["maximize"] * values.shape[-1]


def _interval(draws: NDArray[np.float64]) -> tuple[float, float]:
    """Within [0, 1]; NaN where nothing was drawn, for want of trials or of the number of their images."""
    if not np.ptp(draws) > 0:
        return math.nan, math.nan
    low, high = np.clip(np.quantile(draws, _ENDS), 0.0, 1.0)
    return float(low), float(high)


def reached(path: pd.DataFrame, work: float) -> float:
    """The hypervolume of the trials that had ended within ``work``; NaN without a search or any work."""
    if path.empty or math.isnan(work):
        return math.nan
    within = path[path[WORK] <= work * (1 + _SLACK)]
    return float(within[HYPERVOLUME].iloc[-1]) if len(within) else 0.0


def _best(points: pd.DataFrame, name: str) -> tuple[float, float, float]:
    counted = points[points["counts"]]
    if counted.empty:
        return (math.nan,) * 3
    best = counted.nlargest(1, name)
    value, low, high = (float(best[f"{name}{end}"].iloc[0]) for end in ENDS)
    return value, low, high
