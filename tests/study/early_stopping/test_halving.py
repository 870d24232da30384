"""The rule itself: brackets, rungs, who is judged, who is spared."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.pareto import non_dominated
from study.early_stopping.halving import Bracket, Halving, Point, Rule

RULE = Rule(eta=2, rungs=2, spread=2, minimum=4, errors=1)
IMAGES = (500, 200)
TOTAL = 1024.0
LAST = 512.0

share = st.integers(0, 100).map(lambda count: count / 100)
figures = st.lists(st.tuples(share, share), min_size=1, max_size=25)


def point(scores, work=LAST, epoch=1) -> Point:
    return Point(epoch=epoch, work=work, scores=tuple(scores))


def judged(scores, rule=RULE):
    """Decisions on trials that reach the last rung one after another."""
    halving = Halving(rule, IMAGES)
    return halving, [halving.judge(number, TOTAL, LAST, point(found)) for number, found in enumerate(scores)]


@given(st.floats(1, 1e12), st.floats(1.1, 4), st.floats(1.1, 4), st.integers(1, 4))
def test_every_member_of_a_bracket_reaches_all_its_rungs(total, eta, spread, rungs):
    bracket = Bracket.of(total, Rule(eta=eta, rungs=rungs, spread=spread))
    assert bracket.lower <= total * (1 + 1e-6)
    assert total <= bracket.lower * spread * (1 + 1e-6)
    assert len(bracket.rungs) == rungs
    assert list(bracket.rungs) == sorted(bracket.rungs)
    assert bracket.rungs[-1] == pytest.approx(bracket.lower / eta)


def test_trials_of_unlike_schedules_are_not_compared():
    halving = Halving(RULE, IMAGES)
    for number in range(10):
        halving.judge(number, TOTAL, LAST, point((0.9, 0.5)))
    longer = halving.judge(10, 4 * TOTAL, 4 * LAST, point((0.1, 0.0), work=4 * LAST))
    assert (longer.of, longer.stop) == (1, False)


def test_a_trial_is_measured_by_its_first_report_at_the_rung():
    halving = Halving(RULE, IMAGES)
    reports = [point((0.1, 0.1), 200, 1), point((0.2, 0.1), 400, 2), point((0.3, 0.1), 600, 3)]
    assert [(rung, found.epoch) for rung, found in halving.due(0, TOTAL, reports)] == [(256.0, 2), (512.0, 3)]


def test_epochs_that_overshoot_a_rung_leave_no_record_there():
    assert Halving(RULE, IMAGES).due(0, TOTAL, [point((0.1, 0.1), 512, 1)]) == [(512.0, point((0.1, 0.1), 512, 1))]
    assert Halving(RULE, IMAGES).due(0, TOTAL, [point((0.1, 0.1), 1024, 1)]) == []


def test_a_rung_asks_a_trial_once():
    halving = Halving(RULE, IMAGES)
    ((rung, found),) = halving.due(0, TOTAL, [point((0.1, 0.1), 300)])
    halving.judge(0, TOTAL, rung, found)
    assert halving.due(0, TOTAL, [point((0.1, 0.1), 300)]) == []


@pytest.mark.parametrize("scores", [(math.nan, 0.2), (0.2, math.nan), (math.inf, 0.1)])
def test_a_probe_that_is_no_number_is_neither_compared_nor_stopped(scores):
    halving = Halving(RULE, IMAGES)
    assert halving.due(0, TOTAL, [point(scores, 300)]) == []


def test_what_is_beaten_everywhere_is_stopped_once_there_are_enough():
    _, decisions = judged([(0.6, 0.3), (0.6, 0.3), (0.3, 0.1), (0.2, 0.05), (0.1, 0.0)])
    assert [decision.stop for decision in decisions] == [False, False, False, True, True]
    assert (decisions[-1].rank, decisions[-1].of) == (5, 5)


def test_nobody_is_stopped_at_his_last_report():
    halving = Halving(RULE, IMAGES)
    for number in range(8):
        halving.judge(number, TOTAL, LAST, point((0.9, 0.5)))
    assert not halving.judge(8, LAST + 512, LAST, point((0.1, 0.0), work=TOTAL)).stop


def test_a_lead_that_stops_at_the_last_rung_does_not_at_an_earlier_one():
    for rung, stops in ((512.0, True), (256.0, False)):
        halving = Halving(RULE, IMAGES)
        for number in range(6):
            halving.judge(number, TOTAL, rung, point((0.60, 0.30), work=rung))
        assert halving.judge(6, TOTAL, rung, point((0.55, 0.25), work=rung)).stop is stops


@given(figures, st.floats(0, 3), st.integers(2, 6), st.floats(1.2, 5))
def test_members_of_a_rungs_frontier_are_never_stopped(scores, errors, minimum, eta):
    halving = Halving(Rule(eta=eta, rungs=1, minimum=minimum, errors=errors), IMAGES)
    rung = Bracket.of(TOTAL, Rule(eta=eta, rungs=1)).rungs[0]
    for number, found in enumerate(scores):
        decision = halving.judge(number, TOTAL, rung, point(found, work=rung))
        if non_dominated(scores[: number + 1], ("maximize", "maximize"))[number]:
            assert not decision.stop


@given(figures)
def test_the_best_share_goes_on(scores):
    _, decisions = judged(scores)
    assert all(decision.rank > math.ceil(decision.of / RULE.eta) for decision in decisions if decision.stop)


@given(figures, st.randoms())
def test_the_order_of_arrival_does_not_change_the_records(scores, random):
    order = list(range(len(scores)))
    random.shuffle(order)
    first, _ = judged(scores)
    other = Halving(RULE, IMAGES)
    for number in order:
        other.judge(number, TOTAL, LAST, point(scores[number]))
    assert first.records == other.records


@given(figures, st.tuples(share, share), st.randoms())
def test_a_decision_depends_on_the_records_alone(scores, last, random):
    order = list(range(len(scores)))
    random.shuffle(order)
    first, _ = judged(scores)
    other = Halving(RULE, IMAGES)
    for number in order:
        other.record(number, TOTAL, LAST, point(scores[number]))
    last_one = point(last)
    assert first.judge(99, TOTAL, LAST, last_one) == other.judge(99, TOTAL, LAST, last_one)
