"""What early figures foretell of final ones, learned from the trials of one study that have finished.

Both are put on the scale of their normal scores, which leaves every rank and so every frontier as it is (a Gaussian
copula). There a linear regression of k final figures on p early features: final = weights' features + error. The errors
of one trial are correlated across its figures: a slow start shows in all of them. Prior and posterior are conjugate:
the errors' covariance is inverse Wishart, the weights are matrix normal given it (Box and Tiao 1973, chapter 8).

Which trials have finished depends on what was early measured of them, and on nothing else: that leaves a regression
on just these figures unbiased, however hard they were selected.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import invwishart, norm, rankdata

from study.early_stopping.ranking import Floats

PRIOR_WEIGHT = 0.1
"""Of what the prior says about the weights, as a share of one trial."""
PRIOR_ERROR = 0.5
"""Deviation of a final figure from what was foretold, before anything is known, in normal scores."""

TAILS = 8
"""Degrees of freedom of one trial's error, so that it may now and then be far off: some start slowly and win."""


class NormalScores:
    """Puts figures on the scale on which known trials' are normally distributed; it keeps their order.

    The score of a known figure is the normal quantile of its rank, between two it is interpolated, and beyond the
    outermost a standard deviation counts one. Training collapses now and then: on the figures themselves, a regression
    over collapsed trials says little of what tells the good ones apart.
    """

    def __init__(self, known: ArrayLike) -> None:
        """``known``: (m, k), m of 1 at least."""
        columns = np.asarray(known, dtype=float).T
        self._scales = [(*_steps(column), float(column.std()) or 1.0) for column in columns]

    def __call__(self, figures: ArrayLike) -> Floats:
        """(n, k) for figures (n, k)."""
        columns = np.reshape(figures, (-1, len(self._scales))).T
        scored = [_score(column, *scale) for column, scale in zip(columns, self._scales, strict=True)]
        found: Floats = np.column_stack(scored)
        return found


def _steps(known: Floats) -> tuple[Floats, Floats]:
    """The known figures ascending, each once, and their scores."""
    values, places = np.unique(known, return_index=True)
    return values, norm.ppf((rankdata(known) - 0.5) / len(known))[places]


def _score(figures: Floats, values: Floats, scores: Floats, deviation: float) -> Floats:
    beyond = figures - np.clip(figures, values[0], values[-1])
    found: Floats = np.interp(figures, values, scores) + beyond / deviation
    return found


@dataclass(frozen=True)
class Foretelling:
    """The posterior: mean weights (p, k), their spread (p, p), scale (k, k) and degrees of freedom of the errors."""

    weights: Floats
    spread: Floats
    scale: Floats
    freedom: int

    @classmethod
    def learn(cls, early: ArrayLike, final: ArrayLike, own: Sequence[int]) -> Self:
        """From ``early`` (m, p) and ``final`` (m, k), m of 0 at least.

        ``own`` (k,) says which feature is a final figure's own early one: the prior expects the one to equal the other.
        """
        features, figures = np.asarray(early, dtype=float), np.asarray(final, dtype=float)
        prior = np.zeros((features.shape[1], figures.shape[1]))
        prior[list(own), range(len(own))] = 1.0
        held = PRIOR_WEIGHT * np.eye(len(prior))
        spread = np.linalg.inv(held + features.T @ features)
        weights = spread @ (held @ prior + features.T @ figures)
        errors, moved = figures - features @ weights, weights - prior
        freedom = figures.shape[1] + 1
        scale = freedom * PRIOR_ERROR**2 * np.eye(figures.shape[1]) + errors.T @ errors + moved.T @ held @ moved
        return cls(weights, spread, scale, freedom + len(features))

    def draw(self, early: ArrayLike, draws: int, random: np.random.Generator) -> Floats:
        """(draws, n, k): what trials of ``early`` features (n, p) may end at; one draw is of all of them together."""
        features, (p, k) = np.asarray(early, dtype=float), self.weights.shape
        covariance = invwishart.rvs(self.freedom, self.scale, size=draws, random_state=random).reshape(draws, k, k)
        root = np.swapaxes(np.linalg.cholesky(covariance), 1, 2)
        weights = self.weights + np.linalg.cholesky(self.spread) @ random.standard_normal((draws, p, k)) @ root
        errors = random.standard_normal((draws, len(features), k)) @ root
        far = np.sqrt(random.chisquare(TAILS, (draws, len(features), 1)) / TAILS)
        found: Floats = features @ weights + errors / far
        return found
