"""What early accuracies foretell: against the closed form, and against how often it comes true."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm

from study.early_stopping.foretelling import PRIOR_WEIGHT, TAILS, Foretelling, NormalScores

OWN = (1, 2)


def world(random: np.random.Generator, trials: int, noise: float = 0.4):
    """Features (a constant and two early figures) and final figures with correlated errors."""
    early = np.column_stack([np.ones(trials), random.standard_normal((trials, 2))])
    errors = random.multivariate_normal([0, 0], noise**2 * np.array([[1, 0.6], [0.6, 1]]), trials)
    return early, early @ np.array([[0.2, 0.1], [0.9, 0.0], [0.0, 0.5]]) + errors


numbers = st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=12)


@given(numbers, numbers)
def test_normal_scores_keep_every_order(known, others) -> None:
    scale = NormalScores(known)
    figures = np.array([*known, *others], dtype=float)
    scored = scale(figures)
    for column in range(2):
        order = np.argsort(figures[:, column])
        assert (np.diff(scored[order, column]) >= -1e-12).all()
        higher = figures[:, column] > max(value[column] for value in known)
        assert (scored[higher, column] > scale(known)[:, column].max()).all()


def test_normal_scores_are_the_quantiles_of_the_ranks() -> None:
    scale = NormalScores([[0.1], [0.9], [0.2], [0.2]])
    assert scale([[0.1], [0.2], [0.9]])[:, 0] == pytest.approx(norm.ppf([0.125, 0.5, 0.875]))
    assert scale([[0.55]])[0, 0] == pytest.approx(norm.ppf(0.875) / 2)
    deviation = np.std([0.1, 0.9, 0.2, 0.2])
    assert scale([[0.9 + deviation], [0.1 - deviation]])[:, 0] == pytest.approx(
        [norm.ppf(0.875) + 1, norm.ppf(0.125) - 1]
    )
    assert NormalScores([[0.5]])([[0.5], [0.6]])[:, 0] == pytest.approx([0.0, 0.1])


def test_before_anything_is_known_a_figure_foretells_itself_and_no_more() -> None:
    prior = Foretelling.learn(np.empty((0, 3)), np.empty((0, 2)), OWN)
    assert prior.weights == pytest.approx(np.array([[0, 0], [1, 0], [0, 1]]))
    ends = prior.draw([[1, 0.3, 0.1]], 4000, np.random.default_rng(0))[:, 0]
    assert np.median(ends, axis=0) == pytest.approx([0.3, 0.1], abs=0.1)
    assert np.abs(np.quantile(ends, [0.25, 0.75], axis=0) - [0.3, 0.1]).min() > 1, "so wide that it tells none apart"


def test_with_many_trials_it_is_least_squares() -> None:
    early, final = world(np.random.default_rng(1), 500)
    learned = Foretelling.learn(early, final, OWN)
    weights, *_ = np.linalg.lstsq(early, final, rcond=None)
    assert learned.weights == pytest.approx(weights, abs=0.01)
    covariance = np.cov((final - early @ weights).T)
    assert learned.scale / learned.freedom == pytest.approx(covariance, rel=0.08)


def test_draws_have_the_moments_that_theory_gives_them() -> None:
    """Mean and covariance of the posterior's prediction for one trial, whose own error has the tails of a t."""
    early, final = world(np.random.default_rng(2), 12)
    learned = Foretelling.learn(early, final, OWN)
    new = np.array([1.0, 0.5, 0.3])
    unsure = new @ np.linalg.inv(PRIOR_WEIGHT * np.eye(3) + early.T @ early) @ new
    covariance = learned.scale / (learned.freedom - 3) * (unsure + TAILS / (TAILS - 2))
    ends = learned.draw([new], 50_000, np.random.default_rng(3))[:, 0]
    assert ends.mean(axis=0) == pytest.approx(new @ learned.weights, abs=0.02)
    assert np.cov(ends.T) == pytest.approx(covariance, rel=0.06)


def test_now_and_then_a_trial_ends_far_from_where_it_should() -> None:
    early, final = world(np.random.default_rng(2), 500)
    ends = Foretelling.learn(early, final, OWN).draw([[1, 0, 0]], 50_000, np.random.default_rng(3))[:, 0, 0]
    far = np.abs(ends - np.median(ends)) > 4 * np.sqrt(final[:, 0].var() - (early @ [0.2, 0.9, 0]).var())
    assert 2e-3 < far.mean() < 1e-2, "a normal error would be so far once in sixteen thousand"


def test_what_is_foretold_comes_true_as_often_as_it_says() -> None:
    """Over many small worlds, also where only those that look good early ever finish."""
    below = []
    for seed in range(300):
        random = np.random.default_rng(seed)
        early, final = world(random, 60)
        finished = early[:, 1] > 0
        learned = Foretelling.learn(early[finished][:20], final[finished][:20], OWN)
        unseen, truth = early[~finished][0], final[~finished][0]
        below.append((learned.draw([unseen], 200, random)[:, 0, 0] < truth[0]).mean())
    for quantile in (0.1, 0.5, 0.9):
        assert np.mean(np.array(below) < quantile) == pytest.approx(quantile, abs=0.08)


def test_the_ends_of_two_trials_are_drawn_together() -> None:
    """Of equal trials one ends above the other half the time, though the level of both is unsure."""
    early, final = world(np.random.default_rng(4), 4)
    ends = Foretelling.learn(early, final, OWN).draw([[1, 0.3, 0.3]] * 2, 4000, np.random.default_rng(5))
    assert (ends[:, 0, 0] > ends[:, 1, 0]).mean() == pytest.approx(0.5, abs=0.03)
    assert np.corrcoef(ends[:, 0, 0], ends[:, 1, 0])[0, 1] > 0.1
