"""Each rule at its threshold, and how often it may be wrong."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from trainables.evaluation.sanity_rules import (
    LEVEL,
    TOLERATED,
    Clean,
    challenge_flags,
    clean_flags,
    radius_flags,
    tail,
)


def first(count: int, images: int) -> Tensor:
    return torch.arange(images) < count


def last(count: int, images: int) -> Tensor:
    return torch.arange(images) >= images - count


def clean(right: Tensor, *, finite: Tensor | None = None, sloped: Tensor | None = None) -> Clean:
    every = torch.ones_like(right)
    return Clean(right, every if finite is None else finite, every if sloped is None else sloped)


@given(st.integers(0, 40), st.integers(0, 40), st.fractions(Fraction(1, 100), 1, max_denominator=100))
def test_tail_is_the_binomial_sum(hits, more, rate):
    trials = hits + more
    exact = sum(math.comb(trials, i) * rate**i * (1 - rate) ** (trials - i) for i in range(hits, trials + 1))
    assert tail(hits, trials, float(rate)) == pytest.approx(float(exact), rel=1e-9)


def test_tail_of_many_images():
    assert tail(5000, 10_000, 0.5) == pytest.approx(0.5 + math.comb(10_000, 5000) / 2**10_001)
    assert 0 < tail(600, 10_000, 0.05) < 1e-5


@pytest.mark.parametrize(("images", "too_many"), [(1, None), (2, 2), (8, 3), (20, 3), (64, 5), (128, 8), (500, 19)])
def test_a_challenger_may_break_so_many(images, too_many):
    """Thresholds are the exact binomial's: scipy.stats.binom.isf(0.01, images, 0.02) + 1."""
    every = torch.ones(images, dtype=torch.bool)
    flagged = [
        broken
        for broken in range(images + 1)
        if list(challenge_flags(every, {"Square": first(images - broken, images)}, "PGD-20"))
    ]
    assert flagged == ([] if too_many is None else list(range(too_many, images + 1)))


def test_a_challenger_is_named_with_its_counts():
    left, after = first(60, 128), first(46, 128)
    assert list(challenge_flags(left, {"FGSM": left, "Square": after}, "PGD-20")) == [
        "Square broke 14 of 60 images that PGD-20 left (128 checked)"
    ]


def test_what_pgd_broke_is_not_held_against_it():
    left = first(60, 128)
    assert not list(challenge_flags(left, {"Square": last(100, 128) | left}, "PGD-20"))


def test_what_counts_is_by_how_much_the_figure_is_too_high():
    """Five images are 4 points of 128, however few PGD left."""
    none = first(0, 128)
    assert not list(challenge_flags(first(5, 128), {"Square": none}, "PGD-20"))
    assert list(challenge_flags(first(8, 128), {"Square": none}, "PGD-20"))


@pytest.mark.parametrize("images", [5, 30, 128, 300])
def test_a_figure_that_keeps_to_the_tolerance_is_flagged_at_most_at_the_level(images):
    every = torch.ones(images, dtype=torch.bool)
    wrongly = sum(
        math.comb(images, broken) * TOLERATED**broken * (1 - TOLERATED) ** (images - broken)
        for broken in range(images + 1)
        if list(challenge_flags(every, {"noise": first(images - broken, images)}, "PGD-20"))
    )
    assert wrongly <= LEVEL


def test_chance_has_nothing_to_believe():
    """P(X >= 21) = 1.6 %, P(X >= 22) = 0.8 % for 128 guesses among ten classes."""
    assert list(clean_flags(clean(first(21, 128)), 0.1)) == [
        "21 of 128 clean images are classified right, not clearly better than chance (10%)"
    ]
    assert not list(clean_flags(clean(first(22, 128)), 0.1))
    assert list(clean_flags(clean(first(128, 128)), 1.0))


def test_one_image_without_finite_logits_is_one_too_many():
    flags = list(clean_flags(clean(first(127, 128), finite=first(127, 128)), 0.1))
    assert flags == ["the logits of 1 of 128 clean images are not finite"]


def test_slopes_are_asked_of_right_images_only():
    right = first(100, 128)
    assert not list(clean_flags(clean(right, sloped=right), 0.1))
    assert not list(clean_flags(clean(right, sloped=last(122, 128)), 0.1))
    assert list(clean_flags(clean(right, sloped=last(121, 128)), 0.1)) == [
        "the loss of 7 of 100 rightly classified images has no slope for an attack to follow"
    ]


def test_accuracy_may_not_rise_beyond_noise():
    """Seven of seven differing images have a chance of 1/128 to differ one way, six of six of 1/64."""
    none = first(0, 128)
    assert not list(radius_flags({8 / 255: first(6, 128) & ~none, 0.5: none}, 0.1))
    assert not list(radius_flags({4 / 255: first(30, 128), 8 / 255: first(36, 128), 0.5: none}, 0.1))
    assert list(radius_flags({4 / 255: first(30, 128), 8 / 255: first(37, 128), 0.5: none}, 0.1)) == [
        "accuracy rises from 30 to 37 of 128 images as the radius grows from 4/255 to 8/255"
    ]
    assert not list(radius_flags({4 / 255: first(7, 128), 8 / 255: last(12, 128), 0.5: none}, 0.1))


def test_beyond_the_large_radius_only_chance_is_left():
    """As for clean images, 22 of 128 are more than ten classes explain."""
    every = first(128, 128)
    assert not list(radius_flags({8 / 255: every, 0.5: first(21, 128)}, 0.1))
    assert list(radius_flags({8 / 255: every, 0.5: first(22, 128)}, 0.1)) == [
        "22 of 128 images survive a radius of 0.5, above chance (10%)"
    ]
