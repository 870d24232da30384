"""PED-ANOVA as Optuna computes it, of many draws from recorded trials at once.

Watanabe, Bansal and Hutter (arXiv 2304.10255), for conditional spaces arXiv 2601.20800. Optuna's evaluator takes its
trials one by one and its time for each draw; here a draw is how often it holds each trial.
"""

from __future__ import annotations

import json
import math
import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import moocore
import numpy as np
from numpy.typing import NDArray
from optuna._hypervolume.hssp import _solve_hssp
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
    json_to_distribution,
)

from analysis import parzen
from trainables.metrics import Direction

_DECADE = 10.0
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


def distribution(stated: Mapping[str, Any], values: Sequence[Any]) -> BaseDistribution:
    """The range that ``stated``, Optuna's JSON, describes, widened to ``values``; inferred from these if it does not.

    Values are wider than the range where a study was extended to a narrower one.
    """
    found = _readable(stated)
    if isinstance(found, CategoricalDistribution) or not all(map(_is_number, values)):
        choices = found.choices if isinstance(found, CategoricalDistribution) else ()
        return CategoricalDistribution(list(dict.fromkeys([*map(plain, choices), *map(plain, values)])))
    if isinstance(found, IntDistribution | FloatDistribution):
        return _widened(found, values)
    low, high = min(values), max(values)
    return _ranged(low, high, whole=_whole(values), log=low > 0 and high / low > _DECADE and _even_in_logs(values))


def plain(value: Any) -> Any:
    """A value as Optuna stores choices: numbers as they are, all else by its text."""
    return value if _is_number(value) else str(value)


def _readable(stated: Mapping[str, Any]) -> BaseDistribution | None:
    try:
        with warnings.catch_warnings(action="ignore"):  # of a range that its steps do not fill
            return json_to_distribution(json.dumps(dict(stated)))
    except (AttributeError, KeyError, TypeError, ValueError):
        return None


def _widened(found: IntDistribution | FloatDistribution, values: Sequence[Any]) -> BaseDistribution:
    low, high = min(found.low, *values), max(found.high, *values)
    if (low, high) == (found.low, found.high):
        return found
    return _ranged(low, high, whole=isinstance(found, IntDistribution) and _whole(values), log=found.log and low > 0)


def _ranged(low: float, high: float, *, whole: bool, log: bool) -> BaseDistribution:
    return IntDistribution(int(low), int(high), log=log) if whole else FloatDistribution(low, high, log=log)


def _whole(values: Sequence[Any]) -> bool:
    return all(float(value).is_integer() for value in values)


def _even_in_logs(values: Sequence[Any]) -> bool:
    """Whether the middle one of positive ``values`` is nearer to the middle of their range in logarithms."""

    def off(places: NDArray[np.float64]) -> float:
        middle = (places.min() + places.max()) / 2
        return float(abs(np.median(places) - middle) / (places.max() - places.min()))

    places = np.asarray(values, dtype=float)
    return off(np.log(places)) < off(places)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
