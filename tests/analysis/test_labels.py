"""One and many read as one and many."""

from __future__ import annotations

from analysis import labels
from analysis.frontier.attainment import Attainment


def test_one_is_told_without_an_s() -> None:
    assert [labels.counted(number, "trial") for number in (0, 1, 2)] == ["0 trials", "1 trial", "2 trials"]
    assert labels.counted(1_234_567, "event") == "1234567 events"
    assert labels.budget({"trials": 1, "wall_minutes": 90, "gpu_hours": 1.0}) == "1 trial, 90 wall minutes, 1 GPU-hour"
    assert labels.budget({"least_gain": 0.02, "trials": 60, "gpu_hours": None}) == "60 trials, least gain 2 %"
    assert labels.counted(1.001, "GPU-hour") == "1 GPU-hour"
    assert labels.trainings(["0003"], "first", [1]) == "trial 0003 of first, with seed 1"
    assert labels.trainings(["0003", "0012"], "first", [1, 2]) == "trials 0003, 0012 of first, each with seeds 1, 2"
    assert Attainment({}, 1, seeds=True).words(50) == "attained by 50 %, at least 1 of 1 seed"


def test_amounts_are_told_in_three_digits_and_no_power_of_ten() -> None:
    numbers = (22.5658, 0.25, 0.012345, 90, 90.0, 999.6, 1234.56, 1440, 1_000_000)
    told = ["22.6", "0.25", "0.0123", "90", "90", "1000", "1235", "1440", "1000000"]
    assert list(map(labels.amount, numbers)) == told
    assert labels.budget({"wall_minutes": 22.5658, "gpu_hours": 0.1234}) == "22.6 wall minutes, 0.123 GPU-hours"
