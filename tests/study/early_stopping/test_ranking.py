"""Ranks, against the definitions spelled out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.frontier.pareto import dominates, non_dominated
from study.early_stopping.ranking import chances, crowding, farthest_first, fronts, ranking

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
def test_fronts_are_those_of_pareto_dominance(scores):
    found = fronts(scores)
    assert found.tolist() == brute_fronts(scores)
    assert ((found == 0) == non_dominated(scores, MAXIMISED)).all()


@given(figures)
def test_crowding_is_the_distance_between_both_neighbours(scores):
    assert crowding(scores) == pytest.approx(brute_crowding(scores))


@given(figures)
def test_ranks_are_a_permutation_that_respects_the_fronts(scores):
    front, rank = fronts(scores), ranking(scores)
    assert sorted(rank) == list(range(1, len(scores) + 1))
    assert all(rank[i] < rank[j] for i in range(len(scores)) for j in range(len(scores)) if front[i] < front[j])


def test_within_a_front_the_less_crowded_rank_higher():
    assert ranking([(0.1, 0.9), (0.5, 0.5), (0.52, 0.48), (0.9, 0.1)]).tolist() == [1, 3, 4, 2]


@given(
    st.lists(figures, min_size=1, max_size=6),
    st.lists(st.tuples(share, share), max_size=4),
    st.tuples(share | st.just(-np.inf), share),
)
def test_a_chance_is_the_share_of_draws_in_which_none_dominates_and_enough_is_reached(draws, reached, least):
    """Of those only that reach enough: what does not is no rival, whether or not it would dominate."""
    count = min(map(len, draws))
    draws = [draw[:count] for draw in draws]

    def enough(end) -> bool:
        return all(figure >= asked for figure, asked in zip(end, least, strict=True))

    best = [
        [
            enough(end) and not any(enough(other) and dominates(other, end, MAXIMISED) for other in (*draw, *reached))
            for end in draw
        ]
        for draw in draws
    ]
    fixed = np.reshape(reached, (-1, 2))
    assert chances(draws, fixed, least) == pytest.approx(np.mean(best, axis=0))
    assert chances(draws, fixed) == pytest.approx(chances(draws, fixed, (0.0, 0.0)))


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=8))
def test_each_next_is_the_farthest_from_all_before_it(points):
    order = farthest_first(points)
    assert sorted(order) == list(range(len(points)))
    assert points[order[0]][0] == max(first for first, _ in points)

    def nearest(one: int, before: list[int]) -> float:
        return min(math.dist(points[one], points[other]) for other in before)

    for place in range(1, len(order)):
        before, left = order[:place], order[place:]
        assert nearest(left[0], before) == pytest.approx(max(nearest(one, before) for one in left))
