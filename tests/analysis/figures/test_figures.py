"""What the plots are computed from, and that they can be drawn, without looking at a picture."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis import labels
from analysis.figures import curves, curves_figure, parallel, parallel_figure, pareto, pareto_figure, published
from analysis.figures.axis import Axis
from analysis.figures.coordinates import scaled, setting
from analysis.figures.planes import plane_pairs
from analysis.figures.published import published_figure
from analysis.figures.references import comparability
from analysis.figures.style import choices, colour_axis, even_ticks, log_ticks, spans_a_decade, wrapped
from analysis.layout import ENDED, EPOCH, append_event, write_json
from analysis.reading.runs import read_study
from analysis.reading.titles import short_title

NewStudy = Callable[..., Any]


@pytest.fixture
def study(new_study: NewStudy) -> Any:
    """Three finished trials, two of them on the frontier; one failed, one running."""
    study = new_study()
    study.finished(0, 0.9, 0.3, work=10**5, params={"m": 3, "kind": "crops", "learning_rate": 0.3})
    study.finished(1, 0.8, 0.5, work=10**7, params={"m": 5, "kind": "patches", "learning_rate": 0.003})
    study.finished(2, 0.7, 0.4, params={"m": 3, "kind": "crops", "pgd_steps": 5}, trainable="pgd_emp_ssl")
    study.failed(3)
    study.epochs(study.begin(4, {"m": 1}), 2)
    return study


def test_points_are_percent_with_the_distances_to_their_bounds(study: Any) -> None:
    plot = pareto.compute(read_study(study.paths))
    first = plot.points.iloc[0]
    assert (first["x"], first["y"]) == (pytest.approx(90), pytest.approx(30))
    assert first["x"] - first["x_minus"] == pytest.approx(86.47, abs=0.01)
    assert first["x"] + first["x_plus"] == pytest.approx(92.69, abs=0.01)
    assert plot.points["best"].tolist() == [True, True, False]
    assert plot.points["step"].tolist() == [True, True, False]
    assert plot.points["colour"].tolist() == [1e5, 1e7, 1e6]
    assert (plot.x.metric, plot.y.metric) == ("clean_accuracy", "pgd_accuracy")


def test_hover_names_the_trial_its_settings_and_its_run(study: Any) -> None:
    study.link({0: "abc"})
    plot = pareto.compute(read_study(study.paths))
    assert plot.points["text"].iloc[0].split("<br>") == [
        "<b>Trial 0000</b>  cf_amc_ssl",
        "Clean accuracy: 90.0 [86.5, 92.7] %",
        "PGD accuracy at 8/255: 30.0 [25.5, 34.9] %",
        "Cost (forward-equivalents): 100 k",
        "Cost (GPU-minutes): 0.2",
        "m = 3",
        "kind = crops",
        "learning_rate = 0.3",
        "<i>Ctrl-click: open the run in MLflow</i>",
    ]


def test_texts_from_users_are_escaped(new_study: NewStudy) -> None:
    study = new_study()
    for number in range(2):
        study.finished(number, 0.9, 0.3, params={"<b>m": f"<i>{number}"}, trainable="<script>")
    read = read_study(study.paths)
    for figure in (pareto_figure(read), parallel_figure(read), curves_figure(read)):
        text = figure.to_json()
        assert "&lt;" in text
        assert "\\u003cscript" not in text
        assert "\\u003ci\\u003e0" not in text


@pytest.mark.parametrize(
    ("objectives", "axes", "colour"),
    [
        (["pgd_accuracy", "clean_accuracy"], ("pgd_accuracy", "clean_accuracy"), "Cost (forward-equivalents)"),
        (["forward_equivalents", "pgd_accuracy"], ("pgd_accuracy", "forward_equivalents"), "Clean accuracy (%)"),
        (["clean_accuracy"], ("clean_accuracy", "pgd_accuracy"), "Cost (forward-equivalents)"),
        (["clean_accuracy", "gpu_minutes"], ("clean_accuracy", "gpu_minutes"), "PGD accuracy at 8/255 (%)"),
        (["clean_accuracy", "pgd_accuracy", "gpu_minutes"], ("clean_accuracy", "pgd_accuracy"), "Cost (GPU-minutes)"),
        (["forward_equivalents", "gpu_minutes"], ("forward_equivalents", "gpu_minutes"), "PGD accuracy at 8/255 (%)"),
    ],
)
def test_axes_follow_the_objectives(
    new_study: NewStudy, objectives: list[str], axes: tuple[str, str], colour: str
) -> None:
    study = new_study(objectives=[{"metric": name} for name in objectives])
    study.finished(0, 0.9, 0.3)
    study.finished(1, 0.8, 0.5)
    read = read_study(study.paths)
    plot = pareto.compute(read)
    assert (plot.x.metric, plot.y.metric) == axes
    assert plot.colour is not None
    assert plot.colour.label == colour
    assert pareto_figure(read) is not None


def test_the_step_line_lies_on_the_worse_side(new_study: NewStudy) -> None:
    for objectives, shape in (
        (["clean_accuracy", "pgd_accuracy"], "vh"),
        (["forward_equivalents", "gpu_minutes"], "hv"),
    ):
        study = new_study(f"study-{shape}", objectives=[{"metric": name} for name in objectives])
        study.finished(0, 0.9, 0.3)
        figure = pareto_figure(read_study(study.paths))
        (line,) = [trace for trace in figure.data if trace.name == "Pareto frontier"]
        assert line.line.shape == shape


def test_a_third_objective_keeps_its_trials_on_the_frontier_but_off_the_line(new_study: NewStudy) -> None:
    study = new_study(
        objectives=[{"metric": name} for name in ("clean_accuracy", "pgd_accuracy", "forward_equivalents")]
    )
    study.finished(0, 0.9, 0.5, work=10**7)
    study.finished(1, 0.8, 0.4, work=10**5)
    points = pareto.compute(read_study(study.paths)).points
    assert points["best"].tolist() == [True, True]
    assert points["step"].tolist() == [True, False]


def trained_on(trial: Any, source: str) -> None:
    trial.config.write_text(trial.config.read_text().replace('"digits"', f'"{source}"'))


@pytest.mark.parametrize(
    ("source", "epsilon", "count", "first"),
    [
        ("cifar10", 8 / 255, 7, (61, 16.95)),
        ("cifar10", 4 / 255, 7, (61, 37.65)),
        ("cifar100", 8 / 255, 7, (39.26, 4.22)),
        ("digits", 8 / 255, 0, None),
        ("cifar10", 16 / 255, 2, (72.86, 0.33)),
        ("cifar10", 2 / 255, 0, None),
    ],
)
def test_references_match_data_and_radius(
    new_study: NewStudy, source: str, epsilon: float, count: int, first: tuple[float, float] | None
) -> None:
    study = new_study(evaluation={"head": "robust", "epsilon": epsilon, "split": "test"})
    trial = study.finished(0, 0.9, 0.3)
    trained_on(trial, source)
    references = pareto.compute(read_study(study.paths)).references
    assert len(references.points) == count
    assert first is None or references.points[0][:2] == first


@pytest.fixture
def tested(new_study: NewStudy) -> Callable[..., Any]:
    """A study on the test images of CIFAR-10 under AutoAttack, too, with these settings."""

    def make(head: str, **settings: object) -> Any:
        study = new_study(evaluation={"head": head, "epsilon": 8 / 255, "split": "test"})
        trial = study.finished(0, 0.9, 0.3, auto_attack_accuracy=0.2)
        config = json.loads(trial.config.read_text())
        for path, value in {"data.source": "cifar10", **settings}.items():
            group, name = path.split(".")
            config["config"][group][name] = value
        write_json(trial.config, config)
        return read_study(study.paths)

    return make


FIFTY = {"network.architecture": "resnet50"}
NOTHING = "Nothing is published for"


@pytest.mark.parametrize(
    ("head", "settings", "pgd", "auto_attack", "why"),
    [
        ("robust", {}, "Paper, Table 1", "", f"{NOTHING} AutoAttack standard at 8/255 on the robust head of ResNet-18"),
        ("robust", FIFTY, "Paper, Table 5", "", "robust head of ResNet-50 on CIFAR-10, so nothing stands beside it"),
        ("clean", {}, "Paper, Table 2 and Table 3", "", "AutoAttack standard at 8/255 on the clean head"),
        ("slf", {}, "", "RobustSSL leaderboard", f"{NOTHING} PGD-20 at 8/255 on the slf head of ResNet-18"),
        ("alf", {}, "", "RobustSSL leaderboard", f"{NOTHING} PGD-20 at 8/255 on the alf head of ResNet-18"),
        ("slf", FIFTY, "", "", f"{NOTHING} AutoAttack standard at 8/255 on the slf head of ResNet-50"),
        ("n_crops_32", FIFTY, "", "", "Published attacks on the n_crops_32 head perturb each crop, PGD-20 at 8/255"),
        ("robust", {"network.width": 8}, "", "", "PGD-20 at 8/255 on the robust head of ResNet-18, width 8"),
        ("robust", {"evaluation.attack_steps": 10}, "", "", f"{NOTHING} PGD-10 at 8/255 on the robust head"),
        ("robust", {"evaluation.source": "cifar100"}, "", "", "on CIFAR-10 after pre-training on other data"),
    ],
)
def test_references_are_of_the_same_head_network_and_attack_or_it_is_said_why_there_are_none(
    tested: Callable[..., Any], head: str, settings: dict[str, object], pgd: str, auto_attack: str, why: str
) -> None:
    study = tested(head, **settings)
    for metric, title in (("pgd_accuracy", pgd), ("auto_attack_accuracy", auto_attack)):
        axes = (Axis.of(study, "clean_accuracy"), Axis.of(study, metric))
        found = pareto.compute(study, axes).references
        assert found.title == (title and f"{title}: all CIFAR-10 test images")
        assert bool(found.points) == bool(title)
    assert why in comparability(study)


@pytest.mark.parametrize("split", ["test", "validation"])
def test_it_is_said_that_the_published_attack_has_fewer_starts(new_study: NewStudy, split: str) -> None:
    study = new_study(evaluation={"head": "robust", "epsilon": 8 / 255, "split": split})
    trained_on(study.finished(0, 0.9, 0.3), "cifar10")
    assert "the worst PGD, which is a study's PGD accuracy, counts every start" in comparability(
        read_study(study.paths)
    )


@pytest.mark.parametrize(("source", "visible"), [("folder:images", "legendonly"), ("cifar10", True)])
def test_references_stand_beside_a_study_of_their_data_and_hide_where_that_is_not_known(
    study: Any, source: str, visible: object
) -> None:
    study.manifest(evaluation={"head": "robust", "epsilon": 8 / 255, "split": "test"})
    assert comparability(read_study(study.paths)) == ""
    trained_on(study.paths.trial(0), source)
    figure = pareto_figure(read_study(study.paths))
    (trace,) = [trace for trace in figure.data if trace.legendgroup == "paper"]
    assert trace.visible == visible
    assert "97 min on one A6000" in trace.hovertext[-1]


def test_published_test_figures_are_in_no_plot_of_a_validation_split(study: Any) -> None:
    figure = pareto_figure(read_study(study.paths))
    assert [trace for trace in figure.data if trace.legendgroup == "paper"] == []


def test_parallel_panels_hold_what_their_trials_share(study: Any) -> None:
    study.finished(5, 0.6, 0.45, params={"m": 7, "kind": "crops", "pgd_steps": 3}, trainable="pgd_emp_ssl")
    panels = {panel.title: panel for panel in parallel.compute(read_study(study.paths))}
    assert [coordinate.title for coordinate in panels["all trainables"].coordinates] == [
        *("m", "kind"),
        *("Clean accuracy (%)", "PGD accuracy at 8/255 (%)"),
    ]
    free = panels["cf_amc_ssl"].coordinates
    assert [coordinate.title for coordinate in free][:3] == ["m", "kind", "learning_rate"]
    assert free[1].values == [0.0, 1.0]
    assert free[1].ticks.texts == ["crops", "patches"]
    assert free[2].values == pytest.approx([math.log10(0.3), math.log10(0.003)])
    assert free[2].ticks.texts == ["0.003", "0.3"]
    assert panels["pgd_emp_ssl"].colour == pytest.approx([40, 45])


def test_settings_that_depend_on_others_stand_in_parallel_coordinates_with_a_dash_for_none(
    new_study: NewStudy,
) -> None:
    study = new_study()
    for number, params in enumerate(({"kind": "a", "width": 4}, {"kind": "a", "width": 8}, {"kind": "b"})):
        study.finished(number, 0.9 - number / 10, 0.3, params=params)
    (panel,) = parallel.compute(read_study(study.paths))
    width = next(coordinate for coordinate in panel.coordinates if coordinate.title == "width")
    assert width.values == [4.0, 8.0, pytest.approx(3.2)]
    assert width.ticks.texts == ["–", "4", "8"]  # noqa: RUF001
    assert min(width.ticks.values) == min(width.values)


def test_a_parallel_axis_reaches_from_its_first_trial_to_its_last(new_study: NewStudy) -> None:
    study = new_study()
    rates = [0.12, 0.31, 0.47, 0.66, 0.83]
    for number, rate in enumerate(rates):
        study.finished(number, 0.9 - rate / 10, 0.3, params={"learning_rate": rate})
    figure = parallel_figure(read_study(study.paths))
    axis = figure.data[0].dimensions[0]
    assert (min(axis.tickvals), max(axis.tickvals)) == (0.12, 0.83)
    assert set(rates) <= set(axis.tickvals)
    assert [text for text in axis.ticktext if text.strip()] == ["0.2", "0.4", "0.6", "0.8"]
    assert len(set(axis.ticktext)) == len(axis.ticktext), "plotly tells ticks apart by their texts"
    assert figure.data[0].line.colorbar.title.text == "PGD accuracy at 8/255 (%)"


def test_what_the_colours_mean_stands_along_their_bar_in_two_lines_where_it_is_long(new_study: NewStudy) -> None:
    zero_start = "robust_head/pgd_8_zero"
    study = new_study(objectives=[{"metric": "clean_accuracy"}, {"metric": zero_start}])
    for number in range(2):
        study.finished(number, 0.9 - number / 10, 0.3, params={"m": number}, **{zero_start: 0.3})
    (trace,) = parallel_figure(read_study(study.paths)).data
    assert trace.line.colorbar.title.text == "Zero-start PGD accuracy at<br>8/255 of the robust head (%)"
    assert max(map(len, trace.dimensions[-1].label.split("<br>"))) <= 22, "it would reach over the next axis"
    assert trace.labelangle == -30, "level, its third line would lie over the ticks"


def test_names_of_many_coordinates_rise_from_their_axes(new_study: NewStudy) -> None:
    study = new_study()
    for number in range(2):
        params = dict.fromkeys(("m", "crops", "epochs", "batch_size", "depth"), number + 1)
        study.finished(number, 0.9 - number / 10, 0.3, params=params)
    (trace,) = parallel_figure(read_study(study.paths)).data
    assert (len(trace.dimensions), trace.labelangle) == (7, -30), "under 27 degrees plotly has them lie over the ticks"


def test_radii_are_shown_in_pixel_levels(new_study: NewStudy) -> None:
    study = new_study()
    study.finished(0, 0.9, 0.3, params={"epsilon": 4 / 255})
    study.finished(1, 0.8, 0.4, params={"epsilon": 8 / 255})
    (panel,) = parallel.compute(read_study(study.paths))
    assert panel.coordinates[0].title == "epsilon (/255)"
    assert panel.coordinates[0].values == pytest.approx([4, 8])


def test_curves_put_the_frontier_in_front_in_colour(study: Any) -> None:
    lines = curves.compute(read_study(study.paths))
    assert [(line.title, bool(line.colour)) for line in lines] == [
        ("other trials", False),
        ("other trials", False),
        ("0000 cf_amc_ssl", True),
        ("0001 cf_amc_ssl", True),
    ]
    behind = lines[0].rows
    assert behind["trial"].tolist() == [3, 3, 4, 4, 4]
    assert behind["epoch"].isna().tolist() == [False, True, False, False, True]
    assert lines[2].rows["fgsm_pgd_gap"].tolist() == pytest.approx([10, 10, 10])
    figure = curves_figure(read_study(study.paths))
    assert [trace.name for trace in figure.data if trace.showlegend] == [
        "other trials",
        "0000 cf_amc_ssl",
        "0001 cf_amc_ssl",
    ]


@pytest.mark.parametrize(("trials", "own", "named"), [(12, 12, ""), (20, 14, "6 more on the frontier")])
def test_every_trial_of_the_frontier_has_a_look_or_is_counted(
    new_study: NewStudy, trials: int, own: int, named: str
) -> None:
    study = new_study()
    for number in range(trials):
        study.finished(number, 0.5 + 0.02 * number, 0.5 - 0.02 * number)
    figure = curves_figure(read_study(study.paths))
    legend = [trace for trace in figure.data if trace.showlegend]
    single = [trace for trace in legend if trace.name != named]
    assert len({(trace.line.color, trace.line.dash) for trace in single}) == len(single) == own
    assert [trace.name for trace in legend[: len(legend) - own]] == [named][: bool(named)]


def test_without_a_frontier_the_first_trials_are_coloured(new_study: NewStudy) -> None:
    study = new_study()
    study.failed(0)
    study.epochs(study.begin(1, {}), 1)
    assert [line.title for line in curves.compute(read_study(study.paths))] == ["0000 cf_amc_ssl", "0001 cf_amc_ssl"]


def test_nothing_to_draw_is_none(new_study: NewStudy) -> None:
    study = new_study()
    study.begin(0, {})
    read = read_study(study.paths)
    assert pareto_figure(read) is None
    assert parallel_figure(read) is None
    assert curves_figure(read) is None


def test_one_trial_is_a_point_but_no_comparison(new_study: NewStudy) -> None:
    study = new_study()
    study.finished(0, 0.9, 0.3)
    read = read_study(study.paths)
    assert pareto_figure(read) is not None
    assert parallel_figure(read) is None


def test_what_is_far_worse_than_the_others_is_out_of_the_first_view_alone(new_study: NewStudy) -> None:
    study = new_study()
    for number in range(8):
        study.finished(number, 0.9 - 0.01 * number, 0.3 + 0.01 * number)
    assert not pareto_figure(read_study(study.paths)).layout.updatemenus
    study.finished(8, 0.1, 0.0)
    study.finished(9, 0.99, 0.01)
    figure = pareto_figure(read_study(study.paths))
    first, second = figure.layout.updatemenus[0].buttons
    assert (first.label, second.label) == ("without 1 outlier", "all trials"), "the other is on the frontier"
    low, high = figure.layout.xaxis.range
    assert 70 < low < 83
    assert high > 99
    points = pareto.compute(read_study(study.paths)).points
    best = points[points["best"]]
    low, high = figure.layout.yaxis.range
    assert high > (best["y"] + best["y_plus"]).max(), "the frontier's intervals are seen to their ends"
    assert low < (best["y"] - best["y_minus"]).min()
    assert sum(len(trace.ids) for trace in figure.data if trace.ids is not None) == 10


def test_colours_span_what_a_view_shows(new_study: NewStudy) -> None:
    study = new_study()
    for number in range(8):
        study.finished(number, 0.9 - 0.01 * number, 0.3 + 0.01 * number, forward_equivalents=100.0 + number)
    study.finished(8, 0.1, 0.0, forward_equivalents=300.0)
    figure = pareto_figure(read_study(study.paths))
    near, everything = (button.args[0] for button in figure.layout.updatemenus[0].buttons)
    assert (figure.layout.coloraxis.cmin, figure.layout.coloraxis.cmax) == (100, 107)
    assert (near["coloraxis.cmin"], near["coloraxis.cmax"]) == (100, 107)
    assert list(figure.layout.coloraxis.colorbar.ticktext) == ["100", "102", "104", "106"]
    assert everything["coloraxis.colorbar.ticktext"] == ["100", "150", "200", "250", "300"]
    assert (everything["coloraxis.cmin"], everything["coloraxis.cmax"]) == (100, 300)


def test_equal_costs_have_the_one_tick_that_they_are(new_study: NewStudy) -> None:
    study = new_study()
    for number in range(2):
        study.finished(number, 0.9, 0.3 + 0.01 * number, forward_equivalents=35_999.5)
    costs, _ = plane_pairs(read_study(study.paths))[0]
    assert list(costs.figure.layout.xaxis.tickvals) == [35_999.5]
    assert list(costs.figure.layout.xaxis.ticktext) == ["36 k"]
    assert costs.figure.layout.yaxis.tickvals is None


def test_attacks_share_their_scale_and_costs_are_coloured_by_the_other_accuracy(new_study: NewStudy) -> None:
    study = new_study()
    for number in range(3):
        attacked = {"auto_attack_accuracy": 0.2 + 0.1 * number} if number else {}
        study.finished(number, 0.9 - 0.1 * number, 0.3 + 0.1 * number, **attacked)
    attacks, costs = plane_pairs(read_study(study.paths))
    assert [plane.name for plane in attacks] == [
        "plane_clean_accuracy_pgd_accuracy",
        "plane_clean_accuracy_auto_attack_accuracy",
    ]
    first, second = (plane.figure.layout.yaxis.range for plane in attacks)
    assert first == second
    assert first[0] < 30 < 50 < first[1]
    first, second = (plane.figure.layout.xaxis.range for plane in attacks)
    assert first == second
    assert first[0] < 70 < 93 < first[1], "Wilson's interval of the best ends at 92.7"
    assert [plane.figure.layout.coloraxis.colorbar.title.text for plane in costs] == [
        "PGD accuracy at 8/255 (%)",
        "Clean accuracy (%)",
    ]


def test_what_autoattack_leaves_is_drawn_against_its_cost_where_it_is_an_objective(new_study: NewStudy) -> None:
    study = new_study(objectives=[{"metric": "clean_accuracy"}, {"metric": "auto_attack_accuracy"}])
    for number in range(2):
        study.finished(number, 0.9 - 0.1 * number, 0.5, auto_attack_accuracy=0.3 + 0.1 * number)
    _, costs = plane_pairs(read_study(study.paths))
    assert [plane.name for plane in costs] == [
        "plane_forward_equivalents_clean_accuracy",
        "plane_forward_equivalents_auto_attack_accuracy",
    ]


def test_planes_are_of_the_accuracies_under_attack_that_are_objectives(new_study: NewStudy) -> None:
    clean, four, sixteen = "slf_head/clean", "slf_head/pgd_4_worst", "robust_head/pgd_16_zero"
    for objectives, attacked in (
        ([sixteen, clean], []),  # the frontier's own plot has it
        ([four, clean, sixteen], [four, sixteen]),
        ([clean, four, "pgd_accuracy", sixteen], ["pgd_accuracy", sixteen]),
    ):
        study = new_study(objectives=[{"metric": name} for name in objectives])
        for number in range(2):
            figures = {clean: 0.9, four: 0.5 + number / 10, sixteen: 0.2}
            study.finished(number, 0.8, 0.4 - number / 10, **figures)
        *attacks, costs = plane_pairs(read_study(study.paths))
        drawn = [plane.figure.layout.yaxis.title.text for pair in attacks for plane in pair]
        assert [text.replace("<br>", " ") for text in drawn] == [
            f"{short_title(name, read_study(study.paths))} (%)" for name in attacked
        ]
        assert {plane.x for pair in attacks for plane in pair} <= {clean}
        assert costs[0].name == "plane_forward_equivalents_slf_head_clean"
        robust = next(name for name in objectives if name != clean)
        assert costs[1].name == f"plane_forward_equivalents_{robust}".replace("/", "_")


def test_published_points_stand_beside_figures_of_their_radius_and_head(new_study: NewStudy) -> None:
    """The papers attack from the image itself; of one plane both figures are of one head."""
    study = new_study(evaluation={"head": "slf", "epsilon": 8 / 255, "split": "test"})
    settings = {"data.source": "cifar10", "evaluation.heads": ["slf", "robust"], "evaluation.head": "slf"}
    trial = study.begin(0, {}, settings=settings)
    attacked = dict.fromkeys(("pgd_16_zero", "pgd_16_worst", "pgd_4_zero", "fgsm_16"), 0.1)
    figures = {f"robust_head/{name}": value for name, value in (attacked | {"clean": 0.8}).items()}
    append_event(trial, ENDED, 1, status="finished", reason="", metrics=figures | {"clean_accuracy": 0.8})
    read = read_study(study.paths)

    def published(*plane: str) -> list[float]:
        x, y = (Axis.of(read, name) for name in plane)
        return [point.robust for point in pareto.compute(read, (x, y)).references.points]

    sixteen = published("robust_head/clean", "robust_head/pgd_16_zero")
    assert sixteen
    assert sixteen == published("robust_head/clean", "robust_head/pgd_16_worst")
    assert sixteen != published("robust_head/clean", "robust_head/pgd_4_zero")
    assert not published("clean_accuracy", "robust_head/pgd_16_zero"), "clean accuracy is of another head"
    assert not published("robust_head/clean", "robust_head/fgsm_16"), "nothing is published of that attack"


def test_attacks_share_a_scale_that_reaches_as_far_as_either_is_zoomed_out(new_study: NewStudy) -> None:
    study = new_study()
    for number in range(8):
        accuracies = {"clean": 0.9 - 0.01 * number, "pgd": 0.6 + 0.01 * number}
        study.finished(number, **accuracies, auto_attack_accuracy=0.3 + 0.01 * number)
    study.finished(8, 0.1, 0.05, auto_attack_accuracy=0.01)
    attacks, _ = plane_pairs(read_study(study.paths))
    assert all(plane.figure.layout.updatemenus for plane in attacks), "each leaves the outlier out of its first view"
    first, second = (plane.figure.layout.yaxis.range for plane in attacks)
    assert first == second
    assert 10 < first[0] < 30 < 67 < first[1]


def test_the_outermost_points_label_is_not_cut_off(new_study: NewStudy) -> None:
    study = new_study()
    study.finished(0, 0.9, 0.6, work=10**6)
    study.finished(1, 0.8, 0.5, work=2 * 10**6)
    _, second = plane_pairs(read_study(study.paths))[0]
    marks = [trace for trace in second.figure.data if trace.ids]
    assert [(trace.mode, trace.cliponaxis) for trace in marks] == [("markers", True), ("markers+text", False)]


def test_attacks_share_their_scale_in_every_view(new_study: NewStudy) -> None:
    study = new_study()
    for number in range(8):
        accuracies = {"clean": 0.9 - 0.01 * number, "pgd": 0.6 + 0.01 * number}
        study.finished(number, **accuracies, auto_attack_accuracy=0.3 + 0.01 * number)
    study.finished(8, 0.1, 0.05, auto_attack_accuracy=0.01)
    attacks, costs = plane_pairs(read_study(study.paths))
    first, second = (choices(plane.figure) for plane in attacks)
    for name in ("xaxis.range", "yaxis.range"):
        assert [view.layout[name] for view in first] == [view.layout[name] for view in second]
    near, everything = (view.layout["yaxis.range"] for view in first)
    assert [view.label for view in first] == ["without 1 outlier", "all trials"]
    assert list(attacks[0].figure.layout.yaxis.range) == near
    assert everything[0] < 1 < near[0]
    assert everything[1] > 67
    assert not any(key.endswith("autorange") for view in first for key in view.layout)
    assert choices(costs[0].figure)[1].layout["xaxis.autorange"], "costs keep a scale of their own"


def test_published_points_stand_by_themselves(study: Any) -> None:
    assert published_figure(read_study(study.paths)) is None, "nothing is published of digits"
    trained_on(study.paths.trial(0), "cifar10")
    groups = published.compute(read_study(study.paths))
    assert {group.attack for group in groups} == {"PGD-20", "AutoAttack standard"}
    assert {group.title for group in groups} >= {"Table 1, ResNet-18", "Table 5, ResNet-50", "RobustSSL leaderboard"}
    assert {point.data for group in groups for point in group.points} == {"CIFAR-10"}
    figure = published_figure(read_study(study.paths))
    assert "97 min on one A6000" in " ".join(text for trace in figure.data for text in trace.hovertext)


def test_curves_mark_where_training_broke_down_and_leave_out_panels_nobody_has(new_study: NewStudy) -> None:
    study = new_study()
    for number, robust in enumerate(([0.2, 0.4, 0.4], [0.2, 0.4, 0.01])):
        trial = study.begin(number, {})
        for epoch, share in enumerate(robust, start=1):
            metrics = {"train/probe_accuracy": 0.3 * epoch, "train/probe_pgd_accuracy": share}
            append_event(trial, EPOCH, 1, epoch=epoch, metrics=metrics)
    figure = curves_figure(read_study(study.paths))
    assert [note.text for note in figure.layout.annotations] == ["Probe accuracy (%)", "Probe accuracy under PGD (%)"]
    (mark,) = [trace for trace in figure.data if trace.name == "catastrophic overfitting"]
    assert (list(mark.ids), list(mark.x), list(mark.y)) == (["0001"], [3], [1.0])


@pytest.mark.parametrize(("epochs", "apart"), [(2, 1), (5, 1), (6, 2), (12, 2), (40, None)])
def test_epochs_are_whole_and_named_below_the_last_panels(new_study: NewStudy, epochs: int, apart: int | None) -> None:
    study = new_study()
    for number in range(3):
        study.epochs(study.begin(number, {}), epochs)
    figure = curves_figure(read_study(study.paths), width_px=436)
    assert {axis.dtick for axis in figure.select_xaxes()} == {apart}
    assert min(min(trace.x) for trace in figure.data) == 1, "a gap between two trials' lines begins no axis at 0"
    lowest = {axis.domain[0]: axis.anchor for axis in figure.select_xaxes() if axis.title.text}
    assert len(lowest) == len([axis for axis in figure.select_xaxes() if axis.title.text]) == 2
    for axis in figure.select_xaxes():
        down = figure.layout[axis.anchor.replace("y", "yaxis")].domain[0]
        assert (down == min(_downs(figure, axis.domain[0]))) == bool(axis.title.text)


def _downs(figure: Any, left: float) -> list[float]:
    """Where the panels of one column end."""
    column = [axis for axis in figure.select_xaxes() if axis.domain[0] == left]
    return [figure.layout[axis.anchor.replace("y", "yaxis")].domain[0] for axis in column]


def test_each_trainable_has_its_curves_by_itself(study: Any) -> None:
    read = read_study(study.paths)
    drawn = curves.curves_by_trainable(read)
    owners = dict(zip(read.trials["number"], read.trials["trainable"], strict=True))
    assert list(drawn) == list(dict.fromkeys(line.trainable for line in curves.compute(read)))
    assert len(drawn) == 2
    for name, figure in drawn.items():
        lines = [trace for trace in figure.data if trace.meta]
        assert {owners[trial] for trace in lines for trial in trace.customdata} == {name}
        assert not any(name in str(trace.name) for trace in lines), "its legend has no need to name it"
    seen = {trial for figure in drawn.values() for trace in figure.data for trial in trace.customdata}
    assert seen == set(read.curves["trial"])


def test_each_of_several_trainables_has_its_own_scale_of_losses(new_study: NewStudy) -> None:
    """A small loss beside a large one is no flat line; one trainable's losses on the fixed batch can be compared."""
    study = new_study()
    for number, (trainable, factor) in enumerate({"cf_amc_ssl": 1.0, "robust_simclr": 100.0}.items()):
        trial = study.begin(number, {}, trainable)
        for epoch in (1, 2, 3):
            losses = {name: factor * (epoch + shift) for shift, name in enumerate(curves._LOSSES)}
            losses |= {"train/loss": factor, "train/probe_accuracy": 0.3, "train/probe_pgd_accuracy": 0.6 / epoch**3}
            append_event(trial, EPOCH, 1, epoch=epoch, metrics=losses)
    figure = curves_figure(read_study(study.paths))
    scales: dict[str, set[int]] = {}
    for trace in (trace for trace in figure.data if trace.meta):
        axis = figure.layout[trace.yaxis.replace("y", "yaxis")]
        scales.setdefault(axis.matches or trace.yaxis, set()).update(trace.customdata)
    loss, fixed_batch, gap, probe = ([0], [1]), ([0], [1]), ([0], [1]), [0, 1]
    assert sorted(map(sorted, scales.values())) == sorted([*loss, *fixed_batch, *gap, probe, probe])
    assert "robust_simclr<br>Fixed batch: PGD loss" in [note.text for note in figure.layout.annotations]
    named = [trace.name for trace in figure.data if trace.meta and trace.showlegend]
    assert sorted(named) == ["0000 cf_amc_ssl", "0001 robust_simclr"]
    marks = [([*trace.ids], [*trace.y]) for trace in figure.data if trace.name == "catastrophic overfitting"]
    assert marks == [(["0000"], [1.0]), (["0001"], [100.0]), (["0000", "0001"], [pytest.approx(7.5)] * 2)]


def test_a_breakdown_is_marked_with_its_trainable(new_study: NewStudy) -> None:
    study = new_study()
    for number, trainable in enumerate(("cf_amc_ssl", "simclr_free")):
        trial = study.begin(number, {}, trainable)
        for epoch, share in enumerate([0.2, 0.4, 0.4 if number else 0.01], start=1):
            metrics = {"train/probe_accuracy": 0.3 * epoch, "train/probe_pgd_accuracy": share}
            append_event(trial, EPOCH, 1, epoch=epoch, metrics=metrics)
    drawn = curves.curves_by_trainable(read_study(study.paths))
    marked = [name for name, figure in drawn.items() if "catastrophic overfitting" in {one.name for one in figure.data}]
    assert marked == ["cf_amc_ssl"]


def test_one_trainable_has_no_curves_apart(new_study: NewStudy) -> None:
    study = new_study()
    study.finished(0, 0.9, 0.5)
    assert curves.curves_by_trainable(read_study(study.paths)) == {}


def test_long_curves_are_thinned_with_both_ends_kept() -> None:
    rows = pd.DataFrame({"trial": np.repeat(np.arange(1000), 100), "epoch": np.tile(np.arange(1, 101), 1000)})
    thinned = curves._thinned(rows)
    assert len(thinned) < 25_000
    assert thinned.groupby("trial")["epoch"].agg(["min", "max"]).drop_duplicates().to_numpy().tolist() == [[1, 100]]


@pytest.mark.parametrize(
    ("costs", "scale"),
    [
        ([1e5, 9e5], {"type": "linear", "ticktext": ["200 k", "400 k", "600 k", "800 k"]}),
        ([1e5, 2e6], {"type": "log", "ticktext": ["100 k", "200 k", "500 k", "1 M", "2 M"]}),
        ([0.2, 30.0], {"type": "log", "ticktext": ["0.2", "0.5", "1", "2", "5", "10", "20"]}),
    ],
)
def test_ticks_of_a_cost_are_round_numbers_as_tables_spell_them(
    study: Any, costs: list[float], scale: dict[str, object]
) -> None:
    axis = Axis.of(read_study(study.paths), "forward_equivalents")
    layout = axis.layout(pd.Series(costs))
    assert [labels.cost(value) for value in layout.pop("tickvals")] == layout["ticktext"]
    assert layout == {"title": "Cost (forward-equivalents)"} | scale
    assert "tickvals" not in Axis.of(read_study(study.paths), "clean_accuracy").layout(pd.Series([0.1, 0.9]))


def test_ticks_of_a_cost_are_those_of_its_view(new_study: NewStudy) -> None:
    study = new_study()
    for number in range(8):
        study.finished(number, 0.8 + 0.01 * number, 0.3, forward_equivalents=100.0 + number)
    study.finished(8, 0.1, 0.3, forward_equivalents=900.0)
    costs, _ = plane_pairs(read_study(study.paths))[0]
    near, everything = (view.layout["xaxis.ticktext"] for view in choices(costs.figure))
    assert list(costs.figure.layout.xaxis.ticktext) == near == ["100", "102", "104", "106"]
    assert everything == ["200", "400", "600", "800"]


def test_labels_at_an_end_of_an_axis_stand_on_its_inner_side(new_study: NewStudy) -> None:
    """Elsewhere they stand where no trial dominates: left in a plane of costs."""
    names = ("clean_accuracy", "pgd_accuracy", "forward_equivalents")
    study = new_study(objectives=[{"metric": name} for name in names])
    for number in range(3):
        study.finished(number, 0.4 + 0.2 * number, 0.6 + 0.1 * number, work=10**6 * (1 + number))
    read = read_study(study.paths)
    costs, _ = plane_pairs(read)[0]
    found = [
        list(trace.textposition)
        for figure in (costs.figure, pareto_figure(read))
        for trace in figure.data
        if "text" in str(trace.mode)
    ]
    assert found == [["top right", "top left", "top left"], ["top right", "top right", "top left"]]


def test_colours_are_logarithmic_where_that_is_asked_for() -> None:
    values = np.array([1e5, 1e6, 2e6])
    scaled, axis = colour_axis(values, "Cost", log=True)
    assert scaled == pytest.approx(np.log10(values))
    assert axis["colorbar"]["ticktext"] == ["100 k", "200 k", "500 k", "1 M", "2 M"]
    near = np.array([1.0, 2.0, 9.0])
    assert colour_axis(near, "Cost", log=False)[0].tolist() == near.tolist()


@pytest.mark.parametrize(
    ("values", "texts"),
    [
        ([60.9, 61.0], ["60.9", "60.92", "60.94", "60.96", "60.98", "61"]),
        ([60.935, 61.045], ["60.94", "60.96", "60.98", "61", "61.02", "61.04"]),
        ([35_999.55, 36_000.65], ["35.9996 k", "35.9998 k", "36 k", "36.0002 k", "36.0004 k", "36.0006 k"]),
        ([999_000, 1_001_000], ["999 k", "999.5 k", "1 M", "1.0005 M", "1.001 M"]),
        ([-0.0001, 0.0001], ["-0.0001", "-5e-05", "0", "5e-05", "0.0001"]),
    ],
)
def test_ticks_of_a_narrow_range_are_told_apart_and_right(values: list[float], texts: list[str]) -> None:
    assert even_ticks(values).texts == texts


@settings(deadline=None)
@given(st.floats(-1e9, 1e9), st.floats(1e-3, 1e9), st.integers(2, 7))
def test_no_two_ticks_read_alike(low: float, span: float, most: int) -> None:
    ticks = even_ticks([low, low + span], most)
    assert len(set(ticks.texts)) == len(ticks.texts) <= most


def test_choices_that_lie_close_are_told_apart() -> None:
    found = setting("momentum", pd.Series([0.9991, 0.9994, 0.9991, 0.9994]))
    assert found.ticks.texts == ["0.9991", "0.9994"]


@pytest.mark.parametrize(
    ("title", "fits", "lines"),
    [
        ("Clean accuracy (%)", 20, "Clean accuracy (%)"),
        ("Clean accuracy (%)", 13, "Clean<br>accuracy (%)"),
        ("PGD accuracy at 16/255 (%)", 25, "PGD accuracy<br>at 16/255 (%)"),
        ("Cost (forward-equivalents)", 25, "Cost<br>(forward-equivalents)"),
        ("Cost (forward-equivalents)", 14, "Cost (forward-<br>equivalents)"),
        ("", 5, ""),
    ],
)
def test_a_title_takes_as_few_lines_as_fit_and_even_ones(title: str, fits: int, lines: str) -> None:
    assert wrapped(title, fits) == lines


def test_even_ticks_are_round_and_few() -> None:
    assert even_ticks([3.3e5, 1.29e6]).texts == ["400 k", "600 k", "800 k", "1 M", "1.2 M"]
    assert even_ticks([0, 6]).values == [0, 1, 2, 3, 4, 5, 6]
    assert even_ticks([0, 6], most=4).values == [0, 2, 4, 6]
    assert even_ticks([2, 2]) == even_ticks([]) == even_ticks([math.nan]) == ([], [])


def test_close_values_are_not_all_written_out(new_study: NewStudy) -> None:
    study = new_study()
    for number, rate in enumerate((0.134, 0.146, 0.164, 0.607)):
        study.finished(number, 0.9, 0.3, params={"learning_rate": rate})
    (panel,) = parallel.compute(read_study(study.paths))
    assert panel.coordinates[0].ticks.texts == ["0.2", "0.3", "0.4", "0.5", "0.6"]


def test_scales_survive_odd_values() -> None:
    assert not spans_a_decade([])
    assert not spans_a_decade([0, 100])
    assert not spans_a_decade([math.nan])
    assert spans_a_decade([math.nan, 1, 11])
    assert log_ticks([1, math.nan, 1e6]).texts == ["1", "10", "100", "1 k", "10 k", "100 k", "1 M"]


def test_of_a_confirmation_the_line_passes_through_means_and_all_seeds_of_the_best_are_outlined(
    new_confirmation: NewStudy,
) -> None:
    """One seed of the second configuration is the best of all, its mean is not."""
    plot = pareto.compute(read_study(new_confirmation({3: [0.70, 0.72], 4: [0.80, 0.40]}).paths))
    assert plot.points["best"].tolist() == [True, True, False, False]
    assert plot.edge["x"].tolist() == [pytest.approx(71.0, abs=0.1)]


def test_means_over_seeds_are_drawn_with_their_intervals_and_single_seeds_without(new_confirmation: NewStudy) -> None:
    study = read_study(new_confirmation({3: [0.5, 0.6, 0.7], 4: [0.4, 0.4, 0.4]}).paths)
    (mean,) = [trace for trace in pareto_figure(study).data if trace.name == "mean over seeds with its 95 % interval"]
    # Student: standard error 0.1 / sqrt(3), t(0.975, 2) = 4.302653
    assert list(mean.ids) == ["0000 0001 0002", "0003 0004 0005"], "also of what is not on the frontier"
    assert list(mean.x) == pytest.approx([60, 40])
    texts = {trace.name: list(trace.text) for trace in pareto_figure(study).data if "text" in str(trace.mode)}
    assert texts == {mean.name: ["tiny/0003", "tiny/0004"]}, "labels of seeds lie over each other"
    ends = (mean.error_x.array[0], mean.error_x.arrayminus[0])
    assert ends == pytest.approx((24.84, 24.84), abs=0.01)
    barred = [trace.name for trace in pareto_figure(study).data if trace.error_x.visible]
    assert barred == [mean.name]


def test_of_many_means_those_that_the_line_passes_through_are_drawn(
    new_confirmation: NewStudy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second is worse in the study's objective, and costs less; the third is on no frontier."""
    monkeypatch.setattr(pareto, "_LABELLED", 2)
    folder = new_confirmation({3: [0.8, 0.9], 4: [0.4, 0.5], 5: [0.1, 0.1]})
    for number in (2, 3):
        folder.finished(number, 0.4, 0.1, work=1000, params={"configuration": 4, "seed": number - 1})
    costs, _ = plane_pairs(read_study(folder.paths))[0]
    found = {trace.name: trace for trace in costs.figure.data}
    line, means = found["Pareto frontier"], found["mean over seeds with its 95 % interval"]
    assert sorted(zip(line.x, line.y, strict=True)) == sorted(zip(means.x, means.y, strict=True))
    assert sorted(means.text) == ["tiny/0003", "tiny/0004"]


def test_a_trial_without_bounds_leaves_the_others_their_bars(new_study: NewStudy) -> None:
    study = new_study()
    study.finished(0, 0.9, 0.3)
    study.finished(1, 0.8, 0.4, clean_accuracy_low=math.nan, clean_accuracy_high=math.nan)
    (trace,) = [trace for trace in pareto_figure(read_study(study.paths)).data if trace.ids is not None]
    assert trace.error_x.visible
    assert np.isfinite(trace.error_x.array).tolist() == [True, False]


def test_of_one_point_no_line_is_announced(new_study: NewStudy) -> None:
    study = new_study()
    study.finished(0, 0.9, 0.5)
    figure = pareto_figure(read_study(study.paths))
    assert figure is not None
    (line,) = [trace for trace in figure.data if trace.name == "Pareto frontier"]
    assert line.showlegend is False


def test_trials_that_are_equal_make_no_line(new_study: NewStudy) -> None:
    study = new_study()
    for number in range(2):
        study.finished(number, 0.9, 0.5)
    figure = pareto_figure(read_study(study.paths))
    assert figure is not None
    (line,) = [trace for trace in figure.data if trace.name == "Pareto frontier"]
    assert line.showlegend is False


def test_values_drawn_from_a_range_get_even_ticks_and_choices_their_own() -> None:
    drawn = scaled("epsilon", pd.Series([5.97, 7.35, 9.02, 10.2, 14.2, 23.2]))
    assert not set(drawn.ticks.values) & {5.97, 7.35, 9.02, 10.2, 14.2, 23.2}
    assert scaled("m", pd.Series([1.0, 2.0, 3.0, 5.0, 7.0])).ticks.values == [1, 2, 3, 5, 7]
    assert scaled("tau", pd.Series([0.07, 0.1, 0.2, 0.5] * 2)).ticks.texts == ["0.07", "0.1", "0.2", "0.5"]


def test_what_is_searched_by_its_logarithm_is_so_shown_over_less_than_a_decade() -> None:
    values = pd.Series([0.13, 0.17, 0.23, 0.47, 0.83])
    drawn = scaled("rate", values, log=True)
    assert drawn.values == pytest.approx(np.log10(values))
    assert drawn.ticks.texts == ["0.2", "0.5"]
    narrow = scaled("rate", values.iloc[:3], log=True).ticks
    assert [10**place for place in narrow.values] == pytest.approx([float(text) for text in narrow.texts])
    assert len(narrow.values) > 2
    assert scaled("rate", values - 0.5, log=True).values == pytest.approx(values - 0.5), (
        "no logarithm of what is below 0"
    )
