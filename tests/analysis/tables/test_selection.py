"""Rows and columns by name: the small language of conditions, and what it refuses."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest

from analysis.reading.runs import read_study
from analysis.tables.rows import epoch_rows, trial_rows
from analysis.tables.selection import Condition, select, why_none
from analysis.tables.table import Table
from trainables.config import UserError

FOUND = ((0.9, 0.3, 2), (0.8, 0.5, 3), (0.7, 0.5, 3), (0.95, 0.1, 5))
"""Clean and PGD accuracy, and m."""


@pytest.fixture
def table(new_study: Callable[..., Any]) -> Table:
    """Four trials that finished, one that failed and one that runs and has an epsilon alone."""
    folder = new_study()
    for number, (clean, pgd, m) in enumerate(FOUND):
        folder.finished(number, clean, pgd, params={"m": m, "epsilon": 8 / 255, "pre_feature": [None, 64][number % 2]})
    folder.failed(4, reason="ValueError: m: rank is = 3")
    folder.begin(5, {"epsilon": 4 / 255})
    return trial_rows(read_study(folder.paths))


def numbers(table: Table) -> list[int]:
    assert [int(row[0]) for row in table.rows] == table.values["number"].tolist(), "cells and values go together"
    return table.values["number"].tolist()


@pytest.mark.parametrize(
    ("conditions", "kept"),
    [
        (["pgd_accuracy >= 0.5"], [1, 2]),
        (["pgd_accuracy>0.5"], []),
        (["clean_accuracy<0.9"], [1, 2]),
        (["m != 3"], [0, 3, 4]),
        (["param.m = 3"], [1, 2]),
        (["m > 2", "clean_accuracy > 0.75"], [1, 3]),
        (["epsilon < 8/255"], [5]),
        (["epsilon = 8/255"], [0, 1, 2, 3, 4]),
        (["status = failed"], [4]),
        (["status != finished"], [4, 5]),
        (["reason = ValueError: m: rank is = 3"], [4]),
        (["data.source = digits", "number <= 1"], [0, 1]),
        (["evaluation.heads = [robust]", "number <= 1"], [0, 1]),
        (["evaluation.attack_epsilons = [4/255, 8/255, 16/255]", "number <= 1"], [0, 1]),
        (["pre_feature = null"], [0, 2]),
        (["pre_feature >= 64"], [1, 3]),
        (["epochs < 3"], [4, 5]),
        (['reason != ""'], [4]),
        (["status = 'failed'"], [4]),
        (["auto_attack_accuracy > 0.5"], []),
    ],
)
def test_rows_that_keep_every_condition(table: Table, conditions: list[str], kept: list[int]) -> None:
    assert numbers(select(table, where=map(Condition.parse, conditions))) == kept


@pytest.mark.parametrize(
    ("conditions", "why"),
    [
        (["clean_accuracy > 50"], "No row keeps 'clean_accuracy > 50': clean_accuracy is 0.7 to 0.95"),
        (["trainable = cf_amc"], "No row keeps 'trainable = cf_amc': trainable is cf_amc_ssl"),
        (["m > 2", "status = done"], "No row keeps 'status = done': status is failed or finished or running"),
        (["epsilon = eight"], "No row keeps 'epsilon = eight': epsilon is 4/255 to 8/255"),
        (["pre_feature > 64"], "No row keeps 'pre_feature > 64': pre_feature is 64 or null"),
        (['note != ""'], 'No row keeps \'note != ""\': note is ""'),
        (
            ["auto_attack_accuracy < 1"],
            "No row keeps 'auto_attack_accuracy < 1': auto_attack_accuracy is not known of any",
        ),
        (["number < 2", "number > 3"], "No row keeps all of these conditions, though each is kept by some"),
        (["number != 9", "seed = 7"], "No row keeps 'seed = 7': seed is 0 to 5"),
    ],
)
def test_what_a_condition_that_no_row_keeps_would_have_to_choose_from(
    table: Table, conditions: list[str], why: str
) -> None:
    asked = [Condition.parse(text) for text in conditions]
    assert select(table, where=asked).rows == ()
    assert why_none(table, asked) == why


def test_a_part_is_not_called_the_whole(table: Table) -> None:
    assert select(table, sort="number").caption == table.caption
    assert select(table, limit=2).caption == f"{table.caption}; 2 of {len(table.rows)} rows"


@pytest.mark.parametrize(
    ("sort", "order"),
    [
        ("pgd_accuracy", [1, 2, 0, 3, 4, 5]),
        ("m", [0, 1, 2, 3, 4, 5]),
        ("forward_equivalents", [5, 4, 0, 1, 2, 3]),
        ("pre_feature", [1, 3, 0, 2, 4, 5]),
        ("clean_accuracy_low", [3, 0, 1, 2, 4, 5]),
        ("status", [4, 0, 1, 2, 3, 5]),
    ],
)
def test_the_best_stand_first_and_what_is_not_known_last(table: Table, sort: str, order: list[int]) -> None:
    assert numbers(select(table, sort=sort)) == order
    assert numbers(select(table, sort=sort, limit=2)) == order[:2]


def test_columns_in_their_order_on_table_csv_and_json_alike(table: Table) -> None:
    found = select(table, sort="pgd_accuracy", limit=2, columns=["m", "pgd_accuracy", "number", "optimiser.epochs"])
    assert [column.title for column in found.columns] == ["m", "PGD accuracy at 8/255, %", "Trial", "optimiser.epochs"]
    assert [row[0] for row in found.rows] == ["3", "3"]
    assert found.rows[0][1].startswith("50.0 [")
    assert found.csv().splitlines()[0] == "param.m,pgd_accuracy,number,config.optimiser.epochs"
    assert [row["number"] for row in json.loads(found.json())] == [1, 2]


def test_a_figure_that_no_table_shows_is_written_as_what_it_is(table: Table) -> None:
    found = select(table, columns=["started"], limit=1)
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d UTC", found.rows[0][0])
    found = select(table, columns=["clean_accuracy_low", "evaluation.heads", "seed"], limit=1)
    assert found.columns[0].title == "clean_accuracy_low, %"
    assert found.rows[0][1:] == ("[robust]", "0")
    assert 80 < float(found.rows[0][0]) < 90


def test_epochs_are_chosen_as_trials_are(new_study: Callable[..., Any]) -> None:
    folder = new_study()
    folder.finished(0, 0.9, 0.3)
    folder.finished(1, 0.9, 0.3)
    where = [Condition.parse("trial = 1"), Condition.parse("epoch >= 2")]
    found = select(epoch_rows(read_study(folder.paths)), where=where, columns=["epoch", "train/loss"])
    assert found.values["epoch"].tolist() == [2, 3]


@pytest.mark.parametrize(
    "text", ["m", "m == 3", "> 3", "m >", "", "m = ", "m ~ 3", "m => 3", "m =< 3", "two words > 3"]
)
def test_what_is_no_condition_is_refused(text: str) -> None:
    with pytest.raises(UserError, match="is no condition; write NAME, one of <= >= < > != = and a value"):
        Condition.parse(text)


@pytest.mark.parametrize(
    ("condition", "words"),
    [
        ("epohcs > 3", "there is no column 'epohcs'; did you mean epochs?"),
        ("pgd > 3", "did you mean pgd_accuracy"),
        ("zzz > 3", r"there is no column 'zzz'; the first line of --csv has all names"),
        ("m > three", "'three' is no number"),
        ("m > 1/0", "'1/0' is no number"),
        ("m > nan", "'nan' is no number"),
        ("status > 3", "status has no numbers"),
        ("__class__ = 3", "there is no column '__class__'"),
    ],
)
def test_a_condition_that_asks_nothing_is_refused(table: Table, condition: str, words: str) -> None:
    with pytest.raises(UserError, match=words):
        select(table, where=[Condition.parse(condition)])


@pytest.mark.parametrize("asked", [{"sort": "acuracy"}, {"columns": ["number", ""]}])
def test_a_column_that_is_none_is_told_with_its_option(table: Table, asked: dict[str, Any]) -> None:
    with pytest.raises(UserError, match=f"^--{next(iter(asked))}: there is no column"):
        select(table, **asked)
