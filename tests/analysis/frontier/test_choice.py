"""Which trials are worth confirming."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.frontier.choice import configurations, flagged_on_frontier, largest_seed, spread
from analysis.layout import TrialPaths, write_json
from analysis.reading.runs import read_study

NewStudy = Callable[..., Any]
BOTH = ("maximize", "maximize")


def flag(trial: TrialPaths) -> None:
    write_json(trial.result, json.loads(trial.result.read_text()) | {"verdict": "flagged: noise breaks it"})


def front(points: list[tuple[float, float]]) -> pd.DataFrame:
    return pd.DataFrame(points, columns=["clean", "pgd"]).assign(number=range(len(points)))


def kept(points: list[tuple[float, float]], count: int) -> list[int]:
    return spread(front(points), ["clean", "pgd"], BOTH, count)["number"].tolist()


def test_a_flagged_trial_is_no_candidate_and_hides_none(new_study: NewStudy) -> None:
    study = new_study()
    flag(study.finished(0, 0.9, 0.9))
    study.finished(1, 0.8, 0.5)
    study.finished(2, 0.5, 0.6, trainable="pgd_emp_ssl")
    study.finished(3, 0.4, 0.4, trainable="robust_simclr")
    study.failed(4)
    found = read_study(study.paths)
    assert configurations(found)["number"].tolist() == [1, 2]
    assert flagged_on_frontier(found) == [(0, "flagged: noise breaks it")]


def test_without_a_feasible_trial_nothing_is_a_candidate_nor_flagged(new_study: NewStudy) -> None:
    study = new_study(constraints={"gpu_minutes": 5.0})
    study.finished(0, 0.9, 0.9, gpu_minutes=9.0)
    study.failed(1)
    found = read_study(study.paths)
    assert configurations(found).empty
    assert flagged_on_frontier(found) == []


def test_trials_that_differ_in_the_seed_alone_are_one_configuration(new_study: NewStudy) -> None:
    study = new_study()
    study.finished(0, 0.8, 0.5)
    study.finished(1, 0.5, 0.8)
    study.finished(2, 0.4, 0.9, trainable="pgd_emp_ssl")
    found = read_study(study.paths)
    assert configurations(found)["number"].tolist() == [0, 2]
    assert largest_seed(found) == 2


def test_a_study_without_trials_has_no_seed(new_study: NewStudy) -> None:
    assert largest_seed(read_study(new_study().paths)) == -1


def test_extremes_come_first_then_the_farthest_from_those_taken() -> None:
    points = [(1.0, 0.0), (0.95, 0.1), (0.6, 0.7), (0.1, 0.95), (0.0, 1.0)]
    assert kept(points, 1) == [0]
    assert kept(points, 2) == [0, 4]
    assert kept(points, 3) == [0, 2, 4]
    assert kept(points, 9) == [0, 1, 2, 3, 4]


def test_scales_do_not_matter_and_a_cost_is_best_where_it_is_least() -> None:
    points = [(0.9, 3e9), (0.8, 2e9), (0.2, 1e9)]
    best = front(points)
    assert spread(best, ["clean", "pgd"], ("maximize", "minimize"), 2)["number"].tolist() == [0, 2]


def test_one_trial_may_be_best_in_everything() -> None:
    assert kept([(0.5, 0.5), (0.5, 0.5)], 1) == [0]


@given(
    points=st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=12),
    count=st.integers(1, 12),
)
def test_as_many_as_asked_for_each_once_and_in_order(points: list[tuple[float, float]], count: int) -> None:
    numbers = kept(points, count)
    assert len(numbers) == min(count, len(points))
    assert numbers == sorted(set(numbers))
    values = np.array(points)
    if count >= 2:
        assert values[numbers].max(axis=0) == pytest.approx(values.max(axis=0))


def test_a_flagged_trial_beyond_the_studys_bounds_would_be_on_no_frontier(new_study: NewStudy) -> None:
    study = new_study(constraints={"gpu_minutes": 5.0})
    flag(study.finished(0, 0.9, 0.9, gpu_minutes=9.0))
    flag(study.finished(1, 0.8, 0.8, gpu_minutes=1.0))
    study.finished(2, 0.7, 0.7, gpu_minutes=1.0)
    assert [number for number, _ in flagged_on_frontier(read_study(study.paths))] == [1]
