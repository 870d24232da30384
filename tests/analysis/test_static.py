"""Figures in paper form: what of a figure is changed, and what is left."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from plotly import graph_objects as go

from analysis.figures.planes import plane_pairs
from analysis.gallery import all_figures
from analysis.importance import importances
from analysis.layout import write_json
from analysis.runs import Study, read_study
from analysis.static import PX_PER_MM, TYPE_PX, paper

NewStudy = Callable[..., Any]
NARROW, WIDE = 88 * PX_PER_MM, 178 * PX_PER_MM


def drawn(study: Study) -> dict[str, go.Figure]:
    return all_figures(study, importances(study), plane_pairs(study))


@pytest.fixture
def figures(new_study: NewStudy) -> dict[str, go.Figure]:
    study = new_study()
    for number in range(24):
        trainable = ("cf_amc_ssl", "pgd_emp_ssl")[number % 2]
        params = {
            "trainable": trainable,
            "m": 1 + number % 3,
            "epsilon": (1 + number) / 255,
            "learning_rate": 0.1 * number,
        }
        study.finished(
            number, 0.5 + number / 60, 0.6 - number / 60, work=10**6 * (1 + number), params=params, trainable=trainable
        )
    return drawn(read_study(study.paths))


def test_every_figure_of_a_study_is_drawn_for_paper(figures: dict[str, go.Figure]) -> None:
    assert list(figures) == [
        *("frontier", "attainment"),
        *("plane_forward_equivalents_clean_accuracy", "plane_forward_equivalents_pgd_accuracy"),
        *("hypervolume", "parallel", "importance", "slices", "interactions", "curves"),
    ]
    for figure in figures.values():
        before = json.loads(figure.to_json())
        made = paper(figure, WIDE)
        assert json.loads(figure.to_json()) == before, "the report's figure stays as it is"
        layout = made.layout
        assert (len(layout.updatemenus), layout.paper_bgcolor, layout.plot_bgcolor) == (0, "white", "white")
        assert layout.width >= round(WIDE)
        assert 100 < layout.height < 1500
        assert layout.height - layout.margin.t - layout.margin.b > 80, "the plot has room"
        assert layout.font.size == TYPE_PX
        assert [trace.type for trace in made.data] == [trace.type for trace in figure.data]


def test_panels_and_coordinates_take_the_width_they_need(figures: dict[str, go.Figure]) -> None:
    widths = {name: paper(figure, NARROW).layout.width for name, figure in figures.items()}
    single = {name for name, width in widths.items() if width == round(NARROW)}
    assert {"frontier", "attainment", "hypervolume"} <= single
    assert widths["slices"] > 110 * PX_PER_MM
    assert widths["parallel"] > NARROW


def test_a_bar_of_colours_lies_over_a_narrow_plot(figures: dict[str, go.Figure]) -> None:
    assert paper(figures["frontier"], NARROW).layout.coloraxis.colorbar.orientation == "h"
    assert paper(figures["frontier"], WIDE).layout.coloraxis.colorbar.orientation is None


def labels_of(figure: go.Figure) -> list[str]:
    return [text for trace in figure.data if "text" in str(trace.mode) for text in trace.text if text]


def test_labels_that_would_cover_each_other_are_left_out() -> None:
    def drawn(xs: list[float]) -> list[str]:
        figure = go.Figure(go.Scatter(x=[*xs, 0.0, 100.0], y=[5.0] * len(xs) + [0.0, 10.0], mode="markers"))
        figure.add_scatter(x=xs, y=[5.0] * len(xs), text=[f"{x:g}" for x in xs], mode="markers+text")
        figure.update_layout(height=400, margin={"l": 50, "r": 10, "t": 10, "b": 50})
        return labels_of(paper(figure, WIDE))

    assert drawn([10.0, 50.0, 90.0]) == ["10", "50", "90"]
    assert drawn([50.0, 50.5, 90.0]) == ["50", "90"]


def test_what_the_page_hides_is_not_in_the_legend() -> None:
    figure = go.Figure(go.Scatter(x=[1], y=[1], name="shown"))
    figure.add_scatter(x=[1], y=[1], name="only in the legend", visible="legendonly")
    figure.add_scatter(x=[1], y=[1], name="a name that is far too long for a column of a paper to hold " * 2)
    figure.update_layout(height=400, margin={"l": 50, "r": 10, "t": 10, "b": 50})
    made = paper(figure, NARROW)
    assert [trace.showlegend for trace in made.data] == [None, False, None]
    assert "<br>" in made.data[2].name


def test_a_title_is_broken_into_lines_of_the_page() -> None:
    figure = go.Figure(go.Scatter(x=[1], y=[1]))
    figure.update_layout(title="word " * 40, height=400, margin={"l": 50, "r": 10, "t": 10, "b": 50})
    narrow, wide = (paper(figure, width) for width in (NARROW, WIDE))
    assert narrow.layout.annotations[0].text.count("<br>") > wide.layout.annotations[0].text.count("<br>") > 0
    assert narrow.layout.margin.t > wide.layout.margin.t


def _nothing(study: Any) -> None: ...


def _running(study: Any) -> None:
    study.begin(0, {"m": 3})


def _one(study: Any) -> None:
    study.finished(0, 0.9, 0.5)


def _flagged(study: Any) -> None:
    for number in range(3):
        write_json(study.finished(number, 0.9, 0.5).result, {"verdict": "flagged: noise"})


def _broken(study: Any) -> None:
    study.finished(0, 0.9, 0.5, pgd_accuracy=float("nan"), clean_accuracy=float("inf"))
    study.finished(1, 0.9, 0.5)
    study.paths.trial(1).config.write_text("{")
    study.paths.manifest.write_text('{"name": ')


@pytest.mark.parametrize("make", [_nothing, _running, _one, _flagged, _broken])
@pytest.mark.parametrize("width", [NARROW, WIDE])
def test_odd_studies_have_figures_or_none(new_study: NewStudy, make: Callable[[Any], None], width: float) -> None:
    study = new_study()
    make(study)
    for figure in drawn(read_study(study.paths)).values():
        assert paper(figure, width).to_plotly_json()
