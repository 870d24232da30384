"""PED-ANOVA as Optuna computes it, of any draw from recorded trials.

Watanabe, Bansal and Hutter (arXiv 2304.10255), for conditional spaces arXiv 2601.20800.
"""

from __future__ import annotations

import contextlib
import json
import math
import warnings
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
import optuna
from numpy.typing import NDArray
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
    json_to_distribution,
)
from optuna.importance import PedAnovaImportanceEvaluator
from optuna.storages import InMemoryStorage
from optuna.trial import FrozenTrial, TrialState

from trainables.metrics import Direction

_DECADE = 10.0
_WHEN = datetime(2000, 1, 1, tzinfo=UTC)
"""Optuna wants a time; nothing depends on it."""


class Pool:
    """Trials, each with its parameters, their distributions and its objectives' values (NaN if not measured)."""

    def __init__(
        self,
        params: Sequence[Mapping[str, Any]],
        distributions: Sequence[Mapping[str, BaseDistribution]],
        values: NDArray[np.float64],
        directions: Sequence[Direction],
    ) -> None:
        self._params = params
        self._distributions = distributions
        self._values = values.tolist()
        self._directions = directions
        self._storage = _Drawn()
        with _quiet():
            self._study = optuna.create_study(storage=self._storage, directions=list(directions))

    def importances(
        self, rows: Iterable[int], quantiles: Mapping[int | None, float]
    ) -> dict[int | None, dict[str, float]]:
        """Of the trials at ``rows``, which may repeat: by the objective's place, ``None`` for all objectives at once.

        ``quantiles``: the share of best trials that a parameter is important for being among. Trials without a
        finite value of the objective (of any objective) do not count.
        """
        self._storage.drawn = [self._trial(place, row) for place, row in enumerate(rows)]
        with _quiet():
            return {objective: self._evaluate(objective, quantile) for objective, quantile in quantiles.items()}

    def _evaluate(self, objective: int | None, quantile: float) -> dict[str, float]:
        evaluator = PedAnovaImportanceEvaluator(target_quantile=quantile)
        if objective is None:
            return evaluator.evaluate(self._study)
        sign = -1.0 if self._directions[objective] == "maximize" else 1.0  # a target is minimised, always
        return evaluator.evaluate(self._study, target=lambda trial: sign * trial.values[objective])

    def _trial(self, place: int, row: int) -> FrozenTrial:
        return FrozenTrial(
            number=place,
            trial_id=place,
            state=TrialState.COMPLETE,
            value=None,
            values=self._values[row],
            datetime_start=_WHEN,
            datetime_complete=_WHEN,
            params=dict(self._params[row]),
            distributions=dict(self._distributions[row]),
            user_attrs={},
            system_attrs={},
            intermediate_values={},
        )


def distribution(stated: Mapping[str, Any], values: Sequence[Any]) -> BaseDistribution:
    """The range that ``stated``, Optuna's JSON, describes, widened to ``values``; inferred from these if it does not.

    Values are wider than the range where a study was extended to a narrower one.
    """
    with _quiet():
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


class _Drawn(InMemoryStorage):
    """Holds a study with the trials that were drawn: adding them to Optuna's own would copy each, in every draw."""

    def __init__(self) -> None:
        super().__init__()
        self.drawn: list[FrozenTrial] = []

    def get_all_trials(
        self,
        study_id: int,  # noqa: ARG002
        deepcopy: bool = True,  # noqa: ARG002
        states: Container[TrialState] | None = None,  # noqa: ARG002
    ) -> list[FrozenTrial]:
        return self.drawn


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without what Optuna says of every study in memory, and of targets that are to be negated: they are."""
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        optuna.logging.set_verbosity(before)
