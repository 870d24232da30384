"""Greedy search is what brute force and a naive search find."""

from __future__ import annotations

from itertools import combinations

import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from torch import Tensor

from trainables.coresets import greedy


class Quadratic:
    """Descent on |x - target|^2 / 2 by candidates' gradients: the validation gradient is x - target."""

    def __init__(self, candidates: Tensor, target: Tensor, rate: float = 1.0) -> None:
        self.candidates, self.target, self.rate = candidates, target, rate
        self.x = torch.zeros_like(target)
        self.taken: list[int] = []

    def gradient(self) -> Tensor:
        return self.x - self.target

    def take(self, index: int) -> None:
        self.taken.append(index)
        self.x = self.x - self.rate * self.candidates[index]

    def solve(self, budget: int) -> list[int]:
        return greedy(self.candidates, self.gradient, self.take, budget)


def naive(candidates: list[list[int]], target: list[int], budget: int) -> tuple[list[int], bool]:
    """The picks from the definition, in plain integers, and whether any pick was a tie."""
    picks: list[int] = []
    tied = False
    for _ in range(budget):
        x = [-sum(candidates[taken][k] for taken in picks) for k in range(len(target))]
        gains = {
            index: sum(g * (x[k] - target[k]) for k, g in enumerate(row))
            for index, row in enumerate(candidates)
            if index not in picks
        }
        best = max(gains.values())
        tied |= list(gains.values()).count(best) > 1
        picks.append(min(index for index, gain in gains.items() if gain == best))
    return picks, tied


@st.composite
def problems(draw: st.DrawFn) -> tuple[list[list[int]], list[int], int]:
    width = draw(st.integers(1, 4))
    row = st.lists(st.integers(-20, 20), min_size=width, max_size=width)
    candidates = draw(st.lists(row, min_size=1, max_size=7))
    return candidates, draw(row), draw(st.integers(0, len(candidates)))


def exact(values: list[list[int]] | list[int]) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


@given(problems())
def test_picks_are_the_naive_search_s_ties_included(drawn):
    candidates, target, budget = drawn
    picks = Quadratic(exact(candidates), exact(target)).solve(budget)
    assert picks == naive(candidates, target, budget)[0]
    assert len(set(picks)) == budget


@given(problems(), st.randoms(use_true_random=False))
def test_order_of_the_candidates_does_not_matter(drawn, shuffler):
    candidates, target, budget = drawn
    assume(not naive(candidates, target, budget)[1])
    order = list(range(len(candidates)))
    shuffler.shuffle(order)
    picks = Quadratic(exact(candidates), exact(target)).solve(budget)
    shuffled = Quadratic(exact([candidates[index] for index in order]), exact(target)).solve(budget)
    assert [order[index] for index in shuffled] == picks


@pytest.mark.parametrize("budget", range(7))
def test_with_a_constant_gradient_it_is_the_best_of_all_subsets(budget):
    random = torch.Generator().manual_seed(budget)
    candidates = torch.randn(6, 3, generator=random, dtype=torch.float64)
    gradient = torch.randn(3, generator=random, dtype=torch.float64)
    picks = greedy(candidates, lambda: gradient, lambda _: None, budget)
    gains = (candidates @ gradient).tolist()
    best = max(combinations(range(6), budget), key=lambda subset: sum(gains[index] for index in subset))
    assert set(picks) == set(best)
    assert picks == sorted(picks, key=lambda index: -gains[index])


def test_one_pick_is_the_step_that_descends_furthest_to_first_order():
    random = torch.Generator().manual_seed(0)
    candidates, target = (torch.randn(*size, generator=random, dtype=torch.float64) for size in ((9, 4), (4,)))
    rate = 1e-6
    after = [((-rate * row - target) ** 2).sum() for row in candidates]
    assert Quadratic(candidates, target).solve(1) == [int(torch.stack(after).argmin())]


def test_every_pick_but_the_last_is_taken_before_the_next_gradient():
    problem = Quadratic(torch.eye(4), -torch.tensor([3.0, 1.0, 4.0, 2.0]))
    assert problem.solve(3) == [2, 0, 3]
    assert problem.taken == [2, 0]


def test_equals_go_by_index():
    assert greedy(torch.ones(4, 2), lambda: torch.ones(2), lambda _: None, 3) == [0, 1, 2]


@pytest.mark.parametrize("gain", [float("-inf"), float("nan")])
def test_a_hopeless_candidate_is_no_reason_to_pick_twice(gain):
    candidates = torch.tensor([[gain], [1.0], [gain]])
    picks = greedy(candidates, lambda: torch.ones(1), lambda _: None, 3)
    assert sorted(picks) == [0, 1, 2]


@pytest.mark.parametrize("budget", [-1, 4])
def test_an_impossible_budget(budget):
    with pytest.raises(ValueError, match=f"budget is {budget} of 3 minibatches"):
        greedy(torch.ones(3, 2), lambda: torch.ones(2), lambda _: None, budget)
