"""Bounds on what a trial uses and reaches: what misses one is known by its reason and stands on no frontier."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.constraints import excess, least, readable, violation, words
from analysis.figures.axis import Axis
from analysis.figures.pareto import compute, pareto_figure
from analysis.frontier.pareto import frontier, study_hypervolume
from analysis.printing.static import TYPE_PX, paper
from analysis.reading.runs import Study, read_study
from analysis.report.page import render
from analysis.schema import TrialFault
from analysis.tables.trials import frontier_table, trials_table

AT_LEAST_70 = {"clean_accuracy": {"at_least": 0.7}}
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


@pytest.mark.parametrize(
    ("clean", "fault", "expected"),
    [
        (0.7, None, {"clean_accuracy": 0.0}),
        (0.35, None, {"clean_accuracy": 0.5}),
        (0.0, None, {"clean_accuracy": 1.0}),
        (0.84, None, {"clean_accuracy": -0.2}),
        (float("nan"), "timeout", {"clean_accuracy": 1.0}),
        (float("nan"), TrialFault.OUT_OF_MEMORY, {"clean_accuracy": 1.0, "peak_memory_gib": 1.0}),
    ],
)
def test_what_is_not_reached_is_a_share_of_what_is_asked(
    clean: float, fault: str | None, expected: dict[str, float]
) -> None:
    assert excess(AT_LEAST_70, {"clean_accuracy": clean}, fault) == pytest.approx(expected)
    if clean != clean:
        assert excess(AT_LEAST_70, {}, fault) == expected


shares = st.integers(0, 10_000).map(lambda right: right / 10_000)
amounts = st.floats(1e-3, 1e18)


@given(shares, shares.filter(bool), amounts, amounts)
def test_a_bound_is_missed_on_its_side_alone_and_told_in_two_different_figures(
    clean: float, asked: float, used: float, most: float
) -> None:
    bounds = {"clean_accuracy": {"at_least": asked}, "gpu_minutes": most}
    found = excess(bounds, {"clean_accuracy": clean, "gpu_minutes": used})
    assert (found["clean_accuracy"] > 0) is (clean < asked)
    assert (found["gpu_minutes"] > 0) is (used > most)
    told = violation(bounds, {"clean_accuracy": clean, "gpu_minutes": used})
    for text in filter(None, told.split("; ")):
        value, other = text.partition(" is ")[2].replace(", below ", ", above ").split(", above ")
        assert value != other
    assert ("below" in told, "above" in told) == (clean < asked, used > most)


def test_what_an_accuracy_must_reach() -> None:
    bounds = AT_LEAST_70 | BOUNDS
    assert least(bounds, "clean_accuracy") == 0.7
    assert least(bounds, "pgd_accuracy") == least(bounds, "peak_memory_gib") == -float("inf")


def test_a_violation_says_what_and_by_how_much() -> None:
    found = violation(BOUNDS | {"forward_equivalents": 5e6}, {"forward_equivalents": 6.5e6, "trusted": 0.0})
    assert found == "its figures are not trusted; forward_equivalents is 6.5 M, above 5 M"

    below = violation(AT_LEAST_70 | {"robust_head/pgd_16_zero": {"at_least": 0.2}}, {"clean_accuracy": 0.6996})
    assert below == (
        "clean_accuracy is 69.96 %, below 70 %; robust_head/pgd_16_zero was not measured, and is to be at least 20 %"
    )
    assert violation({"peak_memory_gib": 24}, {"peak_memory_gib": 24.04}) == "peak_memory_gib is 24.04, above 24"


def test_bounds_are_told_in_words() -> None:
    assert words(BOUNDS | {"forward_equivalents": 5e6} | AT_LEAST_70) == (
        "peak_memory_gib at most 24, figures trusted, forward_equivalents at most 5 M, clean_accuracy at least 70 %"
    )


def test_only_bounds_that_are_understood_are_read() -> None:
    stated = {"peak_memory_gib": 24, "gpu_minutes": "many", "forward_equivalents": 0, "colour": 3, "trusted": True}
    assert readable(stated) == {"peak_memory_gib": 24, "trusted": True}
    wrong = {"pgd_accuracy": 0.3, "gpu_minutes": {"at_least": 3}, "clean_accuracy_low": {"at_least": "much"}}
    assert readable(AT_LEAST_70 | wrong | {"auto_attack_accuracy": {"at_most": 1}}) == AT_LEAST_70
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


def test_what_does_not_reach_a_bound_is_on_no_frontier(new_study: Callable) -> None:
    folder = new_study(constraints={"pgd_accuracy": {"at_least": 0.5}, "robust_head/clean": {"at_least": 0.65}})
    folder.finished(0, 0.9, 0.4)
    folder.finished(1, 0.7, 0.6)
    folder.finished(2, 0.6, 0.5)
    study = read_study(folder.paths)
    assert frontier(study)["number"].tolist() == [1]
    assert study.trials["violation"].tolist() == [
        "pgd_accuracy is 40 %, below 50 %",
        "",
        "robust_head/clean is 60 %, below 65 %",
    ]
    page = render(study)
    assert "<dt>Bounds</dt><dd>pgd_accuracy at least 50 %, robust_head/clean at least 65 %</dd>" in page
    plot = compute(study)
    assert plot.points["best"].tolist() == [False, True, False]
    assert plot.bounds == (("y", 50.0, "at least 50 %", 0),)
    (line,) = pareto_figure(study).layout.shapes
    assert (line.y0, line.y1, line.xref, line.label.text) == (50.0, 50.0, "x domain", "at least 50 %")
    assert paper(pareto_figure(study), 300).layout.shapes[0].label.font.size == TYPE_PX


@pytest.mark.parametrize(
    ("most", "side", "text"), [(25, -1, "← at most 25"), (45, 0, None), (220, 0, None), (280, 1, "at most 280 →")]
)
def test_a_bound_far_off_is_told_at_the_edge_and_stretches_no_axis(
    new_study: Callable, most: float, side: int, text: str | None
) -> None:
    """Costs from 100 to 160: a line within one such length of them leaves them at least half of the axis."""
    folder = new_study(constraints={"forward_equivalents": most})
    for number, work in enumerate((100, 130, 160)):
        folder.finished(number, 0.5 + 0.1 * number, 0.4, work)
    study = read_study(folder.paths)
    assert compute(study, axes(study)).bounds == (("x", float(most), f"at most {most}", side),)
    figure = pareto_figure(study, ("forward_equivalents", "clean_accuracy"))
    edge = (0, "left") if side < 0 else (1, "right")
    notes = [(note.text, note.x, note.xanchor) for note in figure.layout.annotations]
    assert notes == ([(text, *edge)] if text else [])
    assert [shape.x0 for shape in figure.layout.shapes] == ([] if text else [most])


@pytest.mark.parametrize(("most", "side"), [(2e8, 0), (2e9, 1), (2.0, 0), (0.5, -1)])
def test_on_a_logarithmic_axis_a_bound_is_far_off_by_its_logarithm(new_study: Callable, most: float, side: int) -> None:
    folder = new_study(constraints={"forward_equivalents": most})
    for number, work in enumerate((1e3, 1e4, 1e6)):
        folder.finished(number, 0.5 + 0.1 * number, 0.4, int(work))
    study = read_study(folder.paths)
    (bound,) = compute(study, axes(study)).bounds
    assert bound.side == side


def axes(study: Study) -> tuple[Axis, Axis]:
    return Axis.of(study, "forward_equivalents"), Axis.of(study, "clean_accuracy")


def test_a_single_point_has_its_bounds_line(new_study: Callable) -> None:
    folder = new_study(constraints={"forward_equivalents": 1e9})
    folder.finished(0, 0.9, 0.8, 100)
    study = read_study(folder.paths)
    assert [bound.side for bound in compute(study, axes(study)).bounds] == [0]


def test_without_bounds_nothing_is_shown(new_study: Callable) -> None:
    folder = new_study()
    folder.finished(0, 0.9, 0.8)
    assert "Beyond" not in trials_table(read_study(folder.paths)).markdown()
