"""Empirical attainment surfaces: what a given share of repeated searches would reach.

A run attains a point if one of its own points is at least as good in every metric. The surface at p % is the edge of
what at least p % of the runs attain (Grunert da Fonseca, Fonseca and Hall 2001, doi:10.1007/3-540-44719-9_15;
computed by moocore).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import moocore
import numpy as np
from numpy.typing import ArrayLike, NDArray

from analysis import labels
from analysis.frontier.confirmed import competing, confirms
from analysis.frontier.pareto import non_dominated
from analysis.frontier.resampling import candidates, resample
from analysis.reading.runs import PARAM, Study
from analysis.schema import TrialStatus
from trainables.metrics import Direction, direction

LEVELS = (25, 50, 75)
RESAMPLES = 400
_WHOLE = 1e-9

Points = NDArray[np.float64]


class Attainment(NamedTuple):
    """``surfaces``: for each of ``LEVELS`` the corners (n, 2) of what that share of ``runs`` runs attains."""

    surfaces: dict[int, Points]
    runs: int
    seeds: bool
    """Whether the runs are a confirmation's seeds; else they are resamples of a search's images."""

    def words(self, level: int) -> str:
        """``attained by 50 %, at least 2 of 3 seeds``."""
        if not self.seeds:
            return f"attained by {level} % of {self.runs} resamples of the images"
        return f"attained by {level} %, at least {needed(level, self.runs)} of {labels.counted(self.runs, 'seed')}"


def attainment_sentence(study: Study) -> str:
    """What the surfaces of a study are of, and what they leave out."""
    if confirms(study):
        return "The band holds what 25 to 75 % of the seeds attain, the line within it what half do."
    return (
        "The band holds what 25 to 75 % of redraws of the evaluation's images attain with the frontier's trials, the "
        "line within it what half do. Trials were chosen by the images that measured them, so the surfaces flatter "
        "the search as the frontier does; a confirmation's, over seeds on test images, do not."
    )


def needed(percent: float, runs: int) -> int:
    """How many of ``runs`` are ``percent`` of them, at least one."""
    return max(1, math.ceil(percent / 100 * runs - _WHOLE))


def attainment(study: Study, metrics: tuple[str, str]) -> Attainment | None:
    """Surfaces over two ``metrics``; ``None`` where no run has a point.

    Of a confirmation each seed with which every configuration has ended is a run: its trials of the configurations
    that compete for the frontier (``confirmed.competing``). Of a search, which has one seed, the runs are the
    frontier's trials over ``metrics``, their images drawn anew (``resampling``). Which trials these are is not drawn
    anew, and they were chosen by the images that measured them, so a search's surfaces flatter it as its frontier does:
    in simulated searches of 60 trials on 1,000 images the median surface enclosed 1.5 points of hypervolume more than
    the chosen trials deserved, the frontier 1.2. A confirmation's do not.
    """
    directions = [direction(name) for name in metrics]
    runs = _seeds(study, metrics) if confirms(study) else _resamples(study, metrics, directions)
    surfaces = {level: surface(runs, level, directions) for level in LEVELS} if runs else {}
    if not any(len(corners) for corners in surfaces.values()):
        return None
    return Attainment(surfaces, len(runs), seeds=bool(confirms(study)))


def surface(runs: Sequence[ArrayLike], percent: float, directions: Sequence[Direction]) -> Points:
    """Corners (n, k) of what at least ``percent`` of ``runs`` attain, each run's points (m, k), k being 2 or 3.

    A run without points attains nothing and counts; rows with NaN or infinity do not. Empty where too few runs attain
    anything. In order of the first metric.
    """
    width = len(directions)
    sound = [rows[np.isfinite(rows).all(axis=1)] for rows in (_rows(run, width) for run in runs)]
    filled = [rows for rows in sound if len(rows)]
    least = needed(percent, len(runs))
    if len(filled) < least:
        return np.empty((0, width))
    signs = np.where([direction == "maximize" for direction in directions], -1.0, 1.0)
    which = np.repeat(np.arange(len(filled)), [len(rows) for rows in filled])
    levels = [100 * least / len(filled)]
    found = moocore.eaf(np.concatenate(filled) * signs, which, percentiles=levels)[:, :-1] * signs
    return np.asarray(found[np.lexsort(found.T[::-1])])


def _rows(run: ArrayLike, width: int) -> Points:
    return np.asarray(run, dtype=float).reshape(-1, width)


def _seeds(study: Study, metrics: tuple[str, str]) -> list[Points]:
    trials = study.trials
    if not {f"{PARAM}seed", f"{PARAM}configuration"} <= set(trials):
        return []
    wanted = {int(configuration["trial"]) for configuration in confirms(study).get("configurations", [])}
    over = trials[(trials["status"] != TrialStatus.RUNNING) & (trials["excluded"] == "")]
    ended = over.groupby(f"{PARAM}seed")[f"{PARAM}configuration"]
    complete = [seed for seed, numbers in ended if wanted <= set(numbers)]
    found = competing(study, metrics)
    return [found.loc[found[f"{PARAM}seed"] == seed, list(metrics)].to_numpy(dtype=float) for seed in complete]


def _resamples(study: Study, metrics: tuple[str, str], directions: Sequence[Direction]) -> list[Points]:
    found = candidates(study, metrics)
    if not found:
        return []
    best = non_dominated(np.concatenate([candidate.values for candidate in found]), directions)
    chosen = [candidate for candidate, kept in zip(found, best, strict=True) if kept]
    return list(resample(chosen, metrics, RESAMPLES))
