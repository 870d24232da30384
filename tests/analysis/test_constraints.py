"""Bounds on what a trial uses: what exceeds one is known by its reason and stands on no frontier."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from analysis.constraints import excess, readable, violation, words
from analysis.figures.pareto import compute
from analysis.pareto import frontier, study_hypervolume
from analysis.report import render
from analysis.runs import read_study
from analysis.schema import TrialFault
from analysis.tables import frontier_table, trials_table

BOUNDS = {"peak_memory_gib": 24.0, "trusted": True}


@pytest.mark.parametrize(
    ("metrics", "fault", "expected"),
    [
        ({"peak_memory_gib": 12.0, "trusted": 1.0}, None, {"peak_memory_gib": -0.5, "trusted": 0.0}),
        ({"peak_memory_gib": 36.0, "trusted": 0.0}, None, {"peak_memory_gib": 0.5, "trusted": 1.0}),
        ({}, None, {"peak_memory_gib": 0.0, "trusted": 0.0}),
        ({"peak_memory_gib": float("nan")}, "timeout", {"peak_memory_gib": 0.0, "trusted": 0.0}),
        ({}, TrialFault.OUT_OF_MEMORY, {"peak_memory_gib": 1.0, "trusted": 0.0}),
        ({"peak_memory_gib": 72.0}, TrialFault.OUT_OF_MEMORY, {"peak_memory_gib": 2.0, "trusted": 0.0}),
    ],
)
def test_excess_is_a_share_of_the_bound(
    metrics: dict[str, float], fault: str | None, expected: dict[str, float]
) -> None:
    assert excess(BOUNDS, metrics, fault) == pytest.approx(expected)


def test_running_out_of_memory_counts_where_memory_is_not_bounded() -> None:
    assert excess({}, {}, TrialFault.OUT_OF_MEMORY) == {"peak_memory_gib": 1.0}
    assert excess({}, {}) == {}


def test_a_violation_says_what_and_by_how_much() -> None:
    found = violation(BOUNDS | {"forward_equivalents": 5e6}, {"forward_equivalents": 6.5e6, "trusted": 0.0})
    assert found == "its figures are not trusted; forward_equivalents is 6.5 M, above 5 M"


def test_bounds_are_told_in_words() -> None:
    assert words(BOUNDS | {"forward_equivalents": 5e6}) == (
        "peak_memory_gib at most 24, figures trusted, forward_equivalents at most 5 M"
    )


def test_only_bounds_that_are_understood_are_read() -> None:
    stated = {"peak_memory_gib": 24, "gpu_minutes": "many", "forward_equivalents": 0, "colour": 3, "trusted": True}
    assert readable(stated) == {"peak_memory_gib": 24, "trusted": True}
    assert readable(None) == {}


def test_what_exceeds_a_bound_is_on_no_frontier(new_study: Callable) -> None:
    folder = new_study(constraints={"forward_equivalents": 5e6})
    folder.finished(0, 0.9, 0.8, work=6 * 10**6)
    folder.finished(1, 0.7, 0.6, work=4 * 10**6)
    folder.finished(2, 0.6, 0.5, work=3 * 10**6)
    study = read_study(folder.paths)
    assert frontier(study)["number"].tolist() == [1]
    assert study_hypervolume(study) == pytest.approx(0.7 * 0.6)
    assert study.trials["violation"].tolist() == ["forward_equivalents is 6 M, above 5 M", "", ""]
    assert "above 5 M" in trials_table(study).markdown()
    assert "above 5 M" not in frontier_table(study).markdown()
    page = render(study)
    assert "<dt>Bounds</dt><dd>forward_equivalents at most 5 M</dd>" in page
    assert "beyond the study's bounds, and are not on it" in page
    points = compute(study).points
    assert points["step"].tolist() == points["best"].tolist() == [False, True, False]
    assert "not on the frontier: forward_equivalents is 6 M" in points["text"].iloc[0]


def test_without_bounds_nothing_is_shown(new_study: Callable) -> None:
    folder = new_study()
    folder.finished(0, 0.9, 0.8)
    assert "Beyond" not in trials_table(read_study(folder.paths)).markdown()
