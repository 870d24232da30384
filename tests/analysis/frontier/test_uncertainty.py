"""Intervals over seeds against hand computation."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from analysis.frontier.uncertainty import over_seeds, paired, student, welch


def test_one_seed_has_wilsons_interval() -> None:
    # p = 0.5, n = 100, z = 1.959964: centre 0.5, half = z / (1 + z^2/n) * sqrt(0.25/n + z^2/(4 n^2)) = 0.096168
    assert over_seeds([0.5], 100) == pytest.approx((0.5, 0.403832, 0.596168), abs=1e-6)


def test_two_seeds_that_differ_have_students() -> None:
    # mean 0.5, standard deviation 0.02 * sqrt(2), t(0.975, 1) = 12.706205: half = 12.706205 * 0.02 = 0.254124
    assert over_seeds([0.48, 0.52], 10_000) == pytest.approx((0.5, 0.245876, 0.754124), abs=1e-6)


def test_seeds_that_agree_do_not_make_the_images_more() -> None:
    assert over_seeds([0.5, 0.5, 0.5], 100) == pytest.approx(over_seeds([0.5], 100))


def test_an_interval_stays_within_0_and_1() -> None:
    mean, low, high = over_seeds([0.1, 0.9], 100)
    assert (math.isclose(mean, 0.5), low, high) == (True, 0.0, 1.0)


def test_the_interval_of_a_mean_is_students() -> None:
    values = [0.1, 0.2, 0.4, 0.3]
    for level in (0.95, 0.99):
        low, high = stats.t.interval(level, 3, np.mean(values), stats.sem(values))
        assert student(values, level) == pytest.approx((0.25, low, high))
    assert student([0.3])[1:] == (-np.inf, np.inf), "one says nothing of others"


@pytest.mark.parametrize("level", [0.95, 0.99])
def test_the_interval_of_a_difference_is_welchs(level: float) -> None:
    one, other = [0.31, 0.35, 0.30, 0.41], [0.28, 0.275, 0.29]
    low, high = stats.ttest_ind(one, other, equal_var=False).confidence_interval(level)
    assert welch(one, other, level) == pytest.approx((np.mean(one) - np.mean(other), low, high))
    assert welch([0.5], other)[1:] == (-np.inf, np.inf)
    assert welch([0.5, 0.5], [0.25, 0.25]) == (0.25, 0.25, 0.25), "neither varies"


def test_the_interval_of_pairs_is_students_of_their_differences() -> None:
    one, other = [0.31, 0.35, 0.41], [0.28, 0.33, 0.37]
    low, high = stats.ttest_rel(one, other).confidence_interval(0.95)
    assert paired(one, other) == pytest.approx((0.03, low, high))
