"""Chances stand in the row that they are of."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from analysis import labels
from analysis.reading.runs import Study, read_study
from analysis.tables.dominance import COLUMN, with_chances
from analysis.tables.trials import headline_table


def column(study: Study, chances: dict[str, float]) -> dict[str, str]:
    """The chances that are shown, by the row's first cell."""
    table = with_chances(study, headline_table(study), chances)
    place = table.columns.index(COLUMN)
    assert table.columns[place - 1].title == "Trainable"
    assert all(len(row) == len(table.columns) for row in table.rows)
    return {row[0]: row[place] for row in table.rows}


def test_a_trials_chance_is_found_by_its_id_and_may_be_unknown(new_study: Callable[..., Any]) -> None:
    folder = new_study()
    for number in range(3):
        folder.finished(number, 0.9 - number / 10, 0.3 + number / 10)
    study = read_study(folder.paths)
    chances = {"tiny/0001": 0.25, "tiny/0000": 1.0}
    assert column(study, chances) == {"0000": "100.0", "0001": "25.0", "0002": labels.ABSENT}
    values = with_chances(study, headline_table(study), chances).values["chance"].tolist()
    assert values[:2] == [1.0, 0.25]
    assert math.isnan(values[2])


def test_the_caption_says_whether_images_were_the_same_for_all(new_study: Callable[..., Any]) -> None:
    folder, order = new_study(), np.arange(40)
    folder.judged(0, order < 30, order < 10)
    captions = []
    for number in (1, 2):
        folder.judged(number, order < 30 - number, order < 10 + number, identity="same" if number == 1 else "others")
        study = read_study(folder.paths)
        captions.append(with_chances(study, headline_table(study), {}).caption)
    assert "draws of images (the same images for all) in which" in captions[0]
    assert "draws of images (the same images for 2 of the 3) in which" in captions[1]


def test_a_configurations_chance_is_found_by_the_trial_that_it_confirms(new_confirmation: Callable[..., Any]) -> None:
    study = read_study(new_confirmation({3: [0.5, 0.6], 4: [0.8]}).paths)
    chances = {"tiny/0003": 0.125, "tiny/0004": 0.875, "tiny-confirmed/0000": 0.5}
    assert column(study, chances) == {"tiny/0003": "12.5", "tiny/0004": "87.5"}
