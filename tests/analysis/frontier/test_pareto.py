"""Dominance against brute force; the frontier of a study on disk; hypervolume against closed forms."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.frontier.pareto import dominates, frontier, hypervolume, non_dominated, study_hypervolume
from analysis.layout import write_json
from analysis.reading.runs import read_study
from analysis.report.facts import facts
from trainables.metrics import Direction

Direction_ = st.sampled_from(["maximize", "minimize"])
Value = st.one_of(st.integers(0, 4).map(float), st.sampled_from([math.nan, math.inf, -math.inf]))


@st.composite
def tables(draw: st.DrawFn, value: st.SearchStrategy[float] = Value) -> tuple[list[list[float]], list[Direction]]:
    """Few distinct values, so that ties and duplicates are common."""
    width = draw(st.integers(1, 4))
    rows = draw(st.lists(st.lists(value, min_size=width, max_size=width), max_size=12))
    return rows, draw(st.lists(Direction_, min_size=width, max_size=width))


def beats(one: Sequence[float], other: Sequence[float], directions: Sequence[Direction]) -> bool:
    better = [a > b if way == "maximize" else a < b for a, b, way in zip(one, other, directions, strict=True)]
    worse = [a < b if way == "maximize" else a > b for a, b, way in zip(one, other, directions, strict=True)]
    return any(better) and not any(worse)


@given(tables())
@settings(deadline=None, max_examples=300)
def test_mask_is_what_comparing_all_pairs_gives(table: tuple[list[list[float]], list[Direction]]) -> None:
    rows, directions = table
    sound = [all(map(math.isfinite, row)) for row in rows]
    expected = [
        good and not any(beats(other, row, directions) for other, fine in zip(rows, sound, strict=True) if fine)
        for row, good in zip(rows, sound, strict=True)
    ]
    values = np.array(rows, dtype=float).reshape(len(rows), len(directions))
    assert non_dominated(values, directions).tolist() == expected


@given(tables(st.integers(0, 3).map(float)))
@settings(deadline=None)
def test_dominates_agrees_with_the_definition(table: tuple[list[list[float]], list[Direction]]) -> None:
    rows, directions = table
    for one in rows:
        for other in rows:
            assert dominates(one, other, directions) == beats(one, other, directions)


def test_nothing_dominates_or_is_dominated_through_nan() -> None:
    assert not dominates([math.nan, 1], [0, 0], ["maximize", "maximize"])
    assert not dominates([1, 1], [math.nan, 0], ["maximize", "maximize"])


def test_equal_points_all_stay() -> None:
    assert non_dominated([[1, 1], [1, 1], [0, 1]], ["maximize", "maximize"]).tolist() == [True, True, False]


def test_no_points() -> None:
    assert non_dominated(np.empty((0, 2)), ["maximize", "minimize"]).tolist() == []
    assert hypervolume(np.empty((0, 2)), ["maximize", "minimize"], [0, 1]) == 0


def test_hypervolume_of_a_staircase() -> None:
    steps = [[1, 3], [2, 2], [3, 1], [1, 1], [math.nan, 9]]
    assert hypervolume(steps, ["maximize", "maximize"], [0, 0]) == pytest.approx(6)
    assert hypervolume([[1, 3]], ["minimize", "maximize"], [4, 1]) == pytest.approx(3 * 2)


def test_points_beyond_the_reference_add_nothing() -> None:
    assert hypervolume([[-1, 5], [2, 2]], ["maximize", "maximize"], [0, 0]) == pytest.approx(4)


@given(tables())
@settings(deadline=None)
def test_hypervolume_counts_the_unit_cells_between_the_points_and_the_reference(
    table: tuple[list[list[float]], list[Direction]],
) -> None:
    rows, directions = table
    sound = [row for row in rows if all(map(math.isfinite, row))]
    cells = [[value + 0.5 for value in cell] for cell in np.ndindex(*(4,) * len(directions))]
    reference = [0.0 if way == "maximize" else 4.0 for way in directions]
    covered = sum(any(beats(row, cell, directions) for row in sound) for cell in cells)
    assert hypervolume(rows, directions, reference) == pytest.approx(covered)


def test_frontier_takes_finished_trials_with_all_objectives(new_study: Callable[..., Any]) -> None:
    study = new_study()
    study.finished(0, 0.9, 0.3)
    study.finished(1, 0.8, 0.5)
    study.finished(2, 0.7, 0.4)
    study.finished(3, 0.99, 0.99, pgd_accuracy=math.nan)
    study.finished(4, 0.99, 0.99, clean_accuracy=math.inf)
    study.failed(5)
    study.epochs(study.begin(6, {"m": 3}), 2)
    study.finished(7, 0.8, 0.5)
    best = frontier(read_study(study.paths))
    assert best["number"].tolist() == [0, 1, 7]
    assert best["clean_accuracy"].tolist() == pytest.approx([0.9, 0.8, 0.8])


def test_a_flagged_trial_is_on_no_frontier_and_adds_no_volume(new_study: Callable[..., Any]) -> None:
    study = new_study()
    write_json(study.finished(0, 0.9, 0.9).result, {"verdict": "flagged: noise breaks it"})
    study.finished(1, 0.8, 0.5)
    study.finished(2, 0.99, 0.99, trusted=0.0).result.unlink()
    read = read_study(study.paths)
    assert frontier(read)["number"].tolist() == [1]
    assert study_hypervolume(read) == pytest.approx(0.8 * 0.5)


def test_frontier_respects_a_cost(new_study: Callable[..., Any]) -> None:
    objectives = [{"metric": "clean_accuracy"}, {"metric": "forward_equivalents"}]
    study = new_study(objectives=objectives)
    study.finished(0, 0.9, 0.0, work=100)
    study.finished(1, 0.9, 0.9, work=200)
    study.finished(2, 0.5, 0.0, work=50)
    read = read_study(study.paths)
    assert frontier(read)["number"].tolist() == [0, 2]


def test_costs_do_not_enter_a_studys_hypervolume(new_study: Callable[..., Any]) -> None:
    names = ["clean_accuracy", "forward_equivalents", "pgd_accuracy"]
    study = new_study(objectives=[{"metric": name} for name in names])
    study.finished(0, 0.9, 0.3, work=100)
    read = read_study(study.paths)
    assert study_hypervolume(read) == pytest.approx(0.9 * 0.3)
    assert dict(facts(read))["Hypervolume"] == "27.0 % of what there could be (from accuracy 0; costs do not enter)"
    alone = new_study("costs", objectives=[{"metric": "gpu_minutes"}])
    assert study_hypervolume(read_study(alone.paths)) is None


def test_frontier_of_nothing(new_study: Callable[..., Any]) -> None:
    study = read_study(new_study().paths)
    assert frontier(study).empty
    assert study_hypervolume(study) == 0


def test_three_accuracies_enclose_a_volume(new_study: Callable[..., Any]) -> None:
    names = ("clean_accuracy", "pgd_accuracy", "auto_attack_accuracy")
    study = new_study(objectives=[{"metric": name} for name in names])
    study.finished(0, 0.5, 0.5, auto_attack_accuracy=0.4)
    study.finished(1, 0.8, 0.25, auto_attack_accuracy=0.2)
    study.finished(2, 0.5, 0.5, auto_attack_accuracy=0.3)
    read = read_study(study.paths)
    assert study_hypervolume(read) == pytest.approx(0.5 * 0.5 * 0.4 + 0.3 * 0.25 * 0.2)
    assert frontier(read)["number"].tolist() == [1, 0]


def test_study_hypervolume_is_measured_from_zero_accuracy(new_study: Callable[..., Any]) -> None:
    study = new_study()
    study.finished(0, 0.9, 0.3)
    study.finished(1, 0.8, 0.5)
    assert study_hypervolume(read_study(study.paths)) == pytest.approx(0.9 * 0.3 + 0.8 * 0.2)
