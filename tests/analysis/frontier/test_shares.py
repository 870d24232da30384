"""What each trainable got and gave, against sums done by hand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from analysis.frontier.shares import equal_minutes, shares
from analysis.layout import ATTEMPT, ENDED, append_event
from analysis.progress.so_far import with_costs
from analysis.reading.runs import read_study
from analysis.report.page import render
from analysis.tables.shares import shares_table

OTHER = "pgd_emp_ssl"


def test_costs_counts_and_points_add_up(new_study: Callable) -> None:
    folder = new_study()
    folder.finished(0, 0.9, 0.3, work=4 * 10**6, gpu_minutes=4.0)
    folder.finished(1, 0.8, 0.4, work=4 * 10**6, gpu_minutes=4.0)
    folder.finished(2, 0.3, 0.8, work=10**6, gpu_minutes=5.0, trainable=OTHER)
    folder.finished(3, 0.2, 0.2, work=10**6, gpu_minutes=3.0, trainable=OTHER)
    append_event(folder.begin(4, {"m": 3}), ENDED, 1, status="failed", reason="out of memory")
    found = shares(read_study(folder.paths)).set_index("trainable")
    assert found.index.tolist() == ["cf_amc_ssl", OTHER]
    assert found["finished"].tolist() == [2, 2]
    assert found["failed"].tolist() == [1, 0]
    assert found["gpu_minutes"].tolist() == [8.0, 8.0]
    assert found["forward_equivalents"].tolist() == [8e6, 2e6]
    assert found["forward_equivalents_share"].tolist() == pytest.approx([0.8, 0.2])
    assert found["frontier"].tolist() == [2, 1]
    assert found["frontier_share"].tolist() == pytest.approx([2 / 3, 1 / 3])


def test_every_trial_is_counted_whatever_it_is_said_to_be(new_study: Callable) -> None:
    folder = new_study()
    folder.finished(0, 0.9, 0.3)
    folder.begin(1, {"m": 3})
    study = read_study(folder.paths)
    study = replace(study, trials=study.trials.assign(status=["finished", "interrupted"]))
    found = shares_table(study)
    assert found is not None
    assert [column.title for column in found.columns[1:6]] == [
        "Running",
        "Finished",
        "Failed",
        "Stopped",
        "Interrupted",
    ]
    assert found.rows[0][1:6] == ("0", "1", "0", "0", "1")


def test_a_confirmation_shares_no_frontier_of_single_trials(new_study: Callable) -> None:
    folder = new_study(confirms={"study": "tiny", "seeds": [1], "configurations": [{"trial": 3}]})
    folder.finished(0, 0.9, 0.3, params={"configuration": 3, "seed": 1})
    assert shares_table(read_study(folder.paths)) is None


def test_at_equal_minutes_late_luck_of_the_richer_does_not_count(new_study: Callable) -> None:
    folder = new_study()
    folder.finished(0, 0.5, 0.5, gpu_minutes=6.0)
    folder.finished(1, 0.4, 0.6, gpu_minutes=6.0, trainable=OTHER)
    folder.finished(2, 0.3, 0.4, gpu_minutes=4.0)
    folder.finished(3, 0.9, 0.9, gpu_minutes=6.0)
    study = read_study(folder.paths)
    assert equal_minutes(study) == 6.0
    found = shares(study).set_index("trainable")
    assert found["frontier"].tolist() == [1, 0]
    assert found["frontier_at_equal_minutes"].tolist() == [1, 1]
    assert found["frontier_at_equal_minutes_share"].tolist() == [0.5, 0.5]


def test_the_first_minutes_are_those_of_the_trials_that_began_first(new_study: Callable) -> None:
    folder = new_study()
    folder.finished(1, 0.5, 0.5, gpu_minutes=6.0)
    folder.finished(0, 0.9, 0.9, gpu_minutes=6.0)
    folder.finished(2, 0.4, 0.6, gpu_minutes=6.0, trainable=OTHER)
    assert shares(read_study(folder.paths))["frontier_at_equal_minutes"].tolist() == [1, 1]


def test_each_figure_stands_under_its_heading(new_study: Callable) -> None:
    folder = new_study()
    folder.finished(0, 0.5, 0.5, work=3 * 10**6, gpu_minutes=6.0)
    folder.finished(1, 0.4, 0.6, work=10**6, gpu_minutes=6.0, trainable=OTHER)
    folder.finished(2, 0.9, 0.9, work=4 * 10**6, gpu_minutes=12.0)
    table = shares_table(read_study(folder.paths))
    assert table is not None
    assert table.caption.endswith("; at equal GPU-minutes: of the first 6 of each")
    titles = [column.title for column in table.columns]
    assert [title for title in titles if title != "of all, %"][-4:] == [
        *("GPU-minutes", "Forward-equivalents", "On the frontier", "On the frontier, at equal GPU-minutes"),
    ]
    first = titles.index("GPU-minutes")
    assert [row[first:] for row in table.rows] == [
        ("18", "75.0", "7 M", "87.5", "1", "100.0", "1", "50.0"),
        ("6", "25.0", "1 M", "12.5", "0", "0.0", "1", "50.0"),
    ]


def test_trials_that_run_or_fell_over_are_paid_for_to_their_newest_epoch(new_study: Callable) -> None:
    folder = new_study()
    folder.epochs(folder.begin(0, {"m": 3}), 2)
    folder.failed(1)
    folder.begin(2, {"m": 3})
    costs = with_costs(read_study(folder.paths))
    assert costs["gpu_minutes"].tolist() == pytest.approx([4 / 60, 2 / 60, 0.0])
    assert costs["forward_equivalents"].tolist() == [2000.0, 1000.0, 0.0]


def test_trials_that_did_not_finish_are_paid_for(new_study: Callable) -> None:
    folder = new_study()
    folder.finished(0, 0.5, 0.5, gpu_minutes=6.0)
    trial = folder.begin(1, {"m": 3}, OTHER)
    trained = {"train/seconds": 120.0, "train/forward_equivalents": 5e5}
    append_event(trial, ENDED, 1, status="stopped", reason="early", metrics=trained)
    found = shares(read_study(folder.paths)).set_index("trainable")
    assert found.loc[OTHER, "gpu_minutes"] == 2.0
    assert found.loc[OTHER, "forward_equivalents"] == 5e5
    assert found["frontier_at_equal_minutes"].tolist() == [0, 0], "the first trial alone costs more than 2 minutes"


@pytest.mark.parametrize(("share", "minutes"), [(0.25, 0.5), (None, 2.0)])
def test_a_stopped_trial_is_paid_by_the_share_that_it_held_last(
    new_study: Callable, share: float | None, minutes: float
) -> None:
    folder = new_study()
    trial = folder.begin(0, {"m": 3}, OTHER)
    append_event(trial, ATTEMPT, 2, gpu_share=share)
    append_event(trial, ENDED, 2, status="stopped", reason="early", metrics={"train/seconds": 120.0})
    assert shares(read_study(folder.paths)).set_index("trainable").loc[OTHER, "gpu_minutes"] == minutes


def test_a_trainable_without_trials_has_its_row(new_study: Callable) -> None:
    folder = new_study()
    folder.finished(0, 0.5, 0.5, gpu_minutes=6.0)
    found = shares(read_study(folder.paths)).set_index("trainable")
    assert found.loc[OTHER, ["finished", "gpu_minutes", "frontier", "frontier_at_equal_minutes"]].tolist() == [0] * 4
    assert found.loc["cf_amc_ssl", "frontier_at_equal_minutes"] == 1


def test_a_study_that_has_only_begun_is_readable(new_study: Callable) -> None:
    table = shares_table(read_study(new_study().paths))
    assert table is not None
    assert [row[0] for row in table.rows] == ["cf_amc_ssl", OTHER]
    assert "NaN" not in table.markdown()
    assert "nan" not in table.markdown()


def test_shares_are_in_the_report_of_several_trainables_alone(new_study: Callable) -> None:
    both, one = new_study("both"), new_study("one", trainables=["cf_amc_ssl"])
    for folder in (both, one):
        folder.finished(0, 0.5, 0.5, gpu_minutes=6.0)
    assert "Trainables of both: what each got" in render(read_study(both.paths))
    assert "h-shares" not in render(read_study(one.paths))
    assert shares_table(read_study(one.paths)) is None
