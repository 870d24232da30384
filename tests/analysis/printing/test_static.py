"""Figures in paper form: what of a figure is changed, and what is left."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
from plotly import graph_objects as go

from analysis.figures import parallel_figure, pareto_figure
from analysis.figures.gallery import all_figures
from analysis.figures.planes import plane_pairs
from analysis.layout import write_json
from analysis.printing.headings import OFFSET_PX, headings
from analysis.printing.legend import legend
from analysis.printing.paper_type import LETTER_PX, TYPE_PX, printed_px
from analysis.printing.static import PX_PER_MM, laid_out_px, paper, papers
from analysis.reading.runs import Study, read_study
from analysis.searched.importance import importances

NewStudy = Callable[..., Any]
NARROWEST, NARROW, WIDE = 60 * PX_PER_MM, 88 * PX_PER_MM, 178 * PX_PER_MM


def drawn(study: Study, width: float = WIDE) -> dict[str, go.Figure]:
    return all_figures(study, importances(study), plane_pairs(study), width_px=laid_out_px(width))


def filled(study: Any) -> Study:
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
    return read_study(study.paths)


@pytest.fixture
def figures(new_study: NewStudy) -> dict[str, go.Figure]:
    return drawn(filled(new_study()))


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


def test_every_choice_of_a_menu_is_a_figure_of_its_own(figures: dict[str, go.Figure]) -> None:
    made = papers(figures, WIDE)
    for name, figure in figures.items():
        offered = sum(len(menu.buttons) for menu in figure.layout.updatemenus)
        assert len([one for one in made if one == name or one.startswith(f"{name}-")]) == max(1, offered), name
    for place, name in enumerate(("hypervolume", "hypervolume-against-GPU-hours", "hypervolume-against-wall-time")):
        choice = figures["hypervolume"].layout.updatemenus[0].buttons[place].args
        assert [trace.visible for trace in made[name].data] == choice[0]["visible"]
        assert made[name].layout.xaxis.title.text == choice[1]["xaxis.title.text"]
    assert figures["hypervolume"].data[0].visible, "the report's figure stays as it is"


@pytest.mark.parametrize(("width", "across"), [(NARROWEST, [1, 1, 1]), (NARROW, [2, 2, 2]), (WIDE, [3, 2, 3])])
def test_panels_stand_side_by_side_as_far_as_the_page_is_wide(
    new_study: NewStudy, width: float, across: list[int]
) -> None:
    figures = drawn(filled(new_study()), width)
    made = {name: paper(figure, width) for name, figure in figures.items()}
    assert {name for name, one in made.items() if one.layout.width != round(width)} <= {"parallel"}
    lefts = {name: len({axis.domain[0] for axis in one.select_xaxes() if axis.domain}) for name, one in made.items()}
    assert [lefts[name] for name in ("importance", "interactions", "slices")] == across
    assert made["parallel"].layout.width > NARROW


def test_axes_under_colour_bars_are_named_beneath_their_ticks(new_study: NewStudy) -> None:
    figures = drawn(filled(new_study()), NARROW)
    for name, shown in (("interactions", 2), ("frontier", 1)):
        made = paper(figures[name], NARROW)
        named = [note for note in made.layout.annotations if str(note.yref).endswith("domain") and note.y == 0]
        told = [axis.title.text for axis in figures[name].select_xaxes() if axis.title.text]
        assert [note.text for note in named] == told
        assert len(told) == shown
        assert all(note.yshift < -TYPE_PX for note in named)
        assert not any(axis.title.text for axis in made.select_xaxes())


def test_ticks_of_a_bar_that_lies_have_room(new_study: NewStudy) -> None:
    study = new_study()
    for number in range(6):
        study.finished(number, 0.9 - number / 1000, 0.6 + number / 100, work=100_000 + number)
    figure = pareto_figure(read_study(study.paths))
    assert figure is not None
    narrow, wide = (paper(figure, width).layout.coloraxis.colorbar for width in (NARROW, WIDE))
    assert wide.ticktext == ("100 k", "100.001 k", "100.002 k", "100.003 k", "100.004 k", "100.005 k")
    assert narrow.ticktext == ("100 k", "100.002 k", "100.004 k")
    assert narrow.tickangle == 0


def test_the_ends_of_neighbouring_scales_are_not_read_as_one_number(new_study: NewStudy) -> None:
    layout = paper(drawn(filled(new_study()), NARROW)["importance"], NARROW).layout
    first, second = (layout[name] for name in ("xaxis", "xaxis2"))
    width = layout.width - layout.margin.l - layout.margin.r
    beyond = (1 - 100 / first.range[1]) * (first.domain[1] - first.domain[0])
    apart = (second.domain[0] - first.domain[1] + beyond) * width
    assert apart > (printed_px("100") + printed_px("0")) / 2 + LETTER_PX


def test_a_bar_of_colours_lies_over_a_narrow_plot(figures: dict[str, go.Figure]) -> None:
    assert paper(figures["frontier"], NARROW).layout.coloraxis.colorbar.orientation == "h"
    assert paper(figures["frontier"], WIDE).layout.coloraxis.colorbar.orientation is None


def labels_of(figure: go.Figure) -> list[str]:
    return [text for trace in figure.data if "text" in str(trace.mode) for text in trace.text if text]


def among(xs: list[float], *others: tuple[float, float], **bars: Any) -> dict[str, str]:
    """The labels of points at 5 on a plot of 100 by 10, each with its corner; ``others`` have none."""
    marks = [*others, (0.0, 0.0), (100.0, 10.0)]
    figure = go.Figure(go.Scatter(x=[x for x, _ in marks], y=[y for _, y in marks], mode="markers", **bars))
    texts = [f"{place}" for place in range(len(xs))]
    figure.add_scatter(x=xs, y=[5.0] * len(xs), text=texts, mode="markers+text", textposition="top right")
    figure.update_layout(height=400, margin={"l": 50, "r": 10, "t": 10, "b": 50})
    trace = paper(figure, WIDE).data[1]
    return {text: corner for text, corner in zip(trace.text, trace.textposition, strict=True) if text}


def test_labels_stand_where_they_cover_nothing_and_are_left_out_where_they_cannot() -> None:
    corners = ("top right", "top left", "bottom right", "bottom left")
    assert among([10.0, 50.0, 90.0]) == dict.fromkeys("012", "top right")
    assert among([50.0] * 5) == dict(zip("0123", corners, strict=False)), "the fifth would lie over another"
    px = 100 / (WIDE - 43)
    assert among([50.0], (50.0 + 12 * px, 5.4)) == {"0": "top left"}, "a mark would be nearer, or under it"
    assert among([50.0, 50.0 + 20 * px]) == {"0": "top left", "1": "top right"}, "the other point would be nearer"
    crowd = [(50.0 + across * 12 * px, 5.0 + up * 0.4) for across in (-1, 1) for up in (-1, 1)]
    assert among([50.0], *crowd) == {}


def test_no_bar_strikes_a_label_through_that_has_another_place() -> None:
    px = 100 / (WIDE - 43)
    upright = {"error_y": {"visible": True, "array": [3.0, 0, 0], "arrayminus": [3.0, 0, 0]}}
    assert among([50.0], (50.0 + 10 * px, 8.0), **upright) == {"0": "top left"}
    level = {"error_x": {"visible": True, "array": [30.0, 0, 0], "arrayminus": [30.0, 0, 0]}}
    assert among([50.0], (60.0, 5.4), **level) == {"0": "bottom right"}


def edged(log: bool = False, position: str = "top right") -> go.Figure:
    """Labelled points in all four corners of what is drawn."""
    xs, ys = ([1.0, 1000.0] if log else [0.0, 9.0]), [0.0, 50.0]
    figure = go.Figure(go.Scatter(x=[*xs, xs[1], xs[0]], y=[*ys, *ys], mode="markers+text", textposition=position))
    figure.update_traces(text=["0001", "0002", "0003", "0004"])
    figure.update_xaxes(type="log" if log else "linear")
    return figure.update_layout(height=400, margin={"l": 50, "r": 10, "t": 10, "b": 50})


@pytest.mark.parametrize("width", [NARROWEST, NARROW, WIDE])
@pytest.mark.parametrize("log", [False, True])
@pytest.mark.parametrize("position", ["top right", "top left", "bottom left"])
def test_labels_of_points_at_the_edge_are_within_the_plot(width: float, log: bool, position: str) -> None:
    made = paper(edged(log, position), width)
    assert labels_of(made) == ["0001", "0002", "0003", "0004"]
    plot = {"x": made.layout.width - 43, "y": made.layout.height - 46}
    vertical, side = position.split()
    (trace,) = made.data
    for name, size, needed, after in (("x", plot["x"], 36, side == "right"), ("y", plot["y"], 16, vertical == "top")):
        low, high = made.layout[f"{name}axis"].range
        places = [math.log10(value) if name == "x" and log else value for value in trace[name]]
        free = high - max(places) if after else min(places) - low
        assert free / (high - low) * size >= needed


def test_each_label_has_the_room_of_its_own_position_and_length() -> None:
    figure = go.Figure(go.Scatter(x=[0.0, 9.0], y=[0.0, 50.0], mode="markers+text"))
    figure.update_traces(text=["first/0001", "2"], textposition=["top left", "top left"])
    figure.update_layout(height=400, margin={"l": 50, "r": 10, "t": 10, "b": 50})
    both = paper(figure, NARROW).layout.xaxis.range
    assert -both[0] / (both[1] - both[0]) * (NARROW - 43) >= printed_px("first/0001")
    right = paper(figure.update_traces(textposition=["top right", "top left"]), NARROW).layout.xaxis.range
    assert right is None


def test_a_range_that_leaves_room_and_one_without_labels_stay() -> None:
    roomy = edged().update_xaxes(range=[-10, 20]).update_yaxes(range=[-100, 100])
    made = paper(roomy, NARROW)
    assert (made.layout.xaxis.range, made.layout.yaxis.range) == ((-10, 20), (-100, 100))
    bare = paper(edged().update_traces(mode="markers"), NARROW)
    assert (bare.layout.xaxis.range, bare.layout.yaxis.range) == (None, None)


def test_what_lies_out_of_sight_does_not_take_labels_away() -> None:
    """Distances are those of the view, not those of all trials."""
    figure = go.Figure(go.Scatter(x=[90.0, 90.5], y=[70.0, 70.0], text=["0001", "0002"], mode="markers+text"))
    figure.add_scatter(x=[0.0], y=[0.0], mode="markers")
    figure.update_layout(height=400, margin={"l": 50, "r": 10, "t": 10, "b": 50})
    whole = paper(figure, NARROW).data[0].textposition
    figure.update_xaxes(range=[90, 91])
    near = paper(figure, NARROW).data[0].textposition
    assert (len(set(whole)), set(near)) == (2, {"top right"})


NAMES = ["trainable", "crop_scale_min", "epsilon (/255)", "Clean accuracy (%)", "PGD accuracy at 16/255 (%)"]


def test_labels_have_the_scale_of_their_own_view(new_study: NewStudy) -> None:
    study = new_study()
    for number in range(5):
        study.finished(number, 0.9 - number / 25, 0.6 + number / 300)
    study.finished(5, 0.01, 0.6)
    made = papers({"frontier": pareto_figure(read_study(study.paths))}, NARROW)
    near, everything = made.values()
    assert list(made) == ["frontier", "frontier-all-trials"]
    assert len(labels_of(near)) > len(labels_of(everything)) > 1, "closer together, fewer have room"


def test_a_wider_range_is_not_left_to_the_plot() -> None:
    figure = edged()
    figure.update_xaxes(range=[-100, 100], autorange=True)
    made = paper(figure, NARROW)
    assert made.layout.xaxis.autorange is False
    assert -100 < made.layout.xaxis.range[0] < made.layout.xaxis.range[1] < 100


@pytest.mark.parametrize("across", [190, 260, 400, 800, 2000])
def test_names_of_parallel_coordinates_neither_touch_nor_leave_the_page(across: float) -> None:
    named = headings(NAMES, across, 20)
    apart = (across - named.beside) / (len(NAMES) - 1)
    widths = [printed_px(text) for text in named.texts]
    if named.angle == 0:
        assert all((one + other) / 2 < apart for one, other in pairwise(widths))
        assert named.beside >= widths[-1] / 2
    else:
        lines = max(text.count("<br>") + 1 for text in named.texts)
        assert apart * math.sin(math.radians(named.angle)) >= lines * TYPE_PX
        assert named.beside >= widths[-1] * math.cos(math.radians(named.angle))
        assert named.above >= OFFSET_PX + max(widths) * math.sin(math.radians(named.angle))
    assert [text.replace("<br>", " ") for text in named.texts] == NAMES


def test_names_are_tilted_no_more_than_they_must_be() -> None:
    angles = [headings(NAMES, across, 20).angle for across in (190, 260, 400, 2000)]
    assert angles == sorted(angles, reverse=True)
    assert (angles[0], angles[-1]) == (60, 0)
    assert headings(["a &lt; b", "c"], 10, 0).texts[0] == "a &lt; b", "as escaped as it came"


def test_colours_of_narrow_parallel_coordinates_lie_beneath_and_not_over_their_names(new_study: NewStudy) -> None:
    study = new_study()
    for number in range(3):
        study.finished(number, 0.9 - number / 10, 0.4, params={"crop_scale_min": number / 7, "epsilon": number / 255})
    figure = parallel_figure(read_study(study.paths))
    assert figure is not None
    for width in (NARROWEST, NARROW):
        made = paper(figure, width)
        (trace,) = made.data
        bar = trace.line.colorbar
        assert (bar.orientation, bar.yanchor, bar.y < 0) == ("h", "top", True)
        assert trace.labelangle <= -30
        assert [dimension.label.count("<br>") for dimension in trace.dimensions] == [0, 0, 1, 1]
        assert made.layout.margin.r > 40, "the last name has room"


def test_what_the_page_hides_is_not_in_the_legend() -> None:
    figure = go.Figure(go.Scatter(x=[1], y=[1], name="shown"))
    figure.add_scatter(x=[1], y=[1], name="only in the legend", visible="legendonly")
    figure.add_scatter(x=[1], y=[1], name="a name that is far too long for a column of a paper to hold " * 2)
    figure.update_layout(height=400, margin={"l": 50, "r": 10, "t": 10, "b": 50})
    made = paper(figure, NARROW)
    assert [trace.showlegend for trace in made.data] == [None, False, None]
    assert "<br>" in made.data[2].name


def test_a_legend_stands_in_as_many_columns_as_keep_it_low() -> None:
    across = NARROW - 30
    trials = legend([f"{number:04d} cf_amc_ssl" for number in range(10)], across)
    assert len(trials.names) == 10
    assert trials.height_px < 7 * 1.8 * TYPE_PX, "two columns"
    sentences = legend([f"attained by {level} % of 400 resamples of the images" for level in (25, 50, 75)], across)
    assert all(printed_px(name) <= sentences.across_px for name in sentences.names)
    long = legend(["a" * 80], across)
    assert long.names == ["a" * 80], "as well as it goes"


def test_a_whole_legend_stands_beneath_its_plot() -> None:
    figure = go.Figure([go.Scatter(x=[1, 2], y=[1, 2], name=f"trial {n}", legendgroup=f"{n}") for n in range(12)])
    figure.update_layout(height=300, margin={"l": 50, "r": 10, "t": 10, "b": 50})
    made = paper(figure, NARROW).layout
    plot = made.height - made.margin.t - made.margin.b
    assert (made.legend.maxheight, made.legend.traceorder) == (1, "normal"), "plotly shows but half, a column a group"
    assert made.margin.b + made.legend.y * plot >= 4 * 1.3 * TYPE_PX, "room for four rows of three"
    assert -1 < made.legend.x < 0, "from the page's edge on"


def test_ticks_of_a_narrow_panel_do_not_stand_on_end() -> None:
    figure = go.Figure(go.Scatter(x=[0, 1], y=[0, 1]))
    figure.update_xaxes(range=[-2, 1], tickvals=[-2, -1.7, -1.3, -1, -0.7, -0.3, 0], domain=[0, 0.2])
    figure.update_xaxes(ticktext=["0.01", "0.02", "0.05", "0.1", "0.2", "0.5", "1"])
    figure.update_layout(height=300, margin={"l": 50, "r": 10, "t": 10, "b": 50})
    axis = paper(figure, NARROW).layout.xaxis
    assert (axis.tickangle, len(axis.ticktext)) == (0, 2)
    assert len(paper(figure.update_xaxes(domain=[0, 1]), WIDE).layout.xaxis.ticktext) == 7


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


@pytest.mark.parametrize(
    ("x", "log", "shown"),
    [
        ([], False, ()),
        ([None], False, ("",)),
        ([0.0, 10.0], True, ("", "1")),
        ([0.0], True, ("",)),
        ([1.0], False, ("0",)),
    ],
)
def test_points_that_are_not_drawn_have_no_label(x: list[float | None], log: bool, shown: tuple[str, ...]) -> None:
    figure = go.Figure(
        go.Scatter(x=x, y=[0.5] * len(x), text=[str(place) for place in range(len(x))], mode="markers+text")
    )
    figure.update_traces(textposition="top right")
    figure.update_layout(height=400, margin={"l": 70, "r": 20, "t": 60, "b": 110})
    figure.update_xaxes(type="log" if log else "linear")
    (trace,) = paper(figure, 340).data
    assert tuple(trace.text) == shown
