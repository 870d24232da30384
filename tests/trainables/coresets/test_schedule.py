"""When coresets are selected, how large they are, and the blind control."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from trainables.config import CoresetConfig
from trainables.coresets import minibatches, random_subset, selects, share


def test_the_paper_s_schedule():
    config = CoresetConfig(name="rcs", fraction=0.2)
    assert [epoch for epoch in range(1, 201) if selects(config, epoch)] == [101, 121, 141, 161, 181]
    assert {share(config, epoch) for epoch in range(1, 101)} == {1.0}
    assert {share(config, epoch) for epoch in range(101, 201)} == {0.2}


@given(st.sampled_from(["random", "rcs"]), st.integers(0, 5), st.integers(1, 4), st.integers(1, 30))
def test_a_partial_epoch_has_a_selection_behind_it(name, warmup, interval, epoch):
    config = CoresetConfig(name=name, warmup_epochs=warmup, interval=interval, fraction=0.5)
    recent = [past for past in range(epoch - interval + 1, epoch + 1) if past >= 1 and selects(config, past)]
    assert len(recent) == (1 if share(config, epoch) < 1 else 0)


def test_without_a_coreset_every_epoch_is_full():
    config = CoresetConfig(name="none", warmup_epochs=0)
    assert not any(selects(config, epoch) for epoch in range(1, 50))
    assert {share(config, epoch) for epoch in range(1, 50)} == {1.0}


@pytest.mark.parametrize(
    ("images", "batch_size", "fraction", "expected"),
    [
        (49_500, 512, 0.05, 4),
        (49_500, 512, 0.1, 9),
        (49_500, 512, 0.2, 19),
        (49_500, 512, 1.0, 96),
        (100, 1, 0.29, 29),  # 28.999999999999996 in binary
        (100, 40, 0.05, 1),
    ],
)
def test_full_minibatches_in_a_share(images, batch_size, fraction, expected):
    assert minibatches(images, batch_size, fraction) == expected


@given(st.integers(1, 500), st.integers(1, 50), st.floats(0.01, 1))
def test_a_share_never_exceeds_the_whole(images, batch_size, fraction):
    assert 1 <= minibatches(images, batch_size, fraction) <= max(1, images // batch_size)


@given(st.integers(0, 40), st.integers(0, 40), st.integers(0, 9))
def test_blind_subsets_are_subsets_and_follow_the_seed(one, other, seed):
    budget, count = sorted((one, other))
    drawn = random_subset(count, budget, torch.Generator().manual_seed(seed))
    assert len(set(drawn)) == budget
    assert set(drawn) <= set(range(count))
    assert drawn == random_subset(count, budget, torch.Generator().manual_seed(seed))


def test_blind_subsets_are_even():
    random = torch.Generator().manual_seed(0)
    counts = torch.zeros(5)
    for _ in range(2000):
        counts[random_subset(5, 2, random)] += 1
    # Each index is expected 800 times, with a standard deviation of 22.
    assert ((counts - 800).abs() < 110).all()


def test_an_impossible_blind_budget():
    with pytest.raises(ValueError, match="budget is 4 of 3 minibatches"):
        random_subset(3, 4, torch.Generator())
