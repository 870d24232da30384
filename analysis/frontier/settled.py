"""Whether the frontier of networks that are measured again is that of all the trials that they were taken from.

A trial's *best case* is the most that its figures can come to: under AutoAttack, which attacks beside PGD and counts
what both leave, the accuracy that PGD left it on the same images. So not every network need be attacked.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from analysis import labels
from analysis.frontier.measured import measures
from analysis.frontier.pareto import dominates, non_dominated
from analysis.reading.runs import PARAM, Study, number_or_nan
from analysis.schema import TrialStatus
from trainables.metrics import Direction

Point = Sequence[float]
"""A value for each objective."""
BestCases = Mapping[int, Point]
"""By trial of the study whose networks are measured; all finite."""
Found = Mapping[int, Point | None]
"""By the same, how its measurement ended; ``None``: flagged or without figures, and on no frontier."""


class Settlement(NamedTuple):
    """How far a frontier is settled; numbers are of trials of the ``study`` whose networks are measured."""

    study: str
    trials: int
    """That have a best case."""
    measured: int
    """Of these, flagged ones included."""
    open: list[int]
    """To be measured."""
    failed: list[int]
    """That could not be measured, or have no figures, and might stand on the frontier."""
    beyond: list[int]
    """Whose figures are better than their best case, so that others' may be, too."""


def contenders(best: BestCases, found: Found, directions: Sequence[Direction]) -> list[int]:
    """The trials without an end in ``found`` that may stand on the frontier; once there are none, no other trial can.

    They are on the frontier of all points, best cases where nothing is ``found``. A point is nowhere worse than the
    figures that it stands for, so no trial's figures dominate a contender's best case: any proof has to measure it.
    Without contenders all of this frontier is ``found``, and dominates every other best case, and so its figures.
    """
    points = {number: point for number, point in (dict(best) | dict(found)).items() if point is not None}
    on = non_dominated(list(points.values()), directions)
    return [number for number, stands in zip(points, on, strict=True) if stands and number not in found]


def undominated(numbers: Iterable[int], best: BestCases, found: Found, directions: Sequence[Direction]) -> list[int]:
    """Those of ``numbers`` whose best case nothing ``found`` dominates: no others can ever become contenders."""
    known = [point for point in found.values() if point is not None]
    return [number for number in numbers if not any(dominates(point, best[number], directions) for point in known)]


def found(study: Study) -> dict[int, Point | None]:
    """How the measurements of ``study`` ended, those that have."""
    ended = _networks(study.trials[study.trials["status"] != TrialStatus.RUNNING])
    return dict.fromkeys(map(int, ended.dropna())) | _figures(study, study.credible)


def lost(study: Study) -> dict[int, Point | None]:
    """The trials that were to be measured and could not be, as measurements that ended without figures."""
    return dict.fromkeys(one["trial"] for one in measures(study).get("lost", []))


def settlement(study: Study) -> Settlement | None:
    """Of a study that is to settle a frontier; ``None`` for any other."""
    if not (best := _best_cases(study)):
        return None
    ends = lost(study) | found(study)
    directions = list(study.objectives.values())
    figures = {number: point for number, point in _figures(study, study.finished).items() if number in best}
    without = [number for number in ends if number in best and number not in figures]
    return Settlement(
        study=str(measures(study)["study"]),
        trials=len(best),
        measured=len(figures),
        open=contenders(best, ends, directions),
        failed=undominated(without, best, ends, directions),
        beyond=[number for number, point in figures.items() if _is_better(point, best[number], directions)],
    )


def settled_sentence(study: Study) -> str:
    """``Settled: 6 of the 60 trusted trials of first are measured, and no other can stand on this frontier.``

    What is open where something is; "" for a study that settles nothing.
    """
    if (known := settlement(study)) is None:
        return ""
    if known.open:
        which = labels.listed("trial", list(map(labels.trial_number, known.open)))
        return (
            f"Not settled: {which} of {known.study} may stand on this frontier, too; the same `study measure` goes on."
        )
    done = f"{known.measured} of the {known.trials} trusted trials of {known.study} are measured"
    none = f"{done}, and no other can stand on this frontier{_unless(known)}."
    if not known.failed:
        return f"Settled: {none}"
    which = labels.listed("trial", list(map(labels.trial_number, known.failed)))
    return f"Not settled: {which} of {known.study} may stand on this frontier, too, and could not be measured; {none}"


def _unless(known: Settlement) -> str:
    """On another device rounding moves figures, which can be seen of those that are measured."""
    which = labels.listed("trial", list(map(labels.trial_number, known.beyond)))
    return f" unless, as {which} did, it comes out better than {known.study} had it" if known.beyond else ""


def _best_cases(study: Study) -> dict[int, Point]:
    """As the manifest tells them; none where one of them lacks an objective: it could be the one that matters."""
    told = measures(study).get("best_cases", [])
    best: dict[int, Point] = {
        one["trial"]: [number_or_nan(one["values"].get(name)) for name in study.objectives] for one in told
    }
    return best if np.isfinite(list(best.values())).all() else {}


def _networks(trials: pd.DataFrame) -> pd.Series[float]:
    """By which trial the network was trained that each of ``trials`` measures; NaN where that cannot be read."""
    column = f"{PARAM}configuration"
    return pd.to_numeric(trials[column] if column in trials else trials["number"] * np.nan, errors="coerce")


def _figures(study: Study, trials: pd.DataFrame) -> dict[int, Point]:
    """Of those of ``trials`` that have all, by whose network each measures."""
    points = np.column_stack([_networks(trials), trials[list(study.objectives)].to_numpy(dtype=float)])
    whole = points[np.isfinite(points).all(axis=1)]
    return {int(number): figures for number, *figures in whole.tolist()}


def _is_better(one: Point, other: Point, directions: Sequence[Direction]) -> bool:
    """In any objective."""
    pairs = zip(one, other, directions, strict=True)
    return any(mine > theirs if way == "maximize" else mine < theirs for mine, theirs, way in pairs)
