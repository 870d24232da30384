"""Importances of many draws at once are those that Optuna computes of one draw after the other."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
import optuna
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.importance import PedAnovaImportanceEvaluator
from optuna.trial import FrozenTrial, create_trial

from analysis.searched.ped_anova import Pool
from trainables.metrics import Direction

RANGES: dict[str, tuple[BaseDistribution, ...]] = {
    "rate": (FloatDistribution(1e-3, 1, log=True), FloatDistribution(0.1, 10, log=True)),
    "share": (FloatDistribution(0, 1), FloatDistribution(0.2, 0.4)),
    "crops": (IntDistribution(2, 16), IntDistribution(1, 400), IntDistribution(4, 24, step=4)),
    "width": (IntDistribution(1, 512, log=True), IntDistribution(3, 3)),
    "kind": (CategoricalDistribution(["p", "q", "r"]), CategoricalDistribution([64, 128])),
}
"""The ranges that a parameter may have, by trainable."""


def drawn_from(its: BaseDistribution, generator: np.random.Generator) -> Any:
    if isinstance(its, CategoricalDistribution):
        return its.choices[generator.integers(len(its.choices))]
    assert isinstance(its, IntDistribution | FloatDistribution)
    place = generator.random()
    value = its.low * (its.high / its.low) ** place if its.log else its.low + (its.high - its.low) * place
    step = its.step or 1
    return value if isinstance(its, FloatDistribution) else int(its.low + (value - its.low) // step * step)


def trials_of(
    seed: int, count: int, objectives: int
) -> tuple[list[dict[str, Any]], list[dict[str, BaseDistribution]], NDArray[np.float64]]:
    """Of trainables that share, narrow or lack parameters; with equal values, and some that were not measured."""
    generator = np.random.default_rng(seed)
    kinds = [
        {name: ranges[generator.integers(len(ranges))] for name, ranges in RANGES.items() if generator.random() < 0.8}
        for _ in range(3)
    ]
    distributions = [kinds[generator.integers(3)] for _ in range(count)]
    params = [{name: drawn_from(its, generator) for name, its in ranges.items()} for ranges in distributions]
    values = generator.integers(0, 30, (count, objectives)) / 30
    values[generator.random(values.shape) < 0.03] = np.inf
    return params, distributions, values


def of_optuna(
    trials: list[FrozenTrial], directions: list[Direction], place: int | None, share: float
) -> dict[str, float]:
    with warnings.catch_warnings(action="ignore"):
        study = optuna.create_study(directions=list(directions))
        study.add_trials(trials)
        sign = -1.0 if place is not None and directions[place] == "maximize" else 1.0
        target = None if place is None else lambda trial: sign * trial.values[place]
        return PedAnovaImportanceEvaluator(target_quantile=share).evaluate(study, target=target)


@pytest.mark.parametrize("directions", [["maximize"], ["maximize", "minimize"], ["maximize", "maximize", "minimize"]])
@settings(max_examples=8, deadline=None)
@given(st.integers(0, 10**6), st.integers(20, 60), st.floats(0.05, 0.5))
def test_many_draws_at_once_are_as_optuna_has_each(
    directions: list[Direction], seed: int, count: int, share: float
) -> None:
    params, distributions, values = trials_of(seed, count, len(directions))
    draws = [np.arange(count), *np.random.default_rng(seed).integers(count, size=(2, count))]
    places = [*range(len(directions)), None] if len(directions) > 1 else [0]
    found = Pool(params, distributions, values, directions).importances(draws, dict.fromkeys(places, share))
    known: list[Mapping[str, Any]] = [
        {"params": own, "distributions": ranges} for own, ranges in zip(params, distributions, strict=True)
    ]
    for number, draw in enumerate(draws):
        trials = [create_trial(values=[*values[row]], **known[row]) for row in draw]
        for place in places:
            expected = of_optuna(trials, directions, place, share)
            mine = {name: shares[number] for name, shares in found[place].items() if name in expected}
            assert mine == pytest.approx(expected, rel=1e-9, abs=1e-12)
            assert not any(shares[number] for name, shares in found[place].items() if name not in expected)
