"""Trials side by side: figures and differences from the outcomes that they recorded, and what does not compare."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from analysis import labels
from analysis.frontier.differences import between
from analysis.layout import read_json, write_json
from analysis.reading.runs import Study, read_study
from analysis.tables.side_by_side import values_table
from analysis.tables.trials_side_by_side import trial_alone, trials_table
from trainables.config import UserError

ORDER = np.arange(400)
CALLED = {"clean_accuracy": "Clean accuracy", "pgd_accuracy": "PGD accuracy", "auto_attack_accuracy": "AutoAttack"}


@pytest.fixture
def study(new_study: Callable[..., Any]) -> Study:
    """Trial 1 gets ten images right under attack that trial 0 does not; trial 2 saw others; trial 3 failed."""
    folder = new_study()
    folder.judged(0, ORDER < 300, ORDER < 100)
    folder.judged(1, ORDER < 300, ORDER < 110)
    folder.judged(2, ORDER < 300, ORDER < 120, identity="others")
    folder.failed(3)
    found: Study = read_study(folder.paths)
    return found


def table_of(study: Study, *numbers: int, ranked: bool = True) -> Any:
    return trials_table([trial_alone(study, number) for number in numbers], CALLED, ranked=ranked)


def test_each_stands_beside_the_first(study: Study) -> None:
    table = table_of(study, 0, 1)
    rows = {row[0]: row[1:] for row in table.rows}
    gain = between((study, "tiny/0001"), (study, "tiny/0000"), "pgd_accuracy")
    assert gain is not None
    assert gain.mean == pytest.approx(10 / 400)
    assert [column.title for column in table.columns] == ["", "tiny/0", "tiny/1"]
    assert rows["PGD accuracy, %"] == ("25.0 [21.0, 29.5]", "27.5 [23.4, 32.1]")
    more = [row[1:] for row in table.rows if row[0] == "  more than tiny/0, points"]
    assert more[1] == ("", f"+2.50 [{gain.low * 100:+.2f}, {gain.high * 100:+.2f}]")
    first, second = table.values.to_dict("records")
    assert (second["pgd_accuracy_more"], second["pgd_accuracy_more_low"]) == (gain.mean, gain.low)
    assert first["pgd_accuracy_more"] is None or np.isnan(first["pgd_accuracy_more"])
    assert "recorded no outcomes" not in table.caption


def test_the_order_turns_the_sign(study: Study) -> None:
    one, other = (table_of(study, *order).values["pgd_accuracy_more"].iloc[1] for order in ((0, 1), (1, 0)))
    assert one == pytest.approx(-other)


def test_of_other_images_there_is_no_difference_and_the_table_says_so(study: Study) -> None:
    table = table_of(study, 0, 2)
    assert [row[2] for row in table.rows if row[0].startswith("  more")] == [labels.ABSENT] * 2
    assert "they recorded no outcomes of the same images" in table.caption


def test_what_was_not_measured_alike_is_not_ranked(study: Study) -> None:
    table = table_of(study, 0, 1, ranked=False)
    assert not any(row[0].startswith("  more") for row in table.rows)
    assert not any("more" in name for name in table.values)


def test_only_a_trial_that_finished_has_something_to_compare(study: Study) -> None:
    with pytest.raises(UserError, match="tiny/3 is failed and has no accuracies"):
        trial_alone(study, 3)
    with pytest.raises(UserError, match="no trial tiny/9; `study status tiny` lists them"):
        trial_alone(study, 9)


def test_settings_that_differ_are_told_searched_or_not(new_study: Callable[..., Any]) -> None:
    folder = new_study()
    for number, m in enumerate((3, 5)):
        trial = folder.judged(number, ORDER < 300, ORDER < 100)
        written = read_json(trial.config)
        written["config"]["adversary"]["replays"] = m
        write_json(trial.config, written)
    study = read_study(folder.paths)
    table = values_table([trial_alone(study, number) for number in (0, 1)])
    assert table is not None
    assert ("adversary.replays", "3", "5") in table.rows
    assert values_table([trial_alone(study, 0), trial_alone(study, 0)]) is None
