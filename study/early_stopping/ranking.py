"""Ranks by several figures at once: fronts, crowding, spread, chances of the frontier.

Shapes: n trials, k figures, all to be maximised and all accuracies in [0, 1].
"""

from __future__ import annotations

import numpy as np
from moocore import is_nondominated, pareto_rank
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


def chances(draws: ArrayLike, reached: ArrayLike, least: ArrayLike = -np.inf) -> Floats:
    """(n,): in what share of ``draws`` (s, n, k) each trial is dominated by none, nor by one of ``reached`` (m, k), and
    falls short of ``least`` (k,) in no figure.

    What falls short dominates nothing that does not, so it need only be counted out.
    """
    rows, fixed = np.asarray(draws, dtype=float), np.asarray(reached, dtype=float)
    best = [is_nondominated(np.concatenate([draw, fixed]), maximise=True, keep_weakly=True) for draw in rows]
    within = (rows >= np.asarray(least, dtype=float)).all(axis=2)
    found: Floats = np.mean(np.asarray(best)[:, : rows.shape[1]] & within, axis=0)
    return found


def fronts(scores: ArrayLike) -> NDArray[np.int_]:
    """(n,) front of each trial: 0 for those that none dominates, 1 for those that only front 0 does, and so on."""
    found: NDArray[np.int_] = pareto_rank(np.asarray(scores, dtype=float), maximise=True)
    return found


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


def ranking(scores: ArrayLike) -> NDArray[np.int_]:
    """(n,) rank of each trial from 1: earlier fronts first, within one the less crowded, at a tie the earlier row."""
    rows, front = np.asarray(scores, dtype=float), fronts(scores)
    distance = np.zeros(len(rows))
    for level in range(front.max(initial=-1) + 1):
        distance[front == level] = crowding(rows[front == level])
    order = np.lexsort((np.arange(len(rows)), -distance, front))
    rank = np.empty(len(rows), dtype=np.int_)
    rank[order] = np.arange(1, len(rows) + 1)
    return rank


def farthest_first(points: ArrayLike) -> list[int]:
    """The order of ``points`` (n, k) in which each is the farthest from all before it, from the best in column 0 on.

    Clarkson 2006's epsilon-net (Nearest-Neighbor Searching and Metric Space Dimensions): however many of the first are
    taken, they cover the rest as evenly as so many may.
    """
    rows = np.asarray(points, dtype=float)
    order = [int(rows[:, 0].argmax())]
    nearest = np.full(len(rows), np.inf)
    while len(order) < len(rows):
        nearest = np.minimum(nearest, np.linalg.norm(rows - rows[order[-1]], axis=1))
        nearest[order] = -np.inf
        order.append(int(nearest.argmax()))
    return order
