"""Attainment surfaces against counting, and which runs a study has."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.figures.marks import marks
from analysis.figures.pareto import compute, pareto_figure
from analysis.frontier.attainment import LEVELS, RESAMPLES, attainment, surface
from analysis.labels import HOLLOW_SEED
from analysis.layout import write_json
from analysis.reading.runs import read_study
from trainables.metrics import Direction

PLANE = ("clean_accuracy", "pgd_accuracy")
Value = st.one_of(st.integers(0, 3).map(float), st.sampled_from([math.nan, math.inf]))
Runs = list[list[list[float]]]


@st.composite
def repeated(draw: st.DrawFn) -> tuple[Runs, list[Direction], float]:
    width = draw(st.integers(2, 3))
    row = st.lists(Value, min_size=width, max_size=width)
    runs = draw(st.lists(st.lists(row, max_size=4), min_size=1, max_size=6))
    directions = draw(st.lists(st.sampled_from(["maximize", "minimize"]), min_size=width, max_size=width))
    return runs, directions, draw(st.sampled_from([1, 25, 50, 75, 100]))


def attains(points: Sequence[Sequence[float]], goal: Sequence[float], directions: Sequence[Direction]) -> bool:
    return any(
        all(map(math.isfinite, point))
        and all(a >= b if way == "maximize" else a <= b for a, b, way in zip(point, goal, directions, strict=True))
        for point in points
    )


@given(repeated())
@settings(deadline=None, max_examples=200)
def test_a_surface_is_what_counting_the_runs_gives(case: tuple[Runs, list[Direction], float]) -> None:
    runs, directions, percent = case
    corners = surface(runs, percent, directions).tolist()
    for goal in np.ndindex(*(5,) * len(directions)):
        place = [value - 0.5 for value in goal]
        share = sum(attains(run, place, directions) for run in runs) / len(runs)
        assert attains(corners, place, directions) == (100 * share >= percent)


def test_corners_are_values_that_are_attained_themselves() -> None:
    runs = [[[0.9, 0.3], [0.5, 0.6]], [[0.8, 0.4]], [[0.7, 0.2]]]
    assert surface(runs, 50, ["maximize"] * 2).tolist() == [[0.5, 0.4], [0.8, 0.3]]
    assert surface(runs, 100, ["maximize"] * 2).tolist() == [[0.7, 0.2]]
    assert surface([], 50, ["maximize"] * 2).tolist() == []


def confirmation(new_study: Callable[..., Any]) -> Any:
    told = {"study": "tiny", "seeds": [1, 2, 3], "configurations": [{"trial": 3}, {"trial": 12}]}
    return new_study("tiny-confirmed", confirms=told)


def test_a_confirmations_complete_seeds_are_the_runs(new_study: Callable[..., Any]) -> None:
    child = confirmation(new_study)
    for number, (configuration, seed, clean, pgd) in enumerate(
        [(3, 1, 0.9, 0.3), (12, 1, 0.6, 0.6), (3, 2, 0.8, 0.4), (12, 2, 0.7, 0.5), (3, 3, 1.0, 1.0)]
    ):
        child.finished(number, clean, pgd, params={"configuration": configuration, "seed": seed})
    found = attainment(read_study(child.paths), PLANE)
    assert found is not None
    assert (found.runs, found.seeds) == (2, True), "the third seed has not been tried on all configurations"
    assert found.surfaces[25] == pytest.approx(np.array([[0.6, 0.6], [0.7, 0.5], [0.8, 0.4], [0.9, 0.3]]))
    assert found.surfaces[75] == pytest.approx(np.array([[0.6, 0.5], [0.8, 0.3]]))
    assert found.words(75) == "attained by 75 %, at least 2 of 2 seeds"


def test_a_seed_that_failed_or_is_flagged_attains_nothing_there(new_study: Callable[..., Any]) -> None:
    child = confirmation(new_study)
    child.finished(0, 0.9, 0.3, params={"configuration": 3, "seed": 1})
    trial = child.finished(1, 0.6, 0.6, params={"configuration": 12, "seed": 1})
    write_json(trial.result, {"verdict": "flagged: noise breaks it"})
    found = attainment(read_study(child.paths), PLANE)
    assert found is not None
    assert found.surfaces[50] == pytest.approx(np.array([[0.9, 0.3]]))


def test_a_configuration_with_a_flagged_seed_attains_nothing_with_its_others(new_study: Callable[..., Any]) -> None:
    child = confirmation(new_study)
    for number, (configuration, seed) in enumerate([(3, 1), (12, 1), (3, 2), (12, 2)]):
        clean = 0.9 if configuration == 3 else 0.6
        trial = child.finished(number, clean, 0.3, params={"configuration": configuration, "seed": seed})
        if (configuration, seed) == (3, 2):
            write_json(trial.result, {"verdict": "flagged: noise breaks it"})
    study = read_study(child.paths)
    found = attainment(study, PLANE)
    assert found is not None
    assert [corners.tolist() for corners in found.surfaces.values()] == [[[0.6, 0.3]]] * 3
    assert compute(study).points["hollow"].tolist() == [True, False, True, False]
    assert marks(study)["hollow"].tolist() == [True, False, True, False]
    assert HOLLOW_SEED in [trace.name for trace in pareto_figure(study).data]


def test_a_search_is_resampled_around_its_frontier(new_study: Callable[..., Any]) -> None:
    study = new_study()
    study.finished(0, 0.9, 0.3)
    study.finished(1, 0.8, 0.2)
    write_json(study.finished(2, 0.99, 0.99).result, {"verdict": "flagged: noise breaks it"})
    found = attainment(read_study(study.paths), PLANE)
    assert found is not None
    assert (found.runs, found.seeds) == (RESAMPLES, False)
    best = [float(found.surfaces[level][:, 0].max()) for level in LEVELS]
    assert best == sorted(best, reverse=True)
    # clean alone: quantiles of a binomial share, 0.9 +- 0.6745 * sqrt(0.9 * 0.1 / 360) = 0.889, 0.911
    assert best == pytest.approx([0.911, 0.9, 0.889], abs=0.004)


def test_without_results_there_is_no_surface(new_study: Callable[..., Any]) -> None:
    empty, child = new_study(), confirmation(new_study)
    empty.failed(0)
    empty.finished(1, 0.5, 0.4, pgd_accuracy=math.nan)
    assert attainment(read_study(empty.paths), PLANE) is None
    assert attainment(read_study(child.paths), PLANE) is None
    child.finished(0, 0.9, 0.3, params={"configuration": 3, "seed": 1})
    assert attainment(read_study(child.paths), PLANE) is None
