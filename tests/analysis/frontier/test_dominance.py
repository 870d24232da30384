"""Draws against their known moments; chances against closed forms, numerical integration and brute force."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.stats import beta, norm

from analysis.frontier.dominance import chances, share_non_dominated
from analysis.frontier.pareto import dominates, frontier, hypervolume, study_hypervolume
from analysis.frontier.resampling import DRAWS, candidates, resample
from analysis.layout import write_json
from analysis.reading.runs import Study, read_study

PLANE = ("clean_accuracy", "pgd_accuracy")
ERROR = 4 * math.sqrt(0.25 / DRAWS)
"""Four standard errors of a share of draws."""


def drawn(study: Study, *metrics: str) -> np.ndarray:
    return resample(candidates(study, metrics), metrics)


def test_two_normal_points_have_the_closed_form() -> None:
    values = np.random.default_rng(1).normal([[0.0, 0.3], [0.2, 0.0]], 1.0, size=(20_000, 2, 2))
    # one dominates the other where it is better in both, each a normal difference of variance 2
    better = [norm.cdf(gap / math.sqrt(2)) for gap in (-0.2, 0.3)]
    expected = [1 - (1 - better[0]) * (1 - better[1]), 1 - better[0] * better[1]]
    assert share_non_dominated(values, ["maximize"] * 2) == pytest.approx(expected, abs=0.014)


@given(
    st.lists(st.lists(st.lists(st.integers(0, 3), min_size=2, max_size=2), min_size=3, max_size=3), min_size=1),
    st.lists(st.sampled_from(["maximize", "minimize"]), min_size=2, max_size=2),
)
@settings(deadline=None)
def test_shares_are_what_comparing_all_pairs_gives(draws: list[list[list[int]]], directions: list[Any]) -> None:
    expected = [
        sum(not any(dominates(other, draw[one], directions) for other in draw) for draw in draws) / len(draws)
        for one in range(3)
    ]
    assert share_non_dominated(np.array(draws, dtype=float), directions).tolist() == pytest.approx(expected)


@given(st.integers(0, 10**6), st.integers(0, 3), st.integers(0, 1), st.floats(0, 2))
@settings(deadline=None)
def test_who_gets_better_is_never_less_sure_and_nobody_else_is_surer(
    seed: int, who: int, metric: int, by: float
) -> None:
    before = np.random.default_rng(seed).random((20, 4, 2))
    after = before.copy()
    after[:, who, metric] += by
    gain = share_non_dominated(after, ["maximize"] * 2) - share_non_dominated(before, ["maximize"] * 2)
    assert gain[who] >= 0
    assert (np.delete(gain, who) <= 0).all()


def test_one_objective_is_a_comparison_of_two_betas(new_study: Callable[..., Any]) -> None:
    folder = new_study(objectives=[{"metric": "clean_accuracy"}])
    folder.finished(0, 0.50, 0.3)  # 180 of 360
    folder.finished(1, 0.55, 0.3)  # 198 of 360
    one, other = beta(180.5, 180.5), beta(198.5, 162.5)
    expected, _ = quad(lambda p: one.pdf(p) * other.cdf(p), 0, 1)
    found = chances(read_study(folder.paths))
    assert found == {
        "tiny/0000": pytest.approx(expected, abs=ERROR),
        "tiny/0001": pytest.approx(1 - expected, abs=ERROR),
    }


def test_costs_are_exact(new_study: Callable[..., Any]) -> None:
    folder = new_study(objectives=[{"metric": "clean_accuracy"}, {"metric": "forward_equivalents"}])
    folder.finished(0, 0.50, 0.3, work=100)
    folder.finished(1, 0.55, 0.3, work=101)
    folder.finished(2, 0.05, 0.01, work=101)
    found = chances(read_study(folder.paths))
    assert found["tiny/0000"] == 1, "nothing is cheaper"
    assert 0.8 < found["tiny/0001"] < 1
    assert found["tiny/0002"] == 0


def test_draws_have_the_moments_of_images_that_survive_both(new_study: Callable[..., Any]) -> None:
    folder = new_study()
    folder.finished(0, 0.8, 0.5)
    clean, pgd = drawn(read_study(folder.paths), *PLANE)[:, 0].T
    assert (pgd <= clean).all()
    assert [clean.mean(), pgd.mean()] == pytest.approx([0.8, 0.5], abs=0.003)
    # shares of one multinomial: variances p (1 - p) / n, covariance P(both) - p q = 0.5 (1 - 0.8) / n
    assert np.cov(clean, pgd) * 360 == pytest.approx(np.array([[0.16, 0.10], [0.10, 0.25]]), abs=0.025)


def test_an_accuracy_of_nothing_is_not_certain_and_what_is_not_nested_is_drawn_by_itself(
    new_study: Callable[..., Any],
) -> None:
    folder = new_study()
    folder.finished(0, 0.0, 0.0)
    folder.finished(1, 0.3, 0.8)
    values = drawn(read_study(folder.paths), *PLANE)
    assert 0 < values[:, 0, 0].std() < 0.01
    assert values[:, 1].mean(axis=0) == pytest.approx([0.3, 0.8], abs=0.005)


def test_auto_attack_on_fewer_images_is_as_wide_as_those(new_study: Callable[..., Any]) -> None:
    folder = new_study()
    folder.finished(0, 0.8, 0.5, auto_attack_accuracy=0.4, auto_attack_images=60)
    clean, _, auto = drawn(read_study(folder.paths), *PLANE, "auto_attack_accuracy")[:, 0].T
    assert [clean.std(), auto.std()] == pytest.approx([math.sqrt(0.16 / 360), math.sqrt(0.24 / 60)], rel=0.1)


def test_without_the_number_of_images_an_accuracy_is_exact(new_study: Callable[..., Any]) -> None:
    folder = new_study()
    folder.finished(0, 0.8, 0.5, evaluation_images=math.nan)
    assert np.unique(drawn(read_study(folder.paths), *PLANE)[:, 0], axis=0).tolist() == [[0.8, 0.5]]


def test_seeds_add_the_variance_of_their_mean_to_that_of_the_images(new_confirmation: Callable[..., Any]) -> None:
    child = new_confirmation({3: [0.5, 0.6, 0.7], 4: [0.6]})
    three, one = drawn(read_study(child.paths), "clean_accuracy")[:, :, 0].T
    images = 0.24 / 360
    assert one.var() == pytest.approx(images, rel=0.15), "one seed says nothing of others"
    # s^2 / k = 0.01 / 3
    assert three.var() == pytest.approx(images + 0.01 / 3, rel=0.15)
    assert three.mean() == pytest.approx(0.6, abs=0.005)


def test_a_configuration_with_a_flagged_seed_does_not_compete(new_confirmation: Callable[..., Any]) -> None:
    child = new_confirmation({3: [0.9, 0.9], 4: [0.6, 0.6], 5: []})
    assert list(chances(read_study(child.paths))) == ["tiny/0003", "tiny/0004"]
    write_json(child.paths.trial(1).result, {"verdict": "flagged: noise breaks it"})
    assert chances(read_study(child.paths)) == {"tiny/0004": 1.0}


def test_who_is_flagged_infeasible_or_unmeasured_neither_competes_nor_is_named(new_study: Callable[..., Any]) -> None:
    folder = new_study(constraints={"gpu_minutes": 5.0})
    folder.finished(0, 0.5, 0.5, gpu_minutes=1.0)
    folder.finished(1, 0.99, 0.99, gpu_minutes=9.0)
    write_json(folder.finished(2, 0.99, 0.99, gpu_minutes=1.0).result, {"verdict": "flagged: noise breaks it"})
    folder.finished(3, 0.99, 0.99, gpu_minutes=1.0, pgd_accuracy=math.nan)
    folder.failed(4)
    assert chances(read_study(folder.paths)) == {"tiny/0000": 1.0}


def test_nobody_competes_in_an_empty_study(new_study: Callable[..., Any], new_confirmation: Callable[..., Any]) -> None:
    assert chances(read_study(new_study().paths)) == {}
    assert chances(read_study(new_confirmation({3: []}).paths)) == {}


def test_the_same_study_has_the_same_chances(new_study: Callable[..., Any]) -> None:
    folder = new_study()
    for number in range(4):
        folder.finished(number, 0.5 + number / 100, 0.4 - number / 100)
    study = read_study(folder.paths)
    assert chances(study) == chances(study)


def test_an_image_of_a_kind_that_was_never_seen_counts_half(new_study: Callable[..., Any]) -> None:
    folder = new_study()
    folder.finished(0, 0.0, 0.0, evaluation_images=3.0)
    # Beta(1/2, 3 + 1/2), of mean 1/8
    assert drawn(read_study(folder.paths), "clean_accuracy").mean() == pytest.approx(0.125, abs=0.015)
    # of three kinds, half an image each and three more of the first: (1/2 + 1/2) / 4.5 and 1/2 / 4.5
    both = drawn(read_study(folder.paths), *PLANE)[:, 0].mean(axis=0)
    assert both == pytest.approx([1 / 4.5, 0.5 / 4.5], abs=0.015)


def test_a_configuration_was_measured_on_the_fewest_images_of_a_seed(new_confirmation: Callable[..., Any]) -> None:
    child = new_confirmation({3: [0.5], 4: [0.5]})
    child.finished(2, 0.5, 0.1, params={"configuration": 3, "seed": 2}, evaluation_images=20.0)
    found = candidates(read_study(child.paths), ("clean_accuracy",))
    assert {candidate.name: candidate.images.tolist() for candidate in found} == {"tiny/0003": [20], "tiny/0004": [360]}


Figures = st.lists(st.tuples(*[st.integers(0, 40)] * 3), min_size=1, max_size=6)


@given(Figures)
@settings(deadline=None, max_examples=20)
def test_frontiers_of_any_accuracies_are_what_comparing_all_pairs_gives(
    tmp_path_factory: pytest.TempPathFactory, new_study_in: Callable[..., Any], figures: list[tuple[int, ...]]
) -> None:
    names = ["slf_head/clean", "clean_accuracy", "robust_head/pgd_16_zero"]
    folder = new_study_in(tmp_path_factory.mktemp("any"), objectives=[{"metric": name} for name in names])
    rows = [[count / 40 for count in found] for found in figures]
    for number, row in enumerate(rows):
        folder.finished(number, row[1], 0.1, images=40, **dict(zip(names, row, strict=True)))
    study = read_study(folder.paths)
    beaten = [any(dominates(other, row, ["maximize"] * 3) for other in rows) for row in rows]
    assert set(frontier(study)["number"]) == {number for number, lost in enumerate(beaten) if not lost}
    cube = hypervolume(rows, ["maximize"] * 3, [0.0] * 3)
    assert study_hypervolume(study) == pytest.approx(cube)
    assert set(chances(study)) == set(study.trials["id"])
