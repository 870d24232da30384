"""Hypervolume over a study's budget against sums done by hand."""

from __future__ import annotations

import html
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from analysis.frontier.history import gains, history, words
from analysis.frontier.pareto import study_hypervolume
from analysis.layout import ATTEMPT, ENDED, append_event, write_json
from analysis.progress import epochs
from analysis.progress.elapsed import ran_seconds
from analysis.reading.runs import read_study
from analysis.report.page import render
from analysis.tables.gains import GAINS, gains_table

OTHER = "pgd_emp_ssl"


FAILED_HOURS = 2 / 3600
"""Of a trial that failed after the first of its epochs."""


@pytest.fixture
def study(new_study: Callable[..., Any]) -> Any:
    folder = new_study()
    folder.finished(0, 0.5, 0.5, gpu_minutes=6.0)
    folder.failed(1)
    folder.finished(2, 0.4, 0.4, gpu_minutes=6.0, trainable=OTHER)
    folder.finished(3, 0.8, 0.25, gpu_minutes=12.0, trainable=OTHER)
    folder.epochs(folder.begin(4, {"m": 3}), 2)
    return folder


def test_each_end_is_a_moment_with_what_was_found_by_then(study: Any) -> None:
    path = history(read_study(study.paths))
    assert path["number"].tolist() == [0, 1, 2, 3]
    assert path["trials"].tolist() == [1, 2, 3, 4]
    assert path["gpu_hours"].tolist() == pytest.approx([0.1, *(hours + FAILED_HOURS for hours in (0.1, 0.2, 0.4))])
    assert path["hypervolume"].tolist() == pytest.approx([0.25, 0.25, 0.25, 0.325])
    assert path["gain"].tolist() == pytest.approx([0.25, 0, 0, 0.075])
    assert path["wall_hours"].is_monotonic_increasing
    assert 0 <= path["wall_hours"].iloc[0] < 0.1


def test_it_ends_at_the_studys_hypervolume(study: Any) -> None:
    read = read_study(study.paths)
    assert history(read)["hypervolume"].iloc[-1] == pytest.approx(study_hypervolume(read))


def test_moments_are_in_order_of_ends_not_of_numbers(new_study: Callable[..., Any]) -> None:
    folder = new_study()
    folder.finished(1, 0.5, 0.5)
    folder.finished(0, 0.4, 0.4)
    assert history(read_study(folder.paths))["number"].tolist() == [1, 0]


def test_gains_by_trainable(study: Any) -> None:
    found = gains(read_study(study.paths)).set_index("trainable")
    assert found["trials"].tolist() == [2, 2]
    assert found["gpu_hours"].tolist() == pytest.approx([0.1 + FAILED_HOURS, 0.3])
    assert found["alone"].tolist() == pytest.approx([0.5 * 0.5, 0.4 * 0.4 + 0.4 * 0.25])
    assert found["added"].tolist() == pytest.approx([0.25, 0.075])
    assert found["lost_without"].tolist() == pytest.approx([0.325 - 0.26, 0.325 - 0.25])
    table = gains_table(read_study(study.paths))
    assert table is not None
    assert table.rows[1] == (OTHER, "2", "0.3", "26.00", "7.50", "7.50")


def test_the_guide_and_the_report_explain_what_the_headings_say(study: Any) -> None:
    read = read_study(study.paths)
    table, guide = gains_table(read), (Path(__file__).parents[3] / "docs/results.md").read_text()
    assert table is not None
    for column in table.columns[3:]:
        heading = column.title.removesuffix(", %").removeprefix("Hypervolume ")
        assert f"| {column.title} |" in guide
        assert heading[0].upper() + heading[1:] in GAINS
    assert GAINS in html.unescape(render(read))
    for metric in ("train/loss", "train/probe_accuracy"):
        assert f"| {epochs.title(metric)}" in guide


def test_a_cost_among_the_objectives_does_not_enter_and_the_title_says_so(new_study: Callable[..., Any]) -> None:
    names = ("clean_accuracy", "pgd_accuracy", "forward_equivalents")
    folder = new_study(objectives=[{"metric": name} for name in names])
    folder.finished(0, 0.5, 0.5)
    read = read_study(folder.paths)
    assert history(read)["hypervolume"].tolist() == pytest.approx([0.25])
    assert words(read) == (
        "Hypervolume of Clean accuracy and PGD accuracy at 8/255, % of what there could be; "
        "from accuracy 0 (reference point v1); costs do not enter"
    )


def test_one_accuracy_counts_as_it_is_and_costs_alone_have_no_history(new_study: Callable[..., Any]) -> None:
    one = new_study("one", objectives=[{"metric": "pgd_accuracy"}, {"metric": "gpu_minutes"}])
    none = new_study("none", objectives=[{"metric": "gpu_minutes"}])
    for folder in (one, none):
        folder.finished(0, 0.9, 0.25)
    assert history(read_study(one.paths))["hypervolume"].tolist() == pytest.approx([0.25])
    assert history(read_study(none.paths)).empty
    assert gains(read_study(none.paths)).empty


def test_flagged_infeasible_and_unmeasured_trials_use_budget_and_gain_nothing(new_study: Callable[..., Any]) -> None:
    folder = new_study(constraints={"peak_memory_gib": 5.0})
    write_json(folder.finished(0, 0.9, 0.9).result, {"verdict": "flagged: noise breaks it"})
    folder.finished(1, 0.9, 0.9, peak_memory_gib=9.0)
    folder.finished(2, 0.9, 0.9, clean_accuracy=math.nan)
    path = history(read_study(folder.paths))
    assert path["hypervolume"].tolist() == [0, 0, 0]
    assert path["gpu_hours"].iloc[-1] > 0
    assert gains_table(read_study(folder.paths)) is None, "one trainable"


def test_before_a_trial_has_ended(new_study: Callable[..., Any]) -> None:
    folder = new_study()
    assert history(read_study(folder.paths)).empty
    folder.begin(0, {"m": 3})
    assert history(read_study(folder.paths)).empty
    assert gains_table(read_study(folder.paths)) is None


def test_wall_hours_are_those_that_the_study_ran_until_each_end(new_study: Callable[..., Any]) -> None:
    folder = new_study()
    for number, (begin, end) in enumerate(((1000.0, 10_000.0), (2000.0, 2800.0), (96_400.0, 100_000.0))):
        trial = folder.paths.trial(number)
        append_event(trial, ATTEMPT, 1, time=begin)
        append_event(trial, ENDED, 1, time=end, status="failed", metrics={})
    study = read_study(folder.paths)
    path = history(study)
    assert path["number"].tolist() == [1, 0, 2]
    assert path["wall_hours"].tolist() == pytest.approx([0.5, 2.5, 3.5]), "the pause of a day is in none"
    assert path["wall_hours"].iloc[-1] * 3600 == pytest.approx(ran_seconds(study))


def test_three_accuracies_enclose_a_volume(new_study: Callable[..., Any]) -> None:
    names = ("clean_accuracy", "pgd_accuracy", "auto_attack_accuracy")
    folder = new_study(objectives=[{"metric": name} for name in names])
    folder.finished(0, 0.5, 0.5, auto_attack_accuracy=0.4)
    folder.finished(1, 0.8, 0.25, auto_attack_accuracy=0.2, trainable=OTHER)
    read = read_study(folder.paths)
    first, second = 0.5 * 0.5 * 0.4, 0.3 * 0.25 * 0.2
    assert history(read)["gain"].tolist() == pytest.approx([first, second])
    assert gains(read)["lost_without"].tolist() == pytest.approx([first - 0.5 * 0.25 * 0.2, second])
    assert words(read).startswith(
        "Hypervolume of Clean accuracy, PGD accuracy at 8/255 and AutoAttack accuracy at 8/255, % of"
    )


def test_what_a_stopped_trial_spent_on_training_counts(new_study: Callable[..., Any]) -> None:
    folder = new_study()
    folder.finished(0, 0.5, 0.5, gpu_minutes=6.0)
    append_event(folder.begin(1, {}), ENDED, 1, status="stopped", reason="early", metrics={"train/seconds": 720.0})
    assert history(read_study(folder.paths))["gpu_hours"].tolist() == pytest.approx([0.1, 0.3])
