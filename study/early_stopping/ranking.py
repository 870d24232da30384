"""Ranks by several noisy figures at once: dominance beyond a margin of noise, fronts, crowding. Numpy alone.

Shapes: n trials, k figures, all to be maximised and all accuracies in [0, 1].
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


def margins(scores: ArrayLike, images: Sequence[int], errors: float) -> Floats:
    """(n, n, k): ``errors`` standard errors of the difference between two trials' shares of ``images`` (k,).

    Binomial, as if each trial were measured on a draw of its own: where all are measured on the same images, as the
    probes of one study are, their differences vary less, so the margin errs on the side of sparing.
    """
    rows = np.asarray(scores, dtype=float)
    variance = rows * (1 - rows) / np.asarray(images, dtype=float)
    found: Floats = errors * np.sqrt(variance[:, None] + variance[None])
    return found


def beaten(scores: ArrayLike, images: Sequence[int], errors: float) -> NDArray[np.bool_]:
    """(n, n): whether trial [i] beats trial [j]: by the margin at least in every figure, by more in one.

    With ``errors`` 0 this is Pareto dominance. A strict partial order for any ``errors``, since a sum of two margins
    is never below the margin between the outer two; and what it says, Pareto dominance says too.
    """
    rows = np.asarray(scores, dtype=float)
    gain = rows[:, None] - rows[None]
    margin = margins(rows, images, errors)
    found: NDArray[np.bool_] = (gain >= margin).all(axis=2) & ((gain > margin) & (gain > 0)).any(axis=2)
    return found


def fronts(beats: NDArray[np.bool_]) -> NDArray[np.int_]:
    """(n,) front of each trial: 0 for those that none beats, 1 for those that only front 0 beats, and so on."""
    front = np.full(len(beats), -1)
    for level in range(len(beats)):
        left = front < 0
        if not left.any():
            break
        front[left & ~beats[left].any(axis=0)] = level
    return front


def crowding(scores: ArrayLike) -> Floats:
    """(n,) crowding distance of the members of one front (Deb et al. 2002, doi:10.1109/4235.996017, section III-B).

    The sum over the figures of the distance between a member's two neighbours, as a share of the figure's range;
    infinite for the extremes.
    """
    rows = np.asarray(scores, dtype=float)
    distance = np.zeros(len(rows))
    for column in rows.T:
        order = np.argsort(column, kind="stable")
        values = column[order]
        distance[order[[0, -1]]] = np.inf
        if values[-1] > values[0]:
            distance[order[1:-1]] += (values[2:] - values[:-2]) / (values[-1] - values[0])
    return distance


def ranking(scores: ArrayLike, front: NDArray[np.int_]) -> NDArray[np.int_]:
    """(n,) rank of each trial from 1: earlier fronts first, within one the less crowded, at a tie the earlier row."""
    rows = np.asarray(scores, dtype=float)
    distance = np.zeros(len(rows))
    for level in range(front.max(initial=-1) + 1):
        distance[front == level] = crowding(rows[front == level])
    order = np.lexsort((np.arange(len(rows)), -distance, front))
    rank = np.empty(len(rows), dtype=np.int_)
    rank[order] = np.arange(1, len(rows) + 1)
    return rank
