"""How long a study goes on: closed forms."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from study.config import Budget
from study.search.budget import Spent, keeps_the_rest, minutes_left, no_more_trials, out_of_time


def left(
    limits: dict[str, Any], ended: int, wall_minutes: float, running: Sequence[float] = (), gpu_hours: float = 0.0
) -> float | None:
    """Of a study whose trials take 10 minutes."""
    spent = Spent(trials=ended + len(running), ended=ended, gpu_hours=gpu_hours)
    return minutes_left(Budget(**limits), spent, wall_minutes, [10.0] * ended, running)


@pytest.mark.parametrize(
    ("ended", "wall_minutes", "running", "expected"),
    [
        (2, 10.0, [0.0, 0.0], 20.0),
        (2, 15.0, [5.0, 5.0], 15.0),
        (2, 20.0, [], 40.0),
        (1, 11.0, [1.0], 49.0),
        (5, 53.0, [3.0], 7.0),
        (5, 15.0, [5.0], 5.0),
        (6, 60.0, [], 0.0),
        (5, 80.0, [30.0], 0.0),
        (6, 30.0, [5.0], 5.0),
    ],
    ids=[
        "two side by side that begin",
        "the same five minutes on",
        "one after the other",
        "one of which runs",
        "the last one alone",
        "the last one, where two ran side by side",
        "all ended",
        "one that outlasts the usual",
        "one more than the budget",
    ],
)
def test_six_trials(ended: int, wall_minutes: float, running: list[float], expected: float) -> None:
    assert left({"trials": 6}, ended, wall_minutes, running) == pytest.approx(expected)


def test_gpu_hours_go_as_they_went_and_what_runs_is_of_them() -> None:
    assert left({"gpu_hours": 3.0}, ended=2, wall_minutes=20.0, gpu_hours=1.0) == pytest.approx(40.0)
    alone = left({"gpu_hours": 3.0}, ended=2, wall_minutes=20.0, running=[0.0], gpu_hours=1.0)
    beside = left({"gpu_hours": 3.0}, ended=2, wall_minutes=10.0, running=[0.0, 0.0], gpu_hours=1.0)
    assert (alone, beside) == (pytest.approx(40.0), pytest.approx(20.0))


@pytest.mark.parametrize(
    ("spent", "promised", "kept"), [(0.0, 0.0, False), (1.0, 1.9, False), (1.0, 2.0, True), (2.9, 5.0, True)]
)
def test_a_trial_begins_only_where_those_that_run_leave_hours(spent: float, promised: float, kept: bool) -> None:
    used = Spent(trials=9, ended=7, gpu_hours=spent, promised_gpu_hours=promised)
    assert keeps_the_rest(Budget(gpu_hours=3.0), used) is kept
    assert not keeps_the_rest(Budget(trials=10), used)


def test_the_nearest_limit_ends_it() -> None:
    assert left({"trials": 6, "wall_minutes": 25.0}, ended=2, wall_minutes=20.0) == pytest.approx(5.0)
    assert left({"trials": 6, "wall_minutes": 90.0}, ended=2, wall_minutes=20.0) == pytest.approx(40.0)
    assert left({"trials": 6, "gpu_hours": 2.0}, ended=2, wall_minutes=20.0, gpu_hours=1.0) == pytest.approx(20.0)
    assert left({"wall_minutes": 25.0}, ended=2, wall_minutes=20.0) == pytest.approx(5.0)


def test_where_nothing_can_be_said_nothing_is() -> None:
    assert left({"trials": 6, "wall_minutes": 90.0}, ended=0, wall_minutes=5.0, running=[5.0, 5.0]) is None
    assert left({"gpu_hours": 3.0}, ended=2, wall_minutes=20.0) is None, "trials that cost nothing"


def test_trials_that_failed_at_once_are_part_of_the_pace() -> None:
    spent = Spent(trials=4, ended=4, gpu_hours=0.0)
    assert minutes_left(Budget(trials=6), spent, 20.0, [10.0, 10.0], []) == pytest.approx(10.0)


def test_what_is_used_up_is_told_in_few_digits() -> None:
    spent = Spent(trials=3, ended=3, gpu_hours=0.513333)
    assert no_more_trials(Budget(gpu_hours=0.5), spent) == "0.513 of 0.5 GPU-hours are spent"
    assert out_of_time(Budget(wall_minutes=22.5658), 30.0) == "the time limit of 22.6 minutes is reached"
