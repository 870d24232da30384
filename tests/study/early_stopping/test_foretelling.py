"""What early accuracies foretell: against the closed form, and against how often it comes true."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import multivariate_t

from study.early_stopping.foretelling import PRIOR_ERROR, PRIOR_WEIGHT, Foretelling

OWN = (1, 2)


def world(random: np.random.Generator, trials: int, noise: float = 0.02):
    """Features (a constant and two early accuracies) and final accuracies with correlated errors."""
    early = np.column_stack([np.ones(trials), random.uniform(0.2, 0.6, (trials, 2))])
    errors = random.multivariate_normal([0, 0], noise**2 * np.array([[1, 0.6], [0.6, 1]]), trials)
    return early, early @ np.array([[0.2, 0.1], [0.9, 0.0], [0.0, 0.5]]) + errors


def test_before_anything_is_known_an_accuracy_foretells_itself_and_no_more() -> None:
    prior = Foretelling.learn(np.empty((0, 3)), np.empty((0, 2)), OWN)
    assert prior.weights == pytest.approx(np.array([[0, 0], [1, 0], [0, 1]]))
    ends = prior.draw([[1, 0.3, 0.1]], 4000, np.random.default_rng(0))[:, 0]
    assert np.median(ends, axis=0) == pytest.approx([0.3, 0.1], abs=0.1)
    assert ends.std(axis=0).min() > 0.2, "so wide that it tells no trials apart"


def test_with_many_trials_it_is_least_squares() -> None:
    early, final = world(np.random.default_rng(1), 500)
    learned = Foretelling.learn(early, final, OWN)
    weights, *_ = np.linalg.lstsq(early, final, rcond=None)
    assert learned.weights == pytest.approx(weights, abs=2e-3)
    covariance = np.cov((final - early @ weights).T)
    assert learned.scale / learned.freedom == pytest.approx(covariance, rel=0.05)


def test_draws_have_the_distribution_that_theory_gives_them() -> None:
    """The posterior's prediction for one trial is a multivariate t."""
    early, final = world(np.random.default_rng(2), 12)
    learned = Foretelling.learn(early, final, OWN)
    new = np.array([1.0, 0.5, 0.3])
    freedom = learned.freedom - 1
    shape = learned.scale / freedom * (1 + new @ np.linalg.inv(PRIOR_WEIGHT * np.eye(3) + early.T @ early) @ new)
    theory = multivariate_t(new @ learned.weights, shape, df=freedom)
    ends = learned.draw([new], 20_000, np.random.default_rng(3))[:, 0]
    assert ends.mean(axis=0) == pytest.approx(theory.loc, abs=1e-3)
    assert np.cov(ends.T) == pytest.approx(shape * freedom / (freedom - 2), rel=0.06)
    assert learned.freedom == 12 + 3
    assert PRIOR_ERROR == 0.05


def test_what_is_foretold_comes_true_as_often_as_it_says() -> None:
    """Over many small worlds, also where only those that look good early ever finish."""
    below = []
    for seed in range(300):
        random = np.random.default_rng(seed)
        early, final = world(random, 60, noise=0.05)
        finished = early[:, 1] > 0.4
        learned = Foretelling.learn(early[finished][:20], final[finished][:20], OWN)
        unseen, truth = early[~finished][0], final[~finished][0]
        below.append((learned.draw([unseen], 200, random)[:, 0, 0] < truth[0]).mean())
    for quantile in (0.1, 0.5, 0.9):
        assert np.mean(np.array(below) < quantile) == pytest.approx(quantile, abs=0.08)


def test_the_ends_of_two_trials_are_drawn_together() -> None:
    """Of equal trials one ends above the other half the time, though the level of both is unsure."""
    early, final = world(np.random.default_rng(4), 4, noise=0.1)
    ends = Foretelling.learn(early, final, OWN).draw([[1, 0.3, 0.3], [1, 0.3, 0.3]], 4000, np.random.default_rng(5))
    assert (ends[:, 0, 0] > ends[:, 1, 0]).mean() == pytest.approx(0.5, abs=0.03)
    assert np.corrcoef(ends[:, 0, 0], ends[:, 1, 0])[0, 1] > 0.1
