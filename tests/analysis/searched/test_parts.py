"""Parts of ranges hold what their words say, and as many of even draws as their share says."""

from __future__ import annotations

import math
from typing import Any

import optuna
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from analysis.searched.parts import Part, ends, parts

DRAWS = 2000
CROPS = IntDistribution(4, 24)
RATE = FloatDistribution(1e-3, 1.0, log=True)
EPOCHS = IntDistribution(2, 200, log=True)
STEPPED = FloatDistribution(0.0, 1.0, step=0.25)
M = CategoricalDistribution([3, 5, 7])
RANGES: list[BaseDistribution] = [
    *(CROPS, RATE, EPOCHS, STEPPED, M),
    *(IntDistribution(4, 60, step=4), FloatDistribution(0.2, 0.9), IntDistribution(1, 3), IntDistribution(0, 10**9)),
]


def drawn(distribution: BaseDistribution) -> pd.Series[Any]:
    sampler = optuna.samplers.RandomSampler(seed=0)
    study = optuna.create_study(sampler=sampler)
    return pd.Series([study.ask({"x": distribution}).params["x"] for _ in range(DRAWS)])


@pytest.mark.parametrize("distribution", RANGES, ids=str)
def test_as_many_draws_lie_in_a_part_as_its_share_says(distribution: BaseDistribution) -> None:
    values = drawn(distribution)
    for part in (*(ends("x", distribution, 0.1) or ()), *parts("x", distribution)):
        deviation = math.sqrt(part.share * (1 - part.share) / DRAWS)
        assert float(part.of(values).mean()) == pytest.approx(part.share, abs=4 * deviation + 1e-9)


@given(st.integers(-20, 20), st.integers(1, 40), st.integers(1, 5), st.floats(0.01, 0.5))
def test_an_end_is_at_most_its_share_but_at_least_one_value(low: int, count: int, step: int, share: float) -> None:
    values = [low + place * step for place in range(count + 1)]
    both = ends("x", IntDistribution(low, values[-1], step=step), share)
    assert both is not None
    for part, extreme in zip(both, (low, values[-1]), strict=True):
        inside = [value for value in values if part.holds(value)]
        assert extreme in inside
        assert part.share == pytest.approx(len(inside) / len(values))
        assert len(inside) == max(1, math.floor(share * len(values) + 1e-6))


def told(found: tuple[Part, ...] | None) -> list[str]:
    return [part.words for part in found or ()]


def test_parts_are_called_by_their_values() -> None:
    assert told(ends("crops", CROPS, 0.1)) == ["4 to 5", "23 to 24"]
    assert told(ends("m", M, 0.1)) == ["3", "7"]
    assert told(ends("epsilon", FloatDistribution(0, 10 / 255), 0.1)) == ["0/255 to 1/255", "9/255 to 10/255"]
    assert told(parts("crops", CROPS)) == ["4 to 10", "18 to 24"]
    assert told(parts("x", STEPPED)) == ["0", "0.25", "0.5", "0.75", "1"]
    assert told(parts("learning_rate", RATE)) == ["0.001 to 0.01", "0.1 to 1"]
    words = CategoricalDistribution(["emp_ssl", "simclr", None])
    assert told(parts("views.augmentation", words)) == ["emp_ssl", "simclr", "null"]


def test_words_and_single_values_have_no_ends() -> None:
    for distribution in (
        CategoricalDistribution(["a", "b"]),
        CategoricalDistribution([1, "null"]),
        CategoricalDistribution([3]),
        IntDistribution(3, 3),
        FloatDistribution(0.5, 0.5),
    ):
        assert ends("x", distribution, 0.1) is None


def test_a_missing_value_lies_in_no_part() -> None:
    for part in parts("m", M):
        assert not part.of(pd.Series([None, math.nan, pd.NA])).any()
