"""PED-ANOVA as Optuna computes it, of many draws from recorded trials at once.

Watanabe, Bansal and Hutter (arXiv 2304.10255), for conditional spaces arXiv 2601.20800. Optuna's evaluator takes its
trials one by one and its time for each draw; here a draw is how often it holds each trial.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import moocore
import numpy as np
from numpy.typing import NDArray
from optuna._hypervolume.hssp import _solve_hssp
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from analysis.searched import parzen
from trainables.metrics import Direction

_CELLS = 50
"""Of a range, at most."""
_FEWEST = 2
"""Trials below which a range says nothing."""
_TINY = 1e-12


class Pool:
    """Trials, each with its parameters, their distributions and its objectives' values (NaN if not measured)."""

    def __init__(
        self,
        params: Sequence[Mapping[str, Any]],
        distributions: Sequence[Mapping[str, BaseDistribution]],
        values: NDArray[np.float64],
        directions: Sequence[Direction],
    ) -> None:
        self._losses = values * [-1.0 if direction == "maximize" else 1.0 for direction in directions]
        names = dict.fromkeys(name for row in params for name in row)
        self._regimes = {name: list(_regimes(name, params, distributions)) for name in names}

    def importances(
        self, draws: Sequence[NDArray[np.int64]], quantiles: Mapping[int | None, float]
    ) -> dict[int | None, dict[str, NDArray[np.float64]]]:
        """Of the trials at the rows of each draw, which may repeat: by the objective's place, ``None`` for all
        objectives at once, and by the parameter's name, (draws,).

        ``quantiles``: the share of best trials that a parameter is important for being among. Trials without a
        finite value of the objective (of any objective) do not count.
        """
        return {objective: self._evaluate(draws, objective, quantile) for objective, quantile in quantiles.items()}

    def _evaluate(
        self, draws: Sequence[NDArray[np.int64]], objective: int | None, quantile: float
    ) -> dict[str, NDArray[np.float64]]:
        losses = self._losses if objective is None else self._losses[:, [objective]]
        finite = np.asarray(np.isfinite(losses).all(axis=1))
        drawn = [rows[finite[rows]] for rows in draws]
        best = [rows[_best(losses[rows], quantile)] for rows in drawn]
        times, times_best = _times(drawn, len(losses)), _times(best, len(losses))
        total = np.maximum(times.sum(axis=1), 1)
        return {
            name: sum((one.departure(times_best, times) for one in regimes), np.zeros(len(draws))) / total
            for name, regimes in self._regimes.items()
        }


class _Regime(NamedTuple):
    """Trials that have a parameter, and the same range of it."""

    cells: NDArray[np.float64]
    """(trials, cells): 1 in the cell of the range that a trial's value lies in."""
    choices: bool

    def departure(self, times_best: NDArray[np.float64], times: NDArray[np.float64]) -> NDArray[np.float64]:
        """(draws,) Pearson's divergence of the best trials' distribution from all trials', weighted by their number;
        how often each is among them (draws, trials)."""
        of_best, of_all = times_best @ self.cells, times @ self.cells
        chosen, among = of_best.sum(axis=1), of_all.sum(axis=1)
        estimate = parzen.of_choices if self.choices else parzen.of_numbers
        density, expected = estimate(of_best) + _TINY, estimate(of_all) + _TINY
        divergence: NDArray[np.float64] = ((density - expected) ** 2 / expected).sum(axis=1)
        return divergence * np.where(among >= _FEWEST, chosen**2 / np.maximum(among, 1), 0.0)


def _regimes(
    name: str, params: Sequence[Mapping[str, Any]], distributions: Sequence[Mapping[str, BaseDistribution]]
) -> Iterator[_Regime]:
    """Without those that leave nothing to search."""
    owners: dict[BaseDistribution, list[int]] = {}
    for row, ranges in enumerate(distributions):
        if name in ranges and not ranges[name].single():
            owners.setdefault(ranges[name], []).append(row)
    for its, rows in owners.items():
        places, count = _cells(its, [params[row][name] for row in rows])
        cells = np.zeros((len(params), count))
        cells[rows, places] = 1
        yield _Regime(cells, isinstance(its, CategoricalDistribution))


def _cells(its: BaseDistribution, values: Sequence[Any]) -> tuple[NDArray[np.int64], int]:
    """Where ``values`` lie among the cells of their range, and how many these are."""
    if isinstance(its, CategoricalDistribution):
        return np.array([int(its.to_internal_repr(value)) for value in values]), len(its.choices)
    assert isinstance(its, IntDistribution | FloatDistribution)
    count = _CELLS
    if its.log and isinstance(its, IntDistribution):
        count = min(math.ceil(math.log2(its.high - its.low + 1)) + 1, _CELLS)
    elif its.step is not None:
        count = min(round((its.high - its.low) / its.step) + 1, _CELLS)
    low, high, *places = (np.log if its.log else np.asarray)([its.low, its.high, *values])
    cells = np.ceil((np.array(places) - low) / ((high - low) / (count - 1)) - 0.5)
    return cells.clip(0, count - 1).astype(int), count


def _times(draws: Sequence[NDArray[np.int64]], trials: int) -> NDArray[np.float64]:
    """(draws, trials) how often each draw holds each trial."""
    return np.array([np.bincount(rows, minlength=trials) for rows in draws], dtype=float)


def _best(losses: NDArray[np.float64], share: float) -> NDArray[np.int64]:
    """Places of the best ``share`` of ``losses`` (n, k): by rank of non-domination, and of the last rank those that
    together dominate most; of one objective all that equal the last of them."""
    wanted = math.ceil(share * len(losses))
    if wanted == 0 or losses.shape[1] == 1:
        return np.flatnonzero(losses[:, 0] <= np.sort(losses[:, 0])[wanted - 1 : wanted])
    ranks = moocore.pareto_rank(losses)
    last = np.sort(ranks)[wanted - 1]
    sure, tied = np.flatnonzero(ranks < last), np.flatnonzero(ranks == last)
    worst = losses[tied].max(axis=0)
    reference = np.maximum(1.1 * worst, 0.9 * worst)
    reference[reference == 0] = _TINY
    return np.concatenate([sure, _solve_hssp(losses[tied], tied, wanted - len(sure), reference)])
