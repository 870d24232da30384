"""Why trials ended early, in lines."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from analysis.layout import ATTEMPT, append_event
from analysis.progress.endings import endings, tried_again
from analysis.reading.runs import read_study
from study.early_stopping.rungs import Decision
from study.early_stopping.scheduler import _reason

NewStudy = Callable[..., Any]


def test_what_ended_early_is_told_by_its_reason(new_study: NewStudy) -> None:
    study = new_study()
    study.finished(0, 0.9, 0.5)
    rules = [
        _reason("halving", Decision(rung=rung, epoch=1, rank=9, of=12, chance=0.01, stop=True)) for rung in (1000, 2000)
    ]
    for number, reason in enumerate(
        ["by hand", rules[0], "by hand", "the time limit of 5 minutes is reached", rules[1]]
    ):
        study.failed(number + 1, reason=reason, status="stopped")
    study.failed(6, reason="ValueError: m: rank is 3")
    study.failed(7, reason="")
    asha = Decision(rung=1000, epoch=1, rank=9, of=12, chance=None, stop=True)
    study.failed(9, reason=_reason("asha", asha), status="stopped")
    study.begin(8, {})
    assert [ending.line() for ending in endings(read_study(study.paths))] == [
        "stopped, by hand: 0001, 0003",
        "stopped, halving: 0002, 0005",
        "stopped, the time limit of 5 minutes is reached: 0004",
        "failed, ValueError: m: rank is 3: 0006",
        "failed, no reason recorded: 0007",
        "stopped, asha: 0009",
    ]


def test_many_of_one_reason_are_counted(new_study: NewStudy) -> None:
    study = new_study()
    for number in range(14):
        study.failed(number, reason="by hand", status="stopped")
    (ending,) = endings(read_study(study.paths))
    assert ending.line().endswith(", 0011 and 2 more")
    assert ending.trials == list(range(14))


def test_what_was_begun_more_than_once_is_counted(new_study: NewStudy) -> None:
    study = new_study()
    study.finished(0, 0.9, 0.5)
    for attempt in (2, 3):
        append_event(study.begin(1, {}), ATTEMPT, attempt)
    assert tried_again(read_study(study.paths)) == {1: 3}
