"""What the tables say, to the digit."""

from __future__ import annotations

import io
import json
import math
from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest
from rich.console import Console

from analysis import labels
from analysis.layout import write_json
from analysis.reading.runs import read_study
from analysis.tables.table import Table
from analysis.tables.trials import frontier_table, headline_table, trials_table, unfinished_table, why_nothing_found

NewStudy = Callable[..., Any]


def printed(renderable: object) -> str:
    console = Console(file=io.StringIO(), width=200)
    console.print(renderable)
    return console.file.getvalue()  # type: ignore[attr-defined]


def test_frontier_in_markdown(new_study: NewStudy) -> None:
    study = new_study()
    study.finished(3, 0.9, 0.5, work=1_234_567, params={"m": 3, "epsilon": 8 / 255, "kind": "crops"})
    study.finished(4, 0.8, 0.4)
    assert frontier_table(read_study(study.paths)).markdown().splitlines() == [
        "Pareto frontier of tiny: Clean accuracy, PGD accuracy at 8/255; robust head, validation split, "
        "n = 360 images; [95 % Wilson interval]",
        "",
        "| Trial | Trainable | Clean accuracy, % | PGD accuracy at 8/255, % | Cost (forward-equivalents) | "
        "Cost (GPU-minutes) | m | epsilon | kind |",
        "| ---: | --- | ---: | ---: | ---: | ---: | ---: | ---: | --- |",
        "| 0003 | cf_amc_ssl | 90.0 [86.5, 92.7] | 50.0 [44.9, 55.1] | 1.23 M | 1.33 | 3 | 8/255 | crops |",
    ]


def test_csv_holds_unrounded_values(new_study: NewStudy) -> None:
    study = new_study()
    study.finished(3, 0.9, 0.5, params={"m": 3, "epsilon": 8 / 255})
    table = pd.read_csv(io.StringIO(frontier_table(read_study(study.paths)).csv()))
    assert table["param.epsilon"].iloc[0] == 8 / 255
    assert table["pgd_accuracy"].iloc[0] == 0.5
    assert table["pgd_accuracy_low"].iloc[0] == pytest.approx(0.4486, abs=1e-4)


def test_terminal_shows_markup_as_it_is_written(new_study: NewStudy) -> None:
    study = new_study()
    study.failed(0, reason="[bold]no[/bold] space | left")
    table = unfinished_table(read_study(study.paths))
    assert "[bold]no[/bold] space | left" in printed(table.rich())
    assert "[bold]no[/bold] space \\| left" in table.markdown()


def test_all_trials_with_gaps_as_dashes(new_study: NewStudy) -> None:
    study = new_study()
    study.finished(0, 0.9, 0.5, params={"m": 3}, pgd_accuracy=math.nan)
    study.failed(1)
    study.begin(2, {"pgd_steps": 5}, trainable="pgd_emp_ssl")
    rows = [
        [cell.strip() for cell in line.split("|")]
        for line in trials_table(read_study(study.paths)).markdown().splitlines()[4:]
    ]
    assert [row[1:5] for row in rows] == [
        ["0000", "cf_amc_ssl", "finished", "3"],
        ["0001", "cf_amc_ssl", "failed", "1"],
        ["0002", "pgd_emp_ssl", "running", "0"],
    ]
    assert rows[0][6] == labels.ABSENT
    assert rows[2][-2] == "5"


def test_what_has_not_finished_shows_its_cost_and_newest_probe(new_study: NewStudy) -> None:
    study = new_study()
    study.finished(0, 0.9, 0.5)
    study.failed(1, reason="by hand", status="stopped")
    study.begin(2, {"m": 3})
    curves = read_study(study.paths).curves
    probe = curves.loc[curves["trial"] == 1, ["train/probe_accuracy", "train/probe_pgd_accuracy"]].iloc[-1]
    table = trials_table(read_study(study.paths))
    titles = [column.title for column in table.columns]
    shown = dict(zip(titles, zip(*table.rows, strict=True), strict=True))
    told = ", ".join(f"{value * 100:.1f}" for value in probe)
    assert shown["Probe of unfinished: clean, PGD, %"] == (labels.ABSENT, told, labels.ABSENT)
    work = curves.loc[curves["trial"] == 1, "train/forward_equivalents"].iloc[-1]
    assert shown["Cost (forward-equivalents)"][1:] == (labels.cost(work), "0")
    assert told in unfinished_table(read_study(study.paths)).rows[0]


def test_where_all_have_finished_no_probe_is_shown(new_study: NewStudy) -> None:
    study = new_study()
    study.finished(0, 0.9, 0.5)
    assert not any("Probe" in column.title for column in trials_table(read_study(study.paths)).columns)


def test_tables_of_an_empty_study(new_study: NewStudy) -> None:
    study = read_study(new_study().paths)
    for table in (frontier_table(study), trials_table(study), unfinished_table(study)):
        assert table.rows == ()
        assert table.csv().count("\n") == 1
        printed(table.rich())


def test_of_many_trials_beyond_the_bounds_the_nearest_is_named(new_study: NewStudy) -> None:
    study = new_study(constraints={"gpu_minutes": 5, "clean_accuracy": {"at_least": 0.8}})
    for number, (clean, minutes) in enumerate([(0.9, 10.0), (0.4, 5.0), (0.72, 5.5), (0.6, 1.0)]):
        study.finished(number, clean, 0.3, gpu_minutes=minutes)
    nearest = "trial 2: gpu_minutes is 5.5, above 5; clean_accuracy is 71.9 %, below 80 %"
    read = read_study(study.paths)
    assert f"4 beyond the study's bounds (the nearest, {nearest})" in why_nothing_found(read, headline_table(read))


def test_why_there_is_no_frontier(new_study: NewStudy) -> None:
    study = new_study(constraints={"trusted": True})

    def why() -> str:
        read = read_study(study.paths)
        return why_nothing_found(read, headline_table(read))

    assert why().startswith("No trial has finished with all objectives measured")
    study.finished(0, 0.9, 0.5, trusted=0.0)
    beyond = "beyond the study's bounds (trial 0: its figures are not trusted)"
    assert why() == f"There is no frontier: of 1 finished trial 1 {beyond}."
    study.finished(1, 0.9, 0.5, trusted=0.0)
    beyond = "beyond the study's bounds (the nearest, trial 0: its figures are not trusted)"
    assert why() == f"There is no frontier: of 2 finished trials 2 {beyond}."
    write_json(study.finished(2, 0.9, 0.5).result, {"verdict": "flagged: noise"})
    study.finished(3, 0.9, 0.5, pgd_accuracy=math.nan)
    assert why() == (
        f"There is no frontier: of 4 finished trials 2 {beyond}, 1 flagged, 1 without all objectives measured."
    )
    study.finished(4, 0.8, 0.4, trusted=1.0)
    assert why() == ""


def test_trials_evaluated_on_different_numbers_of_images_are_told(new_study: NewStudy) -> None:
    study = new_study()
    study.finished(0, 0.9, 0.5)
    study.finished(1, 0.8, 0.6, evaluation_images=1000.0)
    assert "n = 360 to 1,000 images" in frontier_table(read_study(study.paths)).caption


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (12.3456, "12.3"),
        (999.4, "999"),
        (999.6, "1 k"),
        (999_600, "1 M"),
        (1234, "1.23 k"),
        (9.3e11, "930 G"),
        (math.nan, labels.ABSENT),
    ],
)
def test_costs(value: float, text: str) -> None:
    assert labels.cost(value) == text


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("m", 3.0, "3"),
        ("learning_rate", 0.0123456, "0.0123"),
        ("cf_amc_ssl.epsilon", 4 / 255, "4/255"),
        ("kind", "crops", "crops"),
        ("flag", True, "true"),
        ("m", math.nan, labels.ABSENT),
        ("m", None, labels.ABSENT),
    ],
)
def test_settings(name: str, value: object, text: str) -> None:
    assert labels.param(name, value) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(12, "12 s"), (200, "3 min 20 s"), (7500, "2 h 05 min"), (math.inf, labels.ABSENT)]
)
def test_durations(seconds: float, text: str) -> None:
    assert labels.duration(seconds) == text


def test_json_is_unrounded_and_has_no_word_for_what_is_unknown() -> None:
    values = pd.DataFrame(
        {
            "decay": [1.23456789012345e-6, math.inf],
            "trial": pd.array([7, None], dtype="Int64"),
            "trusted": [True, False],
            "scale": [((0, 1), "é"), None],
        }
    )
    assert json.loads(Table("", (), (), values).json(), parse_constant=pytest.fail) == [
        {"decay": 1.23456789012345e-6, "trial": 7, "trusted": True, "scale": [[0, 1], "é"]},
        {"decay": None, "trial": None, "trusted": False, "scale": None},
    ]
