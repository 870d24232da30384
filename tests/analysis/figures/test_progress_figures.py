"""Attainment and hypervolume figures: what they are drawn from, and that odd studies have a figure or none."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from analysis.figures import attainment, hypervolume
from analysis.figures.attainment import attainment_figure, diameters
from analysis.figures.hypervolume import hypervolume_figure
from analysis.layout import write_json
from analysis.reading.runs import read_study

NewStudy = Callable[..., Any]


@pytest.fixture
def study(new_study: NewStudy) -> Any:
    folder = new_study()
    folder.finished(0, 0.9, 0.3)
    folder.finished(1, 0.8, 0.5, trainable="pgd_emp_ssl")
    folder.finished(2, 0.1, 0.05)
    write_json(folder.finished(3, 0.99, 0.9).result, {"verdict": "flagged: noise breaks it"})
    folder.failed(4)
    return folder


def test_points_carry_their_chance_and_flagged_ones_none(study: Any) -> None:
    plot = attainment.compute(read_study(study.paths))
    assert plot.points["chance"].tolist()[:3] == [1.0, 1.0, 0.0]
    assert math.isnan(plot.points["chance"].iloc[3])
    assert plot.points["hollow"].tolist() == [False, False, False, True]
    assert "on the frontier of these two: 100.0 % of draws" in plot.points["text"].iloc[0]
    assert diameters(np.array([0.0, 1.0, math.nan])).tolist() == [6, 20, 6]


def test_all_objectives_have_a_chance_of_their_own(new_study: NewStudy) -> None:
    names = ("clean_accuracy", "pgd_accuracy", "forward_equivalents")
    folder = new_study(objectives=[{"metric": name} for name in names])
    folder.finished(0, 0.9, 0.5, work=10**6)
    folder.finished(1, 0.5, 0.2, work=10**5)
    text = attainment.compute(read_study(folder.paths)).points["text"].iloc[1]
    assert "of these two: 0.0 % of draws" in text
    assert "of all objectives: 100.0 % of draws" in text


@pytest.mark.parametrize(
    ("names", "outer"),
    [(("clean_accuracy", "pgd_accuracy"), [1, 1]), (("pgd_accuracy", "forward_equivalents"), [1, -1])],
)
def test_edges_bound_what_their_corners_attain(new_study: NewStudy, names: tuple[str, str], outer: list[int]) -> None:
    folder = new_study(objectives=[{"metric": name} for name in names])
    folder.finished(0, 0.9, 0.3, work=10**5)
    folder.finished(1, 0.8, 0.5, work=10**6)
    plot = attainment.compute(read_study(folder.paths))
    assert plot.attained is not None
    factors = np.array([plot.x.factor, plot.y.factor])
    for level, corners in plot.attained.surfaces.items():
        edge = plot.edges[level] * outer
        assert len(edge) == 2 * len(corners) + 1
        assert (np.diff(edge[:, 0]) >= 0).all()
        assert (np.diff(edge[:, 1]) <= 0).all()
        assert edge[1::2] == pytest.approx((corners * factors * outer)[np.argsort((corners * outer)[:, 0])])


def test_the_view_near_the_frontier_comes_first_and_hides_nothing_for_good(study: Any) -> None:
    figure = attainment_figure(read_study(study.paths))
    assert figure is not None
    first, second = figure.layout.updatemenus[0].buttons
    assert (first.label, second.label) == ("near the frontier", "all trials")
    assert figure.layout.xaxis.range[0] > 50
    assert second.args[0] == {"xaxis.autorange": True, "yaxis.autorange": True}


def test_a_confirmations_points_are_its_configurations_over_their_seeds(new_confirmation: NewStudy) -> None:
    child = new_confirmation({3: [0.5, 0.6], 4: [0.8, 0.7]})
    plot = attainment.compute(read_study(child.paths), ("clean_accuracy", "pgd_accuracy"))
    assert plot.points["x"].tolist() == pytest.approx([55, 75])
    assert len(plot.seeds) == 4
    barred = [trace for trace in attainment_figure(read_study(child.paths)).data if trace.error_x.visible]
    assert [list(trace.ids) for trace in barred] == [["0000 0001", "0002 0003"]], "means have bars, seeds have none"
    # Student: mean 0.55 with standard error 0.05, t(0.975, 1) = 12.7062; it ends with what an accuracy can be
    assert list(barred[0].error_x.arrayminus) == pytest.approx([55, 63.53], abs=0.01)
    assert list(barred[0].error_x.array) == pytest.approx([45, 25], abs=0.01)


def test_a_flagged_configuration_has_no_bars(new_confirmation: NewStudy) -> None:
    child = new_confirmation({3: [0.5, 0.6], 4: [0.8, 0.7]})
    write_json(child.paths.trial(3).result, {"verdict": "flagged: noise breaks it"})
    barred = [trace for trace in attainment_figure(read_study(child.paths)).data if trace.error_x.visible]
    assert [list(trace.ids) for trace in barred] == [["0000 0001"]]


def test_a_searchs_trials_have_no_bars_beside_its_surfaces(study: Any) -> None:
    assert not any(trace.error_x.visible for trace in attainment_figure(read_study(study.paths)).data)


def test_lines_are_all_trials_and_each_trainable(study: Any) -> None:
    lines = hypervolume.compute(read_study(study.paths))
    assert [line.title for line in lines] == ["all trials", "cf_amc_ssl", "pgd_emp_ssl"]
    assert lines[0].rows["hypervolume"].tolist() == pytest.approx([27, 43, 43, 43, 43])
    assert lines[2].rows["trials"].tolist() == [1]


def test_the_menu_changes_lines_and_title_together(study: Any) -> None:
    figure = hypervolume_figure(read_study(study.paths))
    assert figure is not None
    buttons = figure.layout.updatemenus[0].buttons
    assert [button.label for button in buttons] == ["against trials", "against GPU-hours", "against wall time"]
    assert [trace.visible for trace in figure.data] == buttons[0].args[0]["visible"]
    assert sum(buttons[2].args[0]["visible"]) == 3
    assert buttons[1].args[1]["xaxis.title.text"].startswith("GPU-hours")


def test_one_trainable_has_one_line(new_study: NewStudy) -> None:
    folder = new_study()
    folder.finished(0, 0.9, 0.3)
    assert len(hypervolume.compute(read_study(folder.paths))) == 1


def spoilt(folder: Any, how: str) -> None:
    if how == "failed":
        folder.failed(0)
    if how == "running":
        folder.epochs(folder.begin(0, {"m": 3}), 2)
    if how == "one":
        folder.finished(0, 0.9, 0.3)
    if how == "NaN":
        folder.finished(0, 0.9, 0.3, pgd_accuracy=math.nan)
    if how == "zero":
        folder.finished(0, 0.0, 0.0)
    if how == "flagged":
        for number in range(2):
            write_json(folder.finished(number, 0.9, 0.3).result, {"verdict": "flagged: noise breaks it"})
    if how == "torn":
        folder.finished(0, 0.9, 0.3).config.write_text("{")


@pytest.mark.parametrize(
    "objectives", [("clean_accuracy", "pgd_accuracy"), ("gpu_minutes",), ("auto_attack_accuracy",)]
)
@pytest.mark.parametrize("how", ["empty", "failed", "running", "one", "NaN", "zero", "flagged", "torn"])
def test_odd_studies_have_a_figure_or_none(new_study: NewStudy, how: str, objectives: tuple[str, ...]) -> None:
    folder = new_study(objectives=[{"metric": name} for name in objectives])
    spoilt(folder, how)
    read = read_study(folder.paths)
    drawn = attainment_figure(read), hypervolume_figure(read)
    shown = how in ("one", "zero", "flagged", "torn")
    if objectives == ("clean_accuracy", "pgd_accuracy"):
        assert [figure is not None for figure in drawn] == [shown, how not in ("empty", "running")]
    for figure in drawn:
        assert figure is None or figure.to_json()


def test_texts_from_users_are_escaped(new_study: NewStudy) -> None:
    folder = new_study()
    folder.finished(0, 0.9, 0.3, trainable="<script>")
    folder.finished(1, 0.8, 0.4)
    read = read_study(folder.paths)
    for figure in (attainment_figure(read), hypervolume_figure(read)):
        assert figure is not None
        assert "\\u003cscript" not in figure.to_json()
