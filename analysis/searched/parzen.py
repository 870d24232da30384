"""Parzen estimates over the cells of a range, of many draws at once, as Optuna's PED-ANOVA makes them one by one.

Counts are (draws, cells): how many trials fell into each cell. A prior, nearly even, has the weight of one trial.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

_NARROWEST = 0.5 / 1.64
"""Standard deviation of a kernel, in cells: nine tenths of it within its own."""


def of_numbers(counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """(draws, cells) probabilities, from a normal kernel on each trial's cell, cut off at the ends of the range."""
    total, cells = counts.sum(axis=1, keepdims=True), counts.shape[1]
    kernels = _normal(np.arange(cells)[:, None], _widths(counts)[:, None, None], cells)
    prior = _normal((cells - 1) / 2, cells, cells)
    found: NDArray[np.float64] = (np.einsum("dk,dkc->dc", counts, kernels) + prior) / (total + 1)
    return found


def of_choices(counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """(draws, cells) probabilities, from a kernel on each trial's choice that leaves the others a little."""
    total, choices = counts.sum(axis=1, keepdims=True), counts.shape[1]
    kernels = np.count_nonzero(counts, axis=1, keepdims=True) + 1  # the prior's among them
    found: NDArray[np.float64] = ((kernels * counts + total) / (kernels + choices) + 1 / choices) / (total + 1)
    return found


def _normal(middle: NDArray[np.int64] | float, width: NDArray[np.float64] | float, cells: int) -> NDArray[np.float64]:
    """(..., cells) what lies in each cell of what lies in any."""
    below = ndtr((np.arange(cells + 1) - 0.5 - middle) / width)
    shares: NDArray[np.float64] = np.diff(below) / (below[..., -1:] - below[..., :1])
    return shares


def _widths(counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """(draws,) Scott's rule (Multivariate Density Estimation, 1992), robust by the distance of the quartiles."""
    total, places = np.maximum(counts.sum(axis=1), 1), np.arange(counts.shape[1])
    offsets = places - (counts @ places / total)[:, None]
    deviation = np.sqrt((counts * offsets**2).sum(axis=1) / np.maximum(total - 1, 1))
    reached = counts.cumsum(axis=1).T
    low = (reached >= np.maximum(total // 4, 1)).argmax(axis=0)
    high = (reached > total * 3 // 4).argmax(axis=0)
    widths: NDArray[np.float64] = 1.059 * np.minimum((high - low) / 1.34, deviation) * total**-0.2
    return np.maximum(widths, _NARROWEST)
