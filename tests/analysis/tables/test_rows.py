"""Trials and epochs as data: nothing that is known is left out or rounded."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest

from analysis.progress.so_far import with_costs
from analysis.reading.runs import Study, read_study
from analysis.tables.rows import epoch_rows, trial_rows


@pytest.fixture
def study(new_study: Callable[..., Any]) -> Study:
    """A trial that finished, one that failed and one that runs, of two trainables."""
    folder = new_study()
    folder.finished(0, 0.9, 1 / 3, params={"m": 3, "epsilon": 8 / 255}, gpu_minutes=math.inf)
    folder.failed(1, reason='out of memory, "all" of it')
    folder.begin(2, {"pgd_steps": 5}, trainable="pgd_emp_ssl")
    return read_study(folder.paths)


def test_csv_has_every_column_of_every_trial(study: Study) -> None:
    rows = list(csv.DictReader(io.StringIO(trial_rows(study).csv())))
    assert list(rows[0]) == list(study.trials)
    known = with_costs(study)
    for name in known:
        numbers = known[name].dtype.kind in "if"
        for text, value in zip((row[name] for row in rows), known[name], strict=True):
            missing = value is None or value != value
            written = json.dumps(value) if isinstance(value, tuple) else str(value)
            assert text == "" if missing else (float(text) == value if numbers else text == written), name
    assert rows[0]["config.evaluation.heads"] == '["robust"]'
    work = [float(row["forward_equivalents"]) for row in rows]
    assert work == [1e6, 1000.0, 0.0], "of the failed one what its epoch took"


def test_json_has_lists_nulls_and_whole_numbers(study: Study) -> None:
    first, second, third = json.loads(trial_rows(study).json())
    assert (first["id"], second["status"], second["reason"]) == ("tiny/0000", "failed", 'out of memory, "all" of it')
    assert (first["pgd_accuracy"], first["gpu_minutes"]) == (study.trials["pgd_accuracy"].iloc[0], None)
    assert first["pgd_accuracy_low"] < first["pgd_accuracy"] < first["pgd_accuracy_high"]
    assert first["config.evaluation.heads"] == ["robust"]
    assert [repr(row["seed"]) for row in (first, second, third)] == ["0", "1", "2"]
    assert (repr(first["param.m"]), first["param.pgd_steps"], repr(third["param.pgd_steps"])) == ("3", None, "5")


def test_epochs_have_a_row_each(study: Study) -> None:
    table = epoch_rows(study)
    found = pd.read_csv(io.StringIO(table.csv()))
    pd.testing.assert_frame_equal(found, study.curves)
    assert found[["trial", "epoch"]].to_numpy().tolist() == [[0, 1], [0, 2], [0, 3], [1, 1]]
    cells = dict(zip((column.title for column in table.columns), table.rows[2], strict=True))
    assert (cells["Trial"], cells["Epoch"], cells["Probe accuracy, %"]) == ("0000", "3", "80.0")


def test_a_study_without_trials_has_headings_alone(new_study: Callable[..., Any]) -> None:
    empty = read_study(new_study().paths)
    assert trial_rows(empty).csv().startswith("number,")
    assert epoch_rows(empty).csv() == "trial,epoch\n"
    assert json.loads(trial_rows(empty).json()) == []
