"""What importances, slices and interactions are drawn from, and that they can be drawn."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from analysis.figures import curves, importance, interactions, slices
from analysis.figures.coordinates import setting
from analysis.figures.importance import importance_figure
from analysis.figures.interactions import interactions_figure
from analysis.figures.marks import marks
from analysis.figures.pareto import optimal_trials
from analysis.figures.slices import slices_figure
from analysis.figures.style import broken
from analysis.labels import ABSENT
from analysis.labels import ALL_TRAINABLES as ALL
from analysis.reading.runs import Study, read_study
from analysis.schema import TrialStatus
from analysis.searched.dimensions import range_words
from analysis.searched.importance import FRONTIER, importances
from analysis.tables.trials import trials_table

NewStudy = Callable[..., Any]
OTHER = "pgd_emp_ssl"
CHOICES = {"name": "CategoricalDistribution", "attributes": {"choices": [64, 128, 512]}}
EVEN_IN_LOG = {"name": "IntDistribution", "attributes": {"low": 1, "high": 9, "log": True}}


@pytest.fixture
def study(new_study: NewStudy) -> Any:
    """Two trainables, a learning rate over two decades, a listed batch size; a costly, a failed, a running trial."""
    study = new_study(
        space={"parameters": {"learning_rate": {}, "batch_size": CHOICES, f"{OTHER}.pgd_steps": EVEN_IN_LOG}},
        constraints={"gpu_minutes": 60},
    )
    rows = [(0.003, 512, 8), (0.03, 64, 4), (0.3, 128, 12)]
    for number, (rate, batch, level) in enumerate(rows):
        params = {"learning_rate": rate, "batch_size": batch, "epsilon": level / 255, "m": 3 + number}
        study.finished(number, 0.9 - 0.1 * number, 0.3 + 0.1 * number, params=params, gpu_minutes=1.0)
    study.finished(3, 0.5, 0.8, params={"learning_rate": 0.1, "pgd_steps": 5}, trainable=OTHER, gpu_minutes=90.0)
    study.finished(4, 0.4, 0.2, params={"learning_rate": 0.2, "pgd_steps": 7}, trainable=OTHER, gpu_minutes=1.0)
    study.failed(5)
    study.begin(6, {"m": 1})
    return study


def tidy(*rows: tuple[str, str, str, float]) -> pd.DataFrame:
    """What ``importances`` gives, its intervals 0.1 to either side."""
    found = pd.DataFrame(rows, columns=["trainable", "objective", "dimension", "share"])
    return found.assign(low=found["share"] - 0.1, high=found["share"] + 0.1, trials=40)


FOUND = tidy(
    *((ALL, FRONTIER, "m", 0.6), (ALL, FRONTIER, "crops", 0.4)),
    *((ALL, "clean_accuracy", "crops", 0.7), (ALL, "clean_accuracy", "m", 0.3)),
    *((OTHER, FRONTIER, "pgd_steps", 0.5), (OTHER, FRONTIER, "<i>", 0.3), (OTHER, FRONTIER, "crops", 0.2)),
)


def test_bars_stand_in_the_frontiers_order_in_percent() -> None:
    panels = {(panel.trainable, panel.objective): panel for panel in importance.compute(FOUND)}
    clean = panels[ALL, "clean_accuracy"]
    assert clean.rows["dimension"].tolist() == ["m", "crops"]
    assert clean.rows["share"].tolist() == pytest.approx([30, 70])
    assert clean.rows["low"].tolist() == pytest.approx([20, 60])
    assert [panel.named for panel in panels.values()] == [True, False, True]


def test_the_menu_changes_bars_and_their_names(study: Any) -> None:
    figure = importance_figure(read_study(study.paths), FOUND)
    assert figure is not None
    shown, changes = figure.layout.updatemenus[0].buttons[1].args
    assert shown["visible"] == [False] * 4 + [True] * 2
    assert changes["yaxis.ticktext"] == ["pgd_steps", "&lt;i&gt;", "crops"]
    assert figure.layout.yaxis.ticktext == ("m", "crops")
    assert [trace.visible for trace in figure.data] == [True] * 4 + [False] * 2
    assert [annotation.text for annotation in figure.layout.annotations] == ["Frontier", "Clean accuracy"]


def test_whiskers_reach_to_the_ends_and_equal_shares_are_marked(study: Any) -> None:
    figure = importance_figure(read_study(study.paths), FOUND)
    assert figure is not None
    bars, equal = figure.data[:2]
    assert (bars.x + bars.error_x.array).tolist() == pytest.approx([70, 50])
    assert (bars.x - bars.error_x.arrayminus).tolist() == pytest.approx([50, 30])
    assert list(equal.x) == [50, 50]
    assert [trace.showlegend for trace in figure.data] == [False, True, False, False, False, True]
    assert bars.hovertext[0] == "<b>m</b><br>60.0 [50.0, 70.0] %<br>40 trials"


def test_one_trainable_needs_no_menu(study: Any) -> None:
    figure = importance_figure(read_study(study.paths), FOUND[FOUND["trainable"] == ALL])
    assert figure is not None
    assert not figure.layout.updatemenus


def test_slices_are_of_every_dimension_and_objective(study: Any) -> None:
    found = {(one.x.name, one.y.name): one for one in slices.compute(read_study(study.paths))}
    names = ["learning_rate", "batch_size", "epsilon", "m", "pgd_steps"]
    assert list(found) == [(name, metric) for metric in ("clean_accuracy", "pgd_accuracy") for name in names]
    rate = found["learning_rate", "pgd_accuracy"]
    assert rate.points["x"].tolist() == pytest.approx(np.log10([0.003, 0.03, 0.3, 0.1, 0.2]))
    assert rate.points["y"].tolist() == pytest.approx([30, 40, 50, 80, 20])
    assert rate.points["number"].tolist() == ["0000", "0001", "0002", "0003", "0004"]
    assert rate.points["hollow"].tolist() == [False, False, False, True, False]
    assert rate.points["best"].tolist() == [True, True, True, False, False]
    assert found["pgd_steps", "clean_accuracy"].points["trainable"].tolist() == [OTHER, OTHER]


def test_marks_at_the_ends_of_a_slice_are_drawn_whole(study: Any) -> None:
    drawn = [trace for trace in slices_figure(read_study(study.paths)).data if trace.ids is not None]
    assert drawn
    assert all(trace.cliponaxis is False for trace in drawn)


def test_choices_are_categories_in_order_and_radii_pixel_levels(study: Any) -> None:
    found = {one.x.name: one.x.coordinate for one in slices.compute(read_study(study.paths))}
    assert found["batch_size"].values == [2, 0, 1]
    assert found["batch_size"].ticks.texts == ["64", "128", "512"]
    assert found["epsilon"].title == "epsilon (/255)"
    assert found["epsilon"].values == pytest.approx([8, 4, 12])
    assert found["m"].ticks.texts == ["3", "4", "5"]


def test_a_range_in_logarithms_is_drawn_so(study: Any) -> None:
    found = {one.x.name: one.x.coordinate for one in slices.compute(read_study(study.paths))}
    assert found["pgd_steps"].values == pytest.approx(np.log10([5, 7]))
    assert found["m"].values == [3, 4, 5]


def test_words_are_categories_too() -> None:
    found = setting("kind", pd.Series(["q", "p", "q"]))
    assert found.values == [1, 0, 1]
    assert found.ticks.texts == ["p", "q"]
    assert found.range == [-0.5, 1.5]
    assert setting("flag", pd.Series([True, False])).ticks.texts == ["false", "true"]


def test_null_is_a_choice_and_no_dimension_is_none(new_study: NewStudy) -> None:
    """From the trials' files to importances, tables and the axis of a slice."""
    choices = {"name": "CategoricalDistribution", "attributes": {"choices": [1024, None, 128]}}
    rates = {"name": "FloatDistribution", "attributes": {"low": 0.0, "high": 1.0, "log": False, "step": None}}
    study = new_study(space={"parameters": {"network.pre_feature": choices, "learning_rate": rates}})
    for number in range(24):
        size = (1024, None, 128)[number % 3]
        params = {"network.pre_feature": size, "learning_rate": (7 * number % 24) / 24}
        study.finished(number, 0.8 if size is None else 0.4, 0.3 + number / 100, params=params)
    study.finished(24, 0.3, 0.2, params={"learning_rate": 0.5}, trainable=OTHER)
    read = read_study(study.paths)
    found = {(one.x.name, one.y.name): one for one in slices.compute(read)}["network.pre_feature", "clean_accuracy"]
    assert found.x.coordinate.ticks.texts == ["null", "128", "1024"]
    assert len(found.points) == 24
    shares = importances(read)
    of_clean = shares[(shares["objective"] == "clean_accuracy") & (shares["trainable"] == "cf_amc_ssl")]
    assert of_clean["dimension"].iloc[0] == "network.pre_feature"
    table = trials_table(read)
    column = [one.title for one in table.columns].index("network.pre_feature")
    assert [row[column] for row in table.rows][-4:] == ["1024", "null", "128", ABSENT]
    assert range_words("network.pre_feature", choices) == "1024, null, 128"


def test_slices_draw_the_frontier_outlined_and_the_others_hollow(study: Any) -> None:
    figure = slices_figure(read_study(study.paths))
    assert figure is not None
    outlined = [trace for trace in figure.data if trace.meta and trace.meta["ink"] == "marker.line.color"]
    assert len(outlined) == 8, "a panel each: m, epsilon, batch size and learning rate, twice"
    assert {trace.marker.symbol for trace in outlined} == {"circle"}
    assert [trace.name for trace in figure.data if trace.name] == [
        *("cf_amc_ssl", OTHER, "hollow: flagged, or beyond the study's bounds"),
    ]
    hollow = next(trace for trace in figure.data if trace.marker.symbol == "square-open")
    assert (hollow.text[0], hollow.hovertext[0]) == ("0003", "0.1")
    who = f"<b>Trial %{{text}}</b>  {OTHER}"
    assert (
        hollow.hovertemplate == f"{who}<br>learning_rate: %{{hovertext}}<br>Clean accuracy: %{{y:.1f}} %<extra></extra>"
    )


def test_costs_are_told_in_words(new_study: NewStudy) -> None:
    study = new_study(objectives=[{"metric": "clean_accuracy"}, {"metric": "forward_equivalents"}])
    for number in range(2):
        study.finished(
            number, 0.9 - 0.1 * number, 0.3, work=10 ** (5 + 2 * number), params={"m": number, "crops": number}
        )
    read = read_study(study.paths)
    costs = [one.y.coordinate for one in slices.compute(read) if one.y.name == "forward_equivalents"]
    assert costs[0].values == pytest.approx([5, 7])
    figure = slices_figure(read)
    assert figure is not None
    assert any("0<br>Cost (forward-equivalents): 100 k" in str(trace.hovertext) for trace in figure.data)
    figure = interactions_figure(read)
    assert figure is not None
    drawn = [trace for trace in figure.data if trace.showlegend is False]
    words = drawn[1].hovertext[0].split("<br>")
    assert words[0] == "<b>Trial 0000</b>  cf_amc_ssl"
    assert {"Cost (forward-equivalents): 100 k", "m = 0", "crops = 0"} <= set(words)


def test_panels_fill_the_height_without_overlap(study: Any) -> None:
    figure = slices_figure(read_study(study.paths))
    assert figure is not None
    domains = sorted({tuple(axis.domain) for axis in figure.select_yaxes()})
    assert len(domains) == 4, "five dimensions stand in two bands, each with two objectives"
    assert domains[0][0] == 0
    assert domains[-1][1] == 1
    assert all(below[1] < above[0] for below, above in itertools.pairwise(domains))


def test_flagged_trials_are_hollow_on_no_frontier(study: Any) -> None:
    read = read_study(study.paths)
    read.trials.loc[0, "verdict"] = "flagged: gradients are masked"
    points = slices.compute(read)[0].points
    assert points["hollow"].tolist() == [True, False, False, True, False]
    assert not points["best"].iloc[0]


def test_pairs_are_of_dimensions_that_trials_share(study: Any) -> None:
    found = interactions.compute(read_study(study.paths))
    pairs = list(dict.fromkeys((one.x.name, one.y.name) for one in found))
    assert pairs[0] == ("learning_rate", "batch_size"), "as searched, while importances are not known"
    assert len(pairs) == 7
    assert [one.z.name for one in found[:2]] == ["clean_accuracy", "pgd_accuracy"]
    assert found[0].points["z"].tolist() == pytest.approx([90, 80, 70])


def test_the_most_important_pair_comes_first(study: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interactions, "ranking", lambda study: ["pgd_steps", "m", "epsilon", "learning_rate"])
    found = interactions.compute(read_study(study.paths))
    pairs = list(dict.fromkeys((one.x.name, one.y.name) for one in found))
    assert pairs == [
        ("pgd_steps", "learning_rate"),
        ("m", "epsilon"),
        ("m", "learning_rate"),
        ("epsilon", "learning_rate"),
    ]


@pytest.mark.parametrize(("searched", "pairs", "without"), [(5, 10, ""), (6, 15, ""), (8, 15, "m6, m7")])
def test_all_pairs_of_six_dimensions_are_offered_and_the_others_named(
    new_study: NewStudy, searched: int, pairs: int, without: str
) -> None:
    study = new_study()
    for number in range(2):
        study.finished(number, 0.9, 0.3, params={f"m{place}": number for place in range(searched)})
    read = read_study(study.paths)
    assert len({(one.x.name, one.y.name) for one in interactions.compute(read)}) == pairs
    assert interactions.left_out(read).endswith(f"in none is {without}." if without else "")
    assert bool(interactions.left_out(read)) == bool(without)


def test_a_confirmations_best_are_all_seeds_of_its_best_configurations(new_confirmation: NewStudy) -> None:
    read = read_study(new_confirmation({3: [0.5, 0.9], 4: [0.8, 0.75]}).paths)
    best = marks(read).query("best")["number"].astype(int).tolist()
    assert best == optimal_trials(read) == [2, 3]
    assert [line.title[:4] for line in curves.compute(read) if line.colour] == ["0002", "0003"]


def test_a_pairs_menu_brings_its_axes(study: Any) -> None:
    figure = interactions_figure(read_study(study.paths))
    assert figure is not None
    button = figure.layout.updatemenus[0].buttons[1]
    shown, changes = button.args
    assert button.label == "learning_rate and epsilon"
    assert changes["yaxis.title.text"] == "epsilon (/255)"
    assert changes["yaxis2.title.text"] == ""
    assert changes["xaxis.ticktext"] == list(figure.layout.xaxis.ticktext)
    legend = [trace for trace in figure.data if trace.name]
    assert all(trace.visible for trace in legend)
    assert sum(shown["visible"]) == len(legend) + 2
    assert figure.layout.coloraxis2.colorbar.title.text == "PGD accuracy<br>at 8/255 (%)"


def test_texts_from_users_are_escaped(new_study: NewStudy) -> None:
    study = new_study()
    for number in range(2):
        params = {"<b>m": f"<i>{number}", "k": number}
        study.finished(number, 0.9 - 0.1 * number, 0.3, params=params, trainable="<script>")
    read = read_study(study.paths)
    for figure in (slices_figure(read), interactions_figure(read)):
        text = figure.to_json()
        assert "&lt;b&gt;m" in text
        for mark in ("\\u003cscript", "\\u003ci\\u003e0", "\\u003cb\\u003em"):
            assert mark not in text


def altered(study: Any, **columns: Any) -> Study:
    read = read_study(study.paths)
    return Study(read.name, read.manifest, read.trials.assign(**columns), read.curves)


@pytest.mark.parametrize(
    ("columns", "drawn"),
    [
        ({"clean_accuracy": math.nan}, True),
        ({"clean_accuracy": math.nan, "pgd_accuracy": math.inf}, False),
        ({"verdict": "flagged: all"}, True),
        ({"violation": "gpu_minutes is 9, above 8"}, True),
        ({"trainable": "cf_amc_ssl"}, True),
        ({"status": TrialStatus.FAILED.value}, False),
    ],
)
def test_broken_studies_are_drawn_as_far_as_they_go(study: Any, columns: dict[str, Any], drawn: bool) -> None:
    read = altered(study, **columns)
    assert (slices_figure(read) is not None) == drawn
    assert (interactions_figure(read) is not None) == drawn
    assert importance_figure(read) is None


def test_nothing_to_compare_is_none(new_study: NewStudy) -> None:
    study = new_study()
    for finished in range(2):
        read = read_study(study.paths)
        assert (slices_figure(read), interactions_figure(read), importance_figure(read)) == (None, None, None)
        study.finished(finished, 0.9, 0.3)
    study.manifest(space=[1])
    assert slices_figure(read_study(study.paths)) is None, "equal settings show nothing"


def test_long_titles_break_near_their_middle() -> None:
    assert broken("Clean accuracy (%)") == "Clean accuracy (%)"
    assert broken("PGD accuracy at 8/255 (%)") == "PGD accuracy<br>at 8/255 (%)"
    assert broken("x" * 40) == "x" * 40
