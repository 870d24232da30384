"""Time by the clock on the wall, as the folders know it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from analysis.elapsed import elapsed, wall_seconds
from analysis.layout import ATTEMPT, ENDED, append_event
from analysis.runs import Study, read_study


def ran(study: Any, number: int, begin: float, end: float | None = None) -> None:
    append_event(study.paths.trial(number), ATTEMPT, 1, time=begin)
    if end is not None:
        append_event(study.paths.trial(number), ENDED, 1, time=end, status="finished", metrics={})


def test_a_study_takes_from_its_first_trials_begin_to_now_or_to_its_last_end(new_study: Callable[..., Any]) -> None:
    study = new_study()
    assert math.isnan(wall_seconds(read(study), 5000.0))
    assert elapsed(read(study), 5000.0) == ""
    ran(study, 0, 1000.0, 1060.0)
    ran(study, 1, 1010.0, 4610.0)
    assert wall_seconds(read(study), 5000.0) == 3610.0
    assert elapsed(read(study), 5000.0) == "1 h 00 min of wall time"
    ran(study, 2, 4900.0)
    ran(study, 3, 4998.0)
    assert (
        elapsed(read(study), 5000.0)
        == "1 h 06 min of wall time; running trials began: 0002 1 min 40 s ago, 0003 2 s ago"
    )
    assert wall_seconds(read(study)) == 3610.0, "a report that is read later counts what has ended"
    lone = replace(read(study), trials=read(study).trials.assign(status="interrupted"))
    assert elapsed(lone, 5000.0) == "1 h 00 min of wall time", "nothing runs without a driver"


def test_a_clock_that_is_behind_another_machines_takes_no_time_back(new_study: Callable[..., Any]) -> None:
    study = new_study()
    ran(study, 0, 1000.0)
    assert elapsed(read(study), 990.0) == "0 s of wall time; running trials began: 0000 0 s ago"


def read(study: Any) -> Study:
    return read_study(study.paths)
