"""Time by the clock on the wall, as the folders know it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from analysis.layout import ATTEMPT, ENDED, EPOCH, append_event
from analysis.progress.elapsed import ran_seconds, ran_seconds_each, wall_time
from analysis.reading.runs import Study, read_study
from analysis.report.facts import facts
from analysis.tables.trial_page import trial_page


def ran(study: Any, number: int, begin: float, end: float | None = None) -> None:
    append_event(study.paths.trial(number), ATTEMPT, 1, time=begin)
    if end is not None:
        append_event(study.paths.trial(number), ENDED, 1, time=end, status="finished", metrics={})


def test_a_study_has_run_while_any_of_its_trials_did(new_study: Callable[..., Any]) -> None:
    study = new_study()
    assert math.isnan(ran_seconds(read(study), 5000.0))
    assert wall_time(read(study), 5000.0) == []
    ran(study, 0, 1000.0, 1060.0)
    ran(study, 1, 1010.0, 4610.0)
    assert ran_seconds(read(study), 5000.0) == 3610.0, "what ran side by side counts once"
    assert wall_time(read(study), 5000.0) == ["1 h 00 min of wall time without pauses"]
    ran(study, 2, 4880.0)
    ran(study, 3, 4998.0)
    assert wall_time(read(study), 5000.0) == ["1 h 02 min of wall time without pauses"]
    assert ran_seconds_each(read(study), 5000.0).tolist() == [60.0, 3600.0, 120.0, 2.0]
    assert ran_seconds(read(study)) == 3610.0, "a report that is read later counts what was heard of"
    lone = replace(read(study), trials=read(study).trials.assign(status="interrupted"))
    assert ran_seconds(lone, 5000.0) == 3610.0, "nothing runs without a driver"


def test_pauses_between_trials_and_between_the_attempts_of_one_do_not_count(new_study: Callable[..., Any]) -> None:
    study = new_study()
    ran(study, 0, 1000.0, 1060.0)
    ran(study, 1, 1050.0)
    append_event(study.paths.trial(1), EPOCH, 1, time=1070.0, epoch=1, metrics={})
    append_event(study.paths.trial(1), ATTEMPT, 2, time=90_000.0)
    append_event(study.paths.trial(1), ENDED, 2, time=90_005.0, status="finished", metrics={})
    ran(study, 2, 200_000.0, 200_025.0)
    assert ran_seconds(read(study)) == 70.0 + 5.0 + 25.0
    assert ("Used", "1 min 40 s of wall time without pauses") in facts(read(study))
    page = dict(trial_page(read(study), study.paths.trial(1)).facts)
    assert page["Took"] == "25 s", "of the trial alone, the time between its attempts left out"
    assert ran_seconds_each(read(study)).tolist() == [60.0, 25.0, 25.0]
    paused = ran_seconds(read(study), 300_000.0)
    append_event(study.paths.trial(1), ATTEMPT, 3, time=299_990.0)
    assert ran_seconds(read(study), 300_000.0) == paused + 10.0, "of a trial that runs only its newest attempt goes on"


def test_a_clock_that_is_behind_another_machines_takes_no_time_back(new_study: Callable[..., Any]) -> None:
    study = new_study()
    ran(study, 0, 1000.0)
    assert wall_time(read(study), 990.0) == ["0 s of wall time without pauses"]


def read(study: Any) -> Study:
    return read_study(study.paths)
