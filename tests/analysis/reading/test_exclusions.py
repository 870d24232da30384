"""A trial that somebody excluded: shown with the reason, and part of nothing that is computed."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from analysis.figures.pareto import compute
from analysis.frontier.absent import excluded_sentence, why_no_frontier
from analysis.frontier.attainment import attainment
from analysis.frontier.confirmed import confirmed
from analysis.frontier.differences import difference
from analysis.frontier.dominance import chances
from analysis.frontier.history import history
from analysis.frontier.pareto import frontier, study_hypervolume
from analysis.layout import TrialPaths, append_exclusion, exclusion_of, exclusions
from analysis.progress.so_far import with_costs
from analysis.reading.runs import read_study
from analysis.report.facts import counts
from analysis.report.page import render
from analysis.tables.shares import shares_table
from analysis.tables.trial_page import trial_page
from analysis.tables.trials import trials_table, unfinished_table
from analysis.tables.trials_side_by_side import trial_alone
from trainables.config import UserError
from trainables.metrics import CLEAN_ACCURACY, GPU_MINUTES, PGD_ACCURACY

NewStudy = Callable[..., Any]
WHY = "<b>wrong</b> images"


@pytest.fixture
def study(new_study: NewStudy) -> Any:
    """Of four finished trials the last is the best in everything; a fifth failed."""
    study, right = new_study(), np.arange(100)
    for number in range(4):
        study.judged(number, right < 60 + 10 * number, right < 30 + 10 * number)
    study.failed(4)
    return study


def test_the_newest_reason_counts_and_an_empty_one_takes_the_trial_in_again(tmp_path: Path) -> None:
    trial = TrialPaths(tmp_path / "0003")
    assert exclusion_of(trial) == ""
    append_exclusion(trial, "peeked at\ntest images")
    assert exclusion_of(trial) == "peeked at test images"
    with open(trial.exclusions, "ab") as file:
        file.write(b'{"text": "ha')
    assert exclusion_of(trial) == "peeked at test images", "of what was torn nothing is heard"
    append_exclusion(trial, "")
    assert exclusion_of(trial) == ""
    assert len(trial.exclusions.read_bytes().splitlines()) == 3, "nothing is deleted"


def test_where_nobody_can_tell_the_trial_does_not_count(study: Any) -> None:
    study.paths.trial(3).exclusions.mkdir()
    assert exclusions(study.paths) == {3: "excluded.jsonl cannot be read: Is a directory"}
    assert frontier(read_study(study.paths))["number"].tolist() == [2]


def test_nothing_is_computed_of_it(study: Any) -> None:
    whole = read_study(study.paths)
    append_exclusion(study.paths.trial(3), WHY)
    left = read_study(study.paths)
    assert (frontier(whole)["number"].tolist(), frontier(left)["number"].tolist()) == ([3], [2])
    assert left.finished["number"].tolist() == [0, 1, 2]
    assert study_hypervolume(left) == pytest.approx(0.8 * 0.5)
    assert set(chances(left)) == {f"tiny/{number:04d}" for number in range(3)}
    assert compute(left).points["number"].tolist() == [0, 1, 2]
    gained = history(left)
    assert gained["gain"].tolist()[3:] == [0.0, 0.0]
    assert gained["trials"].tolist() == [1, 2, 3, 4, 5], "its place in the budget it keeps"
    assert with_costs(left)[GPU_MINUTES].sum() == with_costs(whole)[GPU_MINUTES].sum(), "and what it cost"
    append_exclusion(study.paths.trial(3), "")
    assert frontier(read_study(study.paths))["number"].tolist() == [3]


def test_it_is_compared_with_nothing(study: Any) -> None:
    append_exclusion(study.paths.trial(3), WHY)
    left = read_study(study.paths)
    again = r"trial tiny/3 is excluded: <b>wrong</b> images; take it in again with: study exclude tiny/3 --undo"
    for compare in (lambda: difference(left, "tiny/0", "tiny/3", "pgd_accuracy"), lambda: trial_alone(left, 3)):
        with pytest.raises(UserError, match=again):
            compare()


def test_it_is_shown_with_the_reason(study: Any) -> None:
    plain = read_study(study.paths)
    assert not any(column.title == "Excluded" for column in trials_table(plain).columns)
    append_exclusion(study.paths.trial(3), WHY)
    append_exclusion(study.paths.trial(4), "a broken node")
    left = read_study(study.paths)
    assert [row[3] for row in trials_table(left).rows] == ["", "", "", WHY, "a broken node"]
    assert "a broken node" in unfinished_table(left).rows[0]
    assert counts(left) == [("finished", 3), ("excluded", 2)]
    shares = shares_table(left)
    assert shares is not None
    assert [column.title for column in shares.columns][1:6] == ["Running", "Finished", "Failed", "Stopped", "Excluded"]
    facts = dict(trial_page(left, study.paths.trial(3)).facts)
    assert (facts["Excluded"], facts["On the frontier"]) == (WHY, "no")
    page = render(left)
    assert '<tr data-trials="0003" aria-selected="false" class="excluded">' in page
    assert '<tr data-trials="0002" aria-selected="false">' in page
    muted = re.findall(r'<tr[^>]* class="excluded">\s*<th scope="row">(\w+)', page)
    assert muted == ["0003", "0004", "0004"], "no trainable for the excluded trials that it counts"
    assert "&lt;b&gt;wrong&lt;/b&gt; images" in page
    assert '<span class="status excluded">2 excluded</span>' in page


def test_a_line_says_which_are_excluded_and_why(new_study: NewStudy) -> None:
    study = new_study()
    for number in range(9):
        study.finished(number, 0.9, 0.3)
    assert excluded_sentence(read_study(study.paths)) == ""
    for number in range(8):
        append_exclusion(study.paths.trial(number), "x" * 101 if number == 1 else WHY)
    told = f"Excluded: 0000, 0002, 0003, 0004, 0005, 0006 and 1 more ({WHY}); 0001 ({'x' * 100} ...)"
    assert excluded_sentence(read_study(study.paths)) == told


def test_that_all_are_excluded_is_why_there_is_no_frontier(study: Any) -> None:
    for number in range(4):
        append_exclusion(study.paths.trial(number), WHY)
    assert why_no_frontier(read_study(study.paths)) == "There is no frontier: of 4 finished trials 4 excluded."


def test_a_confirmation_is_of_the_seeds_that_are_left(new_confirmation: NewStudy) -> None:
    """A surface is of seeds that ran all configurations."""
    study = new_confirmation({0: [0.5, 0.6, 0.9], 1: [0.7, 0.7, 0.7]})
    append_exclusion(study.paths.trial(2), WHY)
    left = read_study(study.paths)
    table = confirmed(left)
    assert table["seeds"].tolist() == [2, 3]
    assert table["clean_accuracy"].tolist() == pytest.approx([0.55, 0.7], abs=1e-3)
    found = attainment(left, (CLEAN_ACCURACY, PGD_ACCURACY))
    assert found is not None
    assert found.runs == 2
