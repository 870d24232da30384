"""The outlook on simulated searches whose answer is known, and its error rates with a fixed seed."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from analysis.frontier.pareto import hypervolume
from analysis.frontier.plateau import FEWEST, LEVEL, WIDTH, WORTH, Plateau, _like, plateau, plateau_sentence
from analysis.reading.runs import read_study

IMAGES = 1000
SEARCHES = 40
Values = NDArray[np.float64]


def measured(rng: np.random.Generator, quality: Values) -> Values:
    """Clean and PGD accuracy of trials of a quality in [0, 1], with the luck of ``IMAGES`` images."""
    clean = 0.4 + 0.5 * quality
    right = rng.binomial(IMAGES, clean)
    return np.stack([right, rng.binomial(right, 0.2 + 0.5 * quality)], axis=1) / IMAGES


def settled(rng: np.random.Generator, trials: int) -> Values:
    """Around one optimum, as of a search that has found it."""
    return measured(rng, 0.7 - rng.exponential(0.05, trials).clip(max=0.6))


def climbing(rng: np.random.Generator, trials: int) -> Values:
    """Always a little better than before."""
    return measured(rng, np.linspace(0.1, 0.9, trials) * rng.uniform(0.8, 1, trials))


def at_random(rng: np.random.Generator, trials: int) -> Values:
    """Whose best are rarer the better they are."""
    return measured(rng, rng.beta(2, 5, trials))


def gain(values: Values, trials: int) -> float:
    """Of the trials after the first ``trials``, as a share of what those had."""
    whole, had = (hypervolume(rows, ["maximize"] * 2, [0, 0]) for rows in (values, values[:trials]))
    return whole / had - 1


@pytest.mark.parametrize("trials", [40, 100])
def test_who_has_found_the_optimum_is_seldom_said_to_pay(trials: int) -> None:
    rng = np.random.default_rng(0)
    outlooks = [plateau(settled(rng, trials)).outlook for _ in range(SEARCHES)]
    assert outlooks.count("likely") <= 0.1 * SEARCHES
    assert outlooks.count("unlikely") >= 0.3 * SEARCHES


@pytest.mark.parametrize("trials", [40, 100])
def test_who_climbs_is_never_said_to_be_done(trials: int) -> None:
    rng = np.random.default_rng(1)
    outlooks = [plateau(climbing(rng, trials)).outlook for _ in range(SEARCHES)]
    assert outlooks.count("unlikely") == 0
    assert outlooks.count("likely") >= 0.6 * SEARCHES


def test_chances_of_random_searches_come_true_and_they_seldom_seem_to_climb() -> None:
    rng = np.random.default_rng(2)
    searches = [at_random(rng, 50) for _ in range(4 * SEARCHES)]
    found = [plateau(values[:40]) for values in searches]
    chance = np.mean([one.chance for one in found])
    paid = np.mean([gain(values, 40) >= WORTH for values in searches])
    assert 0.1 < paid < 0.9, "the case is one that tells"
    assert abs(paid - chance) < 0.12, "a share of 160 has a standard error of at most 0.04"
    expected = len(found) * LEVEL
    assert sum(one.late <= LEVEL for one in found) <= expected + 3 * math.sqrt(expected)


def test_a_gain_at_the_very_end_is_a_climb_and_one_long_ago_is_none() -> None:
    level = np.full((100, 2), 0.5)
    late, early = level.copy(), level.copy()
    late[60:] += np.linspace(0.01, 0.2, 40)[:, None]
    early[:20] += 0.2
    assert plateau(late).climbing
    once = level.copy()
    once[85:] += 0.2
    assert plateau(once).recent_gain > WORTH
    assert not plateau(once).climbing, "it gained nothing before"
    assert not plateau(early).climbing
    assert plateau(early).recent_gain == 0


def test_rows_without_figures_and_accuracies_of_zero_are_borne() -> None:
    values = np.full((40, 2), math.nan)
    values[3] = 0.5
    assert plateau(values).outlook == "unlikely"
    assert plateau(np.zeros((40, 2))).outlook == "unlikely"


@pytest.mark.parametrize("values", [np.full((FEWEST - 1, 2), 0.5), np.full((FEWEST, 2), math.nan)])
def test_too_few_trials_are_refused(values: Values) -> None:
    with pytest.raises(ValueError, match="do not tell a plateau"):
        plateau(values)


def test_sentences(new_study: Callable[..., Any]) -> None:
    early, costs, done = new_study(), new_study("costs", objectives=[{"metric": "gpu_minutes"}]), new_study("done")
    told = {"study": "tiny", "seeds": [1], "configurations": [{"trial": 1}]}
    for number in range(2):
        early.finished(number, 0.5, 0.5)
    for number in range(FEWEST):
        done.finished(number, 0.5, 0.5)
    assert plateau_sentence(read_study(early.paths)).startswith("Too early to tell")
    assert plateau_sentence(read_study(costs.paths)).startswith("Whether more budget would pay is told from accuracies")
    assert plateau_sentence(read_study(new_study("child", confirms=told).paths)) == ""
    assert plateau_sentence(read_study(done.paths)) == (
        "10 more trials are not likely to pay: if they are like those so far, the chance that they add 2 % or more to "
        "the hypervolume is 0 %; the last 8 added 0.0 %."
    )
    climb = np.full((40, 2), 0.5)
    climb[24:] += np.linspace(0.02, 0.2, 16)[:, None]
    assert plateau(climb).sentence.startswith(
        "The search is still climbing, so 10 more trials are likely to pay: the last 8"
    )


def test_one_gain_at_the_end_is_in_the_last_fifth_of_two_fifths_of_the_orders() -> None:
    values = np.full((40, 2), 0.5)
    values[-1] = 0.6
    found = plateau(values)
    assert found.recent_gain == pytest.approx((0.36 - 0.25) / 0.36)
    # 8 of the 20 that are shuffled; a share of 400 has a standard error of 0.025
    assert found.late == pytest.approx(0.4, abs=0.1)
    assert not found.climbing


def test_what_may_come_is_like_what_was_with_a_little_more_spread_and_fails_as_often() -> None:
    rng = np.random.default_rng(4)
    values = rng.multivariate_normal([0.5, 0.4], [[0.01, 0.006], [0.006, 0.005]], 200)
    values[::4] = math.nan
    drawn = _like(values, 20_000, rng)
    told, known = np.isfinite(drawn).all(axis=1), values[np.isfinite(values).all(axis=1)]
    assert np.mean(~told) == pytest.approx(0.25, abs=0.02)
    assert drawn[told].mean(axis=0) == pytest.approx(known.mean(axis=0), abs=0.005)
    wider = 1 + (WIDTH * 150 ** (-1 / 6)) ** 2
    assert np.cov(drawn[told].T) == pytest.approx(wider * np.cov(known.T), rel=0.04)
    assert (drawn[told].max(axis=0) > known.max(axis=0)).all(), "new ones may be better than any"


def test_no_order_of_a_steady_climb_is_as_late_and_a_share_of_none_is_not_nothing() -> None:
    values = np.linspace(0.1, 0.9, 100)[:, None] * [1.0, 1.0]
    assert plateau(values).late == pytest.approx(1 / 401)


def test_a_gain_in_a_third_accuracy_is_a_gain() -> None:
    values = np.full((40, 3), 0.5)
    values[-1, 2] = 0.6
    assert plateau(values).recent_gain == pytest.approx(1 / 6)


@pytest.mark.parametrize(
    ("recent_gain", "earlier_gain", "chance", "late", "climbing", "outlook"),
    [
        (0.05, 0.02, 0.0, 0.05, True, "likely"),
        (0.05, 0.019, 0.0, 0.05, False, "possible"),
        (0.05, 0.02, 0.0, 0.06, False, "possible"),
        (0.019, 0.02, 0.0, 0.01, False, "unlikely"),
        (0.0, 0.0, 0.10, 1.0, False, "unlikely"),
        (0.0, 0.0, 0.11, 1.0, False, "possible"),
        (0.0, 0.0, 0.49, 1.0, False, "possible"),
        (0.0, 0.0, 0.50, 1.0, False, "likely"),
    ],
)
def test_what_is_said_of_chances(
    recent_gain: float, earlier_gain: float, chance: float, late: float, climbing: bool, outlook: str
) -> None:
    found = Plateau(trials=40, recent_gain=recent_gain, earlier_gain=earlier_gain, chance=chance, late=late)
    assert (found.climbing, found.outlook) == (climbing, outlook)
