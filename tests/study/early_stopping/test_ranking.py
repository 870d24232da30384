"""Ranks under noise, against the definitions spelled out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.pareto import dominates, non_dominated
from study.early_stopping.ranking import beaten, crowding, fronts, margins, ranking

IMAGES = (500, 200)
MAXIMISED = ("maximize", "maximize")
share = st.integers(0, 20).map(lambda count: count / 20)
figures = st.lists(st.tuples(share, share), min_size=1, max_size=12)


def brute_fronts(scores) -> list[int]:
    """Peeling: each front is what no trial that is left dominates."""
    left, level, found = set(range(len(scores))), 0, [0] * len(scores)
    while left:
        best = {i for i in left if not any(dominates(scores[j], scores[i], MAXIMISED) for j in left)}
        for i in best:
            found[i] = level
        left, level = left - best, level + 1
    return found


def brute_crowding(scores) -> list[float]:
    found = [0.0] * len(scores)
    for k in range(2):
        order = sorted(range(len(scores)), key=lambda i: scores[i][k])
        low, high = scores[order[0]][k], scores[order[-1]][k]
        found[order[0]] = found[order[-1]] = math.inf
        for before, here, after in zip(order, order[1:], order[2:], strict=False):
            if high > low:
                found[here] += (scores[after][k] - scores[before][k]) / (high - low)
    return found


@given(figures)
def test_without_a_margin_fronts_are_those_of_pareto_dominance(scores):
    found = fronts(beaten(scores, IMAGES, 0.0))
    assert found.tolist() == brute_fronts(scores)
    assert ((found == 0) == non_dominated(scores, MAXIMISED)).all()


@given(figures)
def test_crowding_is_the_distance_between_both_neighbours(scores):
    assert crowding(scores) == pytest.approx(brute_crowding(scores))


@given(figures, st.floats(0, 4))
def test_what_is_beaten_beyond_noise_is_dominated_and_beating_is_transitive(scores, errors):
    beats = beaten(scores, IMAGES, errors)
    plain = beaten(scores, IMAGES, 0.0)
    assert (beats <= plain).all()
    assert not (beats & beats.T).any()
    assert ((beats.astype(int) @ beats.astype(int) > 0) <= beats).all()


@given(figures, st.floats(0, 4))
def test_ranks_are_a_permutation_that_respects_the_fronts(scores, errors):
    front = fronts(beaten(scores, IMAGES, errors))
    rank = ranking(scores, front)
    assert sorted(rank) == list(range(1, len(scores) + 1))
    assert all(rank[i] < rank[j] for i in range(len(scores)) for j in range(len(scores)) if front[i] < front[j])


def test_the_margin_is_the_standard_error_of_the_difference():
    (_, (margin, _)) = margins([(0.5, 0.2), (0.4, 0.1)], (500, 200), 1.0)
    assert margin == pytest.approx([math.sqrt((0.25 + 0.24) / 500), math.sqrt((0.16 + 0.09) / 200)])


def test_a_lead_within_the_noise_beats_nobody():
    scores = [(0.52, 0.22), (0.50, 0.20)]
    assert beaten(scores, IMAGES, 0.0)[0, 1]
    assert not beaten(scores, IMAGES, 1.0).any()
    assert beaten(scores, (50_000, 50_000), 1.0)[0, 1]


def test_one_figure_within_the_noise_saves_a_trial():
    """It may be the better of the two there, and then it belongs on the frontier."""
    assert not beaten([(0.9, 0.21), (0.5, 0.20)], IMAGES, 1.0).any()


def test_where_nothing_survives_the_attack_clean_accuracy_decides():
    assert beaten([(0.6, 0.0), (0.4, 0.0)], IMAGES, 2.0).tolist() == [[False, True], [False, False]]


def test_within_a_front_the_less_crowded_rank_higher():
    scores = np.array([(0.1, 0.9), (0.5, 0.5), (0.52, 0.48), (0.9, 0.1)])
    assert ranking(scores, np.zeros(4, dtype=int)).tolist() == [1, 3, 4, 2]
