"""Halving by rank, against the published rule spelled out by hand."""

from __future__ import annotations

import pytest

from study.early_stopping.asha import Asha, ahead_in_all
from study.early_stopping.rungs import Point, Rule
from study.simulation.baselines import ahead_in

TOTAL = 1024.0
RULE = Rule(eta=2, rungs=1, minimum=1)
LAST = 512.0


def point(scores: tuple[float, ...], work: float = LAST) -> Point:
    return Point(epoch=1, work=work, scores=scores)


def stopped(asha: Asha, found: list[tuple[float, ...]]) -> list[int]:
    """Who ends of trials that reach the rung one after another."""
    return [number for number, one in enumerate(found) if asha.judge(number, TOTAL, LAST, point(one)).stop]


def test_on_one_accuracy_the_best_share_goes_on() -> None:
    clean = [(one, 1 - one) for one in (0.5, 0.4, 0.6, 0.7, 0.55, 0.65)]
    assert stopped(Asha(RULE, ahead_in(0)), clean) == [1, 4]


def test_on_both_both_ends_of_a_front_go_on() -> None:
    found = [(0.9, 0.1), (0.5, 0.05), (0.4, 0.02), (0.1, 0.9), (0.5, 0.5), (0.3, 0.3)]
    assert stopped(Asha(RULE), found) == [1, 2, 4, 5]


def test_ahead_are_earlier_fronts_then_what_lies_farther_apart() -> None:
    """Of the front's five, by distance: both ends, the middle one, then the two between, which lie alike."""
    front = [(1.0, 0.0), (0.75, 0.25), (0.5, 0.5), (0.25, 0.75), (0.0, 1.0)]
    places = [ahead_in_all([*front[:one], *front[one + 1 :], front[one]]) for one in range(5)]
    assert places == [0, 4, 2, 4, 1]  # of what lies alike, the earlier comes first
    beaten = (0.25, 0.25)
    assert ahead_in_all([*front, beaten]) == 5
    assert ahead_in_all([beaten, *front[1:], front[0]]) == 0


@pytest.mark.parametrize(("minimum", "ended"), [(1, [1, 2]), (3, [2]), (4, [])])
def test_until_a_rung_holds_enough_nobody_ends(minimum: int, ended: list[int]) -> None:
    falling = [(0.9, 0.9), (0.5, 0.5), (0.1, 0.1)]
    assert stopped(Asha(Rule(eta=2, rungs=1, minimum=minimum)), falling) == ended


def test_nobody_ends_by_the_last_report() -> None:
    asha = Asha(RULE)
    asha.judge(0, TOTAL, LAST, point((0.9, 0.9)))
    assert not asha.judge(1, TOTAL, LAST, point((0.1, 0.1), work=TOTAL)).stop
    assert asha.judge(2, TOTAL, LAST, point((0.1, 0.1))).stop


def test_who_is_ruled_out_stands_ahead_of_nobody() -> None:
    asha = Asha(RULE)
    asha.judge(0, TOTAL, LAST, point((0.9, 0.9)))
    asha.rule_out(0)
    decision = asha.judge(1, TOTAL, LAST, point((0.1, 0.1)))
    assert (decision.rank, decision.of, decision.stop) == (1, 1, False)
