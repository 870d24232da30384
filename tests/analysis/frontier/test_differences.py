"""Differences of two trials on the same images: closed forms, coverage, and when there is none."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.frontier.differences import difference
from analysis.frontier.uncertainty import Interval, over_images, welch
from analysis.reading.runs import read_study
from trainables.config import UserError

ORDER = np.arange(400)


@given(st.integers(0, 30), st.integers(0, 30), st.integers(1, 40))
def test_an_interval_is_bonett_and_prices_and_turns_with_its_sides(gained: int, lost: int, neither: int) -> None:
    gains = np.repeat([1.0, -1.0, 0.0], [gained, lost, neither])
    n = gained + lost + neither
    centre = (gained - lost) / (n + 2)
    one, other = ((gained + 1) / (n + 2), (lost + 1) / (n + 2))
    half = 1.959963984540054 * math.sqrt((one + other - (one - other) ** 2) / (n + 2))
    expected = ((gained - lost) / n, max(-1, centre - half), min(1, centre + half))
    found = over_images(gains)
    assert found == pytest.approx(expected)
    assert over_images(-gains) == pytest.approx((-found.mean, -found.high, -found.low))


def test_paired_intervals_hold_the_true_difference_and_are_narrower_than_independent_ones() -> None:
    rng, held, widths = np.random.default_rng(0), 0, []
    kinds = rng.choice(4, p=[0.6, 0.08, 0.04, 0.28], size=(2000, 200))  # both, one, the other, neither
    for kind in kinds:
        found = over_images((kind == 1).astype(float) - (kind == 2))
        held += found.low <= 0.04 <= found.high
        widths.append(found.high - found.low)
    assert 0.94 < held / 2000 < 0.98
    independent = 2 * 1.96 * math.sqrt((0.68 * 0.32 + 0.64 * 0.36) / 200)
    assert np.mean(widths) < 0.55 * independent


def test_two_trials_of_a_search(new_study: Callable[..., Any]) -> None:
    folder = new_study()
    folder.judged(0, ORDER < 300, ORDER < 110)
    folder.judged(1, ORDER < 280, (ORDER >= 10) & (ORDER < 111))
    study = read_study(folder.paths)
    gain = difference(study, "tiny/0000", "tiny/0001", "pgd_accuracy")
    assert gain == over_images((ORDER < 10).astype(float) - (ORDER == 110))
    assert gain.low > 0
    assert difference(study, "tiny/0000", "tiny/0001", "robust_head/pgd_8_zero") == gain
    assert difference(study, "tiny/0000", "tiny/0001", "robust_head/pgd_8_worst") == gain, "which has no metric"
    assert difference(study, "tiny/0000", "tiny/0001", "clean_accuracy").mean == pytest.approx(0.05)  # type: ignore[union-attr]


def test_auto_attack_is_compared_on_the_images_that_it_was_run_on(new_study: Callable[..., Any]) -> None:
    folder, attacked = new_study(), ORDER < 50
    folder.judged(0, ORDER < 300, ORDER < 300, (ORDER < 30, attacked))
    folder.judged(1, ORDER < 300, ORDER < 300, (ORDER < 20, attacked))
    folder.judged(2, ORDER < 300, ORDER < 300, (ORDER < 20, ORDER < 49))
    study = read_study(folder.paths)
    gains = ((ORDER >= 20) & (ORDER < 30))[:50].astype(float)
    assert difference(study, "tiny/0000", "tiny/0001", "auto_attack_accuracy") == over_images(gains)
    assert difference(study, "tiny/0000", "tiny/0001", "robust_head/auto_attack_8_worst") == over_images(gains)
    assert difference(study, "tiny/0000", "tiny/0002", "auto_attack_accuracy") is None


def test_without_outcomes_on_the_same_images_there_is_no_difference(new_study: Callable[..., Any]) -> None:
    folder = new_study()
    folder.judged(0, ORDER < 300, ORDER < 100)
    folder.finished(1, 0.7, 0.2, images=400)
    folder.judged(2, ORDER < 300, ORDER < 100, identity="other images")
    study = read_study(folder.paths)
    for other in ("tiny/0001", "tiny/0002"):
        assert difference(study, "tiny/0000", other, "clean_accuracy") is None


def test_what_is_no_trial_or_no_accuracy_is_told(new_study: Callable[..., Any]) -> None:
    folder = new_study()
    folder.judged(0, ORDER < 300, ORDER < 100)
    folder.judged(1, ORDER < 300, ORDER < 101)
    folder.failed(2)
    study = read_study(folder.paths)
    assert difference(study, "tiny/0", "tiny/1", "pgd_accuracy") == difference(
        study, "tiny/0000", "tiny/0001", "pgd_accuracy"
    )
    for other in ("tiny/2", "tiny/0007", "0", "other/1"):
        with pytest.raises(UserError, match=f"tiny has no finished trial {other}; name it STUDY/NUMBER"):
            difference(study, "tiny/0", other, "pgd_accuracy")
    with pytest.raises(UserError, match="accuracy is 'pgd_acc'; give clean_accuracy, "):
        difference(study, "tiny/0", "tiny/1", "pgd_acc")


def test_over_seeds_it_is_the_wider_of_two_intervals(new_confirmation: Callable[..., Any]) -> None:
    child = new_confirmation({3: [], 4: [], 5: []})
    for configuration, counts in ((3, (200, 200)), (4, (180, 180)), (5, (180, 140))):
        for seed, right in enumerate(counts):
            params = {"configuration": configuration, "seed": seed}
            child.judged(configuration * 2 + seed, right > ORDER, ORDER < 10, params=params)
    study = read_study(child.paths)
    seeds = difference(study, "tiny-confirmed/0010", "tiny-confirmed/0011", "clean_accuracy")
    assert seeds == over_images(((ORDER >= 140) & (ORDER < 180)).astype(float)), "one seed of a configuration"
    steady = difference(study, "tiny/0003", "tiny/0004", "clean_accuracy")
    assert steady == over_images(((ORDER >= 180) & (ORDER < 200)).astype(float))
    spread = difference(study, "tiny/0003", "tiny/0005", "clean_accuracy")
    assert spread == Interval(pytest.approx(0.1), *map(pytest.approx, welch([0.5, 0.5], [0.45, 0.35])[1:]))
