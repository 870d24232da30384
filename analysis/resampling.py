"""Accuracies drawn anew: what each candidate might have shown with other seeds and other images.

A candidate is a trial of a search, or a configuration of a confirmation with all its seeds. Of k seeds each draw takes
k - 1 with replacement and averages them, which gives the mean's variance without bias (Rao and Wu 1988,
doi:10.1080/01621459.1988.10478591); one seed says nothing of others. The images are then drawn for that mean, once for
all seeds, because all seeds saw the same images: so seeds that agree do not make the images more.

An image is misclassified, classified right until an attack breaks it, or right under the attack, so that an accuracy
under a stronger attack never exceeds one under a weaker. The shares of these kinds are drawn from their Dirichlet
posterior with Jeffreys' prior, one half an image of each kind: a Bayesian bootstrap of the images, which also widens an
accuracy of 0 or 1. Clean and PGD accuracy of a draw thus go together as they do on images. Candidates are drawn
independently, for which image each of them got wrong is not recorded. They share their images, so that their true
differences vary less than drawn ones: probabilities from these draws are nearer to chance than they need be.

Costs are exact, and so is an accuracy whose number of images is unknown.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analysis import labels
from analysis.confirmed import EVALUATION_IMAGES, confirms
from analysis.runs import PARAM, Study, number_or_nan
from trainables.metrics import ACCURACIES, AUTO_ATTACK_ACCURACY, AUTO_ATTACK_IMAGES

DRAWS = 2000
"""A share of draws has a standard error of at most 1.2 percentage points."""
SEED = 0
_JEFFREYS = 0.5


class Resampled(NamedTuple):
    """``values`` (draws, candidates, metrics), in the order of ``names`` and of the metrics asked for."""

    names: tuple[str, ...]
    values: NDArray[np.float64]


def candidates(study: Study, metrics: Sequence[str]) -> dict[str, pd.DataFrame]:
    """Rows of ``Study.trials`` by candidate: a configuration's seeds, or one trial by its id.

    Only trials within the study's bounds that are not flagged and have every metric; a configuration with a flagged
    seed is no candidate.
    """
    rows = study.feasible[np.isfinite(study.feasible[list(metrics)].to_numpy(dtype=float)).all(axis=1)]
    flagged = rows["verdict"].map(labels.is_flagged).astype(bool)
    if not confirms(study):
        return {str(name): found for name, found in rows[~flagged].groupby("id")}
    if f"{PARAM}configuration" not in rows:
        return {}
    doubted = set(rows.loc[flagged, f"{PARAM}configuration"])
    seeds = {int(number): found for number, found in rows.groupby(f"{PARAM}configuration") if number not in doubted}
    told = confirms(study)
    numbers = [int(configuration["trial"]) for configuration in told.get("configurations", [])]
    return {f"{told.get('study')}/{labels.trial_number(n)}": seeds[n] for n in numbers if n in seeds}


def resample(found: dict[str, pd.DataFrame], metrics: Sequence[str], draws: int = DRAWS) -> Resampled:
    """``metrics`` of each of ``candidates``, drawn anew ``draws`` times; always the same draws for the same study."""
    rng = np.random.default_rng(SEED)
    values = np.empty((draws, len(found), len(metrics)))
    for place, rows in enumerate(found.values()):
        values[:, place] = _one(rng, rows, metrics, draws)
    return Resampled(tuple(found), values)


def _one(rng: np.random.Generator, rows: pd.DataFrame, metrics: Sequence[str], draws: int) -> NDArray[np.float64]:
    """(draws, metrics) of one candidate."""
    measured = rows[list(metrics)].to_numpy(dtype=float)
    chosen = rng.integers(len(measured), size=(draws, max(len(measured) - 1, 1)))
    values: NDArray[np.float64] = measured[chosen].mean(axis=1)
    nested = [metrics.index(name) for name in ACCURACIES if name in metrics]
    images = [_images(rows, metrics[place]) for place in nested]
    if nested and np.isfinite(images).all():
        values[:, nested] = _accuracies(rng, values[:, nested], [int(number) for number in images])
    return values


def _images(rows: pd.DataFrame, metric: str) -> float:
    """The fewest that any seed was measured on; NaN if unknown."""
    column = AUTO_ATTACK_IMAGES if metric == AUTO_ATTACK_ACCURACY else EVALUATION_IMAGES
    return number_or_nan(rows[column].min()) if column in rows else float("nan")


def _accuracies(rng: np.random.Generator, shares: NDArray[np.float64], images: Sequence[int]) -> NDArray[np.float64]:
    """Draws of ``shares`` (draws, k), weakest attack first; AutoAttack, the last, may have had fewer of the images."""
    fewest, most = min(images), max(images)
    if fewest == most:
        return _posterior(rng, shares, most)
    drawn = _posterior(rng, shares, fewest)
    rest = _posterior(rng, shares[:, :-1], most - fewest)
    drawn[:, :-1] = (fewest * drawn[:, :-1] + (most - fewest) * rest) / most
    return drawn


def _posterior(rng: np.random.Generator, shares: NDArray[np.float64], images: int) -> NDArray[np.float64]:
    """Nested where the shares fall from one to the next; each for itself where they do not, as under weak attacks."""
    if (np.diff(shares, axis=1) > 0).any():
        return rng.beta(shares * images + _JEFFREYS, (1 - shares) * images + _JEFFREYS)
    kinds = -np.diff(shares, axis=1, prepend=1.0, append=0.0) * images + _JEFFREYS
    drawn = rng.standard_gamma(kinds)
    drawn /= drawn.sum(axis=1, keepdims=True)
    kept: NDArray[np.float64] = 1.0 - np.cumsum(drawn[:, :-1], axis=1)
    return kept
