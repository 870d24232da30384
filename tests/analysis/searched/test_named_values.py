"""Searched text, and true and false, are categories to importances, figures and tables, spelt as in study files."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from analysis.figures import interactions, parallel, slices
from analysis.reading.runs import Study, read_study
from analysis.searched import importance
from analysis.searched.importance import FRONTIER, importances
from analysis.tables.side_by_side import settings_table
from analysis.tables.trials import frontier_table, trials_table
from search_spaces import build
from trainables.catalogue import default_config

TEXT, TRUTH = "network.architecture", "optimiser.nesterov"
GAIN = {"resnet18": 0.3, "resnet34": 0.2, "vit_tiny": 0.0}
SPACE = {
    "unlisted": "fixed",
    "crops": {"low": 4, "high": 16},
    TEXT: list(GAIN),
    TRUTH: [True, False],
    "pgd_emp_ssl": {TEXT: ["resnet34", "vit_tiny"]},
}


@pytest.fixture
def study(new_study: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> Study:
    """Forty trials of two trainables: the text decides, the truth a little, the number nothing."""
    monkeypatch.setattr(importance, "RESAMPLES", 10)
    monkeypatch.setattr(importance, "_LEAST_RESAMPLES", 10)
    space = build([default_config(name) for name in ("cf_amc_ssl", "pgd_emp_ssl")], SPACE)
    folder = new_study(space=space.to_json())
    for number in range(40):
        config = space.sample(number)
        value = 0.4 + GAIN[config.network.architecture] + 0.01 * config.optimiser.nesterov + 0.0001 * number
        folder.finished(number, value, value / 2, params=space.params(config), trainable=config.trainable)
    return read_study(folder.paths)


def test_what_text_decides_is_found(study: Study) -> None:
    found = importances(study)
    frontier = found[(found["trainable"] == "cf_amc_ssl") & (found["objective"] == FRONTIER)]
    shares = frontier.set_index("dimension")["share"]
    assert set(shares.index) == {"crops", TEXT, TRUTH}
    assert shares.index[0] == TEXT
    assert shares[TEXT] > 0.5
    assert importance.ranking(study)[0] == TEXT


def test_categories_are_ticks_and_their_trials_stand_apart(study: Study) -> None:
    panels = {(one.x.name, one.y.name): one for one in slices.compute(study)}
    text = panels[TEXT, "clean_accuracy"]
    assert text.x.coordinate.ticks == ([0.0, 1.0, 2.0], ["resnet18", "resnet34", "vit_tiny"])
    assert panels[TRUTH, "clean_accuracy"].x.coordinate.ticks.texts == ["false", "true"]
    words = text.points["x"].round().map(dict(enumerate(text.x.coordinate.ticks.texts)))
    assert (words == text.points["x_words"]).all(), "each within its own category"
    low, high = text.x.coordinate.range
    assert text.points["x"].between(low, high).all()
    pair = next(one for one in interactions.compute(study) if {one.x.name, one.y.name} == {TEXT, TRUTH})
    assert len(pair.points) == 40
    assert not pair.points[["x", "y"]].duplicated().any()
    nearest = min(
        abs(one.x - other.x) + abs(one.y - other.y)
        for one in pair.points.itertuples()
        for other in pair.points.itertuples()
        if one.Index < other.Index
    )
    assert nearest > 0.02, "none hides another"


def test_lines_lead_through_categories(study: Study) -> None:
    panels = {panel.title: panel for panel in parallel.compute(study)}
    drawn = {coordinate.title: coordinate for coordinate in panels["cf_amc_ssl"].coordinates}
    assert drawn[TRUTH].ticks.texts == ["false", "true"]
    assert drawn[f"cf_amc_ssl.{TEXT}"].ticks.texts == ["resnet18", "resnet34", "vit_tiny"]


def test_tables_name_them_and_json_keeps_their_types(study: Study) -> None:
    table = trials_table(study)
    columns = {column.title: (place, column.numeric) for place, column in enumerate(table.columns)}
    place, numeric = columns[TRUTH]
    assert {row[place] for row in table.rows} == {"true", "false"}
    assert not numeric
    assert not columns[f"cf_amc_ssl.{TEXT}"][1]
    assert columns["crops"][1]
    records = json.loads(frontier_table(study).json())
    assert {type(record[f"param.{TRUTH}"]) for record in records} == {bool}


def test_they_can_be_drawn(study: Study) -> None:
    drawn = (slices.slices_figure(study), interactions.interactions_figure(study), parallel.parallel_figure(study))
    assert all(figure is not None and "vit_tiny" in figure.to_json() for figure in drawn)


def test_a_setting_that_one_study_searches_and_another_holds_is_one_row(new_study: Callable[..., Any]) -> None:
    space = build([default_config("cf_amc_ssl")], {"unlisted": "fixed", TRUTH: [True, False]})
    one, other = new_study("one", space=space.to_json()), new_study("other")
    for number, value in enumerate((True, False)):
        one.begin(number, {TRUTH: value}, settings={TRUTH: value})
    other.begin(0, {}, settings={TRUTH: False})
    table = settings_table([read_study(folder.paths) for folder in (one, other)], {})
    assert table is not None
    assert table.rows == ((TRUTH, "true, false", "false"),)
