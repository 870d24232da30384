"""When a search ends because it gains too little, on searches whose answer is known."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.frontier.levelling import EARLIEST, checks, levelled, levelled_at
from analysis.frontier.plateau import FEWEST
from analysis.layout import append_exclusion
from analysis.reading.runs import read_study

Values = NDArray[np.float64]


def flat(trials: int) -> Values:
    return np.full((trials, 2), 0.5)


def test_it_is_asked_whenever_a_quarter_more_have_ended() -> None:
    assert checks(FEWEST - 1) == []
    assert checks(FEWEST) == [FEWEST]
    assert checks(EARLIEST - 1) == [FEWEST]
    assert checks(100) == [40, 50, 63, 79, 99]


def test_a_search_that_gains_nothing_ends_at_the_second_check_and_stays_ended() -> None:
    assert levelled_at(flat(EARLIEST - 1), 0.02) is None
    assert levelled_at(flat(EARLIEST), 0.02) == (40, 50)
    later = np.vstack([flat(EARLIEST), np.full((40, 2), 0.9)])  # of those that ran when it ended
    assert levelled_at(later, 0.02) == (40, 50)


def test_a_gain_between_two_checks_puts_it_off() -> None:
    values = flat(79)
    values[45:] = 0.7
    assert levelled_at(values[:63], 0.3) is None
    assert levelled_at(values, 0.3) == (63, 79)


def test_who_asks_for_less_goes_on_longer() -> None:
    values = flat(EARLIEST)
    values[-1] = math.sqrt(0.25 * 1.01)  # a hypervolume of 1 % more
    assert levelled_at(values, 0.02) is not None
    assert levelled_at(values, 0.005) is None


def test_without_a_trial_that_counts_there_is_nothing_to_level() -> None:
    values = np.full((80, 2), math.nan)
    assert levelled_at(values, 0.02) is None
    values[60:] = 0.5
    assert levelled_at(values, 0.02) is None


def test_a_search_that_climbs_goes_on() -> None:
    rng = np.random.default_rng(0)
    for _ in range(10):
        quality = np.linspace(0.1, 0.9, 150) * rng.uniform(0.8, 1, 150)
        clean = rng.binomial(1000, 0.4 + 0.5 * quality)
        values = np.stack([clean, rng.binomial(clean, 0.2 + 0.5 * quality)], axis=1) / 1000
        assert levelled_at(values, 0.02) is None


def test_of_a_study_it_is_told_in_the_order_of_ends_and_excluded_trials_gain_nothing(
    new_study: Callable[..., Any],
) -> None:
    study = new_study()
    for number in range(EARLIEST):
        study.finished(number, 0.9 if number == EARLIEST - 1 else 0.5, 0.5)
    assert levelled(read_study(study.paths), 0.02) is None
    append_exclusion(study.paths.trial(EARLIEST - 1), "trained on the wrong images")
    assert levelled(read_study(study.paths), 0.02) == (
        "after 40 trials and after 50 a quarter more were unlikely to add 2 % to the hypervolume"
    )
