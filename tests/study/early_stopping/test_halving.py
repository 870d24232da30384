"""The rule itself: brackets, rungs, who is judged, who is spared."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.frontier.pareto import non_dominated
from study.early_stopping.halving import Halving
from study.early_stopping.rungs import Bracket, Point, Rule

RULE = Rule(eta=2, rungs=2, spread=2, minimum=4, best=0.5, finished=6, loss=0.1)
OWN = (0, 1)
TOTAL = 1024.0
LAST = 512.0

share = st.integers(0, 100).map(lambda count: count / 100)
figures = st.lists(st.tuples(share, share), min_size=1, max_size=25)


def point(scores, work=LAST, epoch=1) -> Point:
    return Point(epoch=epoch, work=work, scores=tuple(scores))


def taught(rule=RULE, own=OWN, noise=0.01) -> Halving:
    """Knows from trials of a shorter schedule, all of them poor, that accuracies end about where the rungs see them."""
    halving, random = Halving(rule, own), np.random.default_rng(0)
    for number in range(-20, 0):
        early = random.uniform(0.02, 0.1, 2)
        for rung in Bracket.of(TOTAL / 8, rule).rungs:
            halving.record(number, TOTAL / 8, rung, point(early, work=rung))
        halving.finish(number, TOTAL / 8, tuple((early + random.normal(0, noise, 2))[list(own)]))
    return halving


def judged(scores, rule=RULE):
    """Decisions on trials that reach the last rung one after another, after the twenty that taught."""
    halving = taught(rule)
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
    halving = Halving(RULE, OWN)
    for number in range(10):
        halving.judge(number, TOTAL, LAST, point((0.9, 0.5)))
    longer = halving.judge(10, 4 * TOTAL, 4 * LAST, point((0.1, 0.0), work=4 * LAST))
    assert (longer.of, longer.stop) == (1, False)


def test_a_trial_is_measured_by_its_first_report_at_the_rung():
    halving = Halving(RULE, OWN)
    reports = [point((0.1, 0.1), 200, 1), point((0.2, 0.1), 400, 2), point((0.3, 0.1), 600, 3)]
    assert [(rung, found.epoch) for rung, found in halving.due(0, TOTAL, reports)] == [(256.0, 2), (512.0, 3)]


def test_epochs_that_overshoot_a_rung_leave_no_record_there():
    assert Halving(RULE, OWN).due(0, TOTAL, [point((0.1, 0.1), 512, 1)]) == [(512.0, point((0.1, 0.1), 512, 1))]
    assert Halving(RULE, OWN).due(0, TOTAL, [point((0.1, 0.1), 1024, 1)]) == []


def test_a_rung_asks_a_trial_once():
    halving = Halving(RULE, OWN)
    ((rung, found),) = halving.due(0, TOTAL, [point((0.1, 0.1), 300)])
    halving.judge(0, TOTAL, rung, found)
    assert halving.due(0, TOTAL, [point((0.1, 0.1), 300)]) == []


def test_a_trial_that_was_given_up_and_still_reports_is_not_asked():
    halving = taught()
    halving.rule_out(0)
    assert halving.due(0, TOTAL, [point((0.1, 0.1), LAST)]) == []


def test_a_trial_that_was_excluded_is_as_if_it_had_not_run():
    """The best of a rung counts no more: who was hopeless beside it is the best of those that are left."""
    scores = [(0.9, 0.9), (0.3, 0.2), (0.29, 0.19), (0.28, 0.18), (0.27, 0.17)]
    halving, decisions = judged(scores)
    halving.finish(0, TOTAL, (0.9, 0.9))
    assert (decisions[-1].of, decisions[-1].stop) == (5, True)
    before = halving.judge(1, TOTAL, LAST, point(scores[1]))
    assert before.rank == 2
    halving.exclude([0])
    assert 0 not in halving.finals
    assert halving.due(0, TOTAL, [point((0.9, 0.9), LAST / 2)]) == []
    found = halving.judge(1, TOTAL, LAST, point(scores[1]))
    assert (found.rank, found.of) == (1, 4)
    assert found.chance > max(0.5, before.chance)
    halving.exclude([])
    assert halving.judge(1, TOTAL, LAST, point(scores[1])) == before


def test_from_excluded_trials_nothing_is_foretold():
    halving = taught()
    assert halving.judge(0, TOTAL, LAST, point((0.5, 0.5))).chance is not None
    halving.exclude(range(-20, 0))
    assert halving.judge(0, TOTAL, LAST, point((0.5, 0.5))).chance is None


@pytest.mark.parametrize("scores", [(math.nan, 0.2), (0.2, math.nan), (math.inf, 0.1)])
def test_a_probe_that_is_no_number_is_neither_compared_nor_stopped(scores):
    halving = Halving(RULE, OWN)
    assert halving.due(0, TOTAL, [point(scores, 300)]) == []


def test_what_is_hopeless_is_stopped():
    _, decisions = judged([(0.6, 0.3), (0.6, 0.3), (0.5, 0.4), (0.3, 0.1), (0.31, 0.29), (0.599, 0.299), (0.1, 0.1)])
    assert [decision.stop for decision in decisions] == [False, False, False, True, True, False, True]
    assert (decisions[3].rank, decisions[3].of) == (4, 4)
    assert decisions[3].chance == 0.0
    assert decisions[5].chance > 0.05, "the difference is smaller than what rungs tell"
    assert (decisions[5].rank, decisions[5].of) == (4, 6)


@pytest.mark.parametrize(("best", "stops"), [(0.2, True), (0.9, False)])
def test_among_the_best_share_a_hopeless_one_goes_on(best, stops):
    halving = taught(replace(RULE, best=best))
    for number in range(4):
        halving.judge(number, TOTAL, LAST, point((0.9, 0.5)))
    decision = halving.judge(4, TOTAL, LAST, point((0.3, 0.2)))
    assert decision.chance < 0.01
    assert decision.stop is stops


def test_until_enough_have_finished_nothing_is_foretold():
    halving = Halving(RULE, OWN)
    for number in range(6):
        decision = halving.judge(number, TOTAL, LAST, point((0.6 - number / 10, 0.3 - number / 20)))
        assert (decision.chance, decision.stop) == (None, False)
        halving.finish(number, TOTAL, (0.6 - number / 10, 0.3 - number / 20))
    assert halving.judge(6, TOTAL, LAST, point((0.0, 0.0))).chance is not None


def test_a_finished_trial_without_a_figure_teaches_nothing():
    halving = Halving(RULE, OWN)
    halving.finish(0, TOTAL, (0.5, math.nan))
    assert halving.finals == {}


def test_where_early_accuracies_foretell_nothing_nobody_is_stopped():
    scores = [(0.6, 0.3), (0.6, 0.3), (0.5, 0.2), (0.4, 0.1)]
    assert [decision.stop for decision in judged(scores)[1]] == [False, False, False, True]
    halving = taught(noise=0.5)
    assert not any(halving.judge(number, TOTAL, LAST, point(found)).stop for number, found in enumerate(scores))


def test_what_shorter_schedules_reached_counts_and_what_longer_ones_reached_does_not():
    for factor, stops in ((0.25, True), (4.0, False)):
        halving = taught()
        halving.finish(99, TOTAL * factor, (0.9, 0.9))
        halving.judge(0, TOTAL, LAST, point((0.60, 0.30)))
        decision = halving.judge(1, TOTAL, LAST, point((0.55, 0.29)))
        assert (decision.chance < 0.01) is stops


def test_two_objectives_may_share_an_early_accuracy():
    """PGD and AutoAttack are both foretold by the probe under PGD."""
    halving = taught(own=(0, 1, 1))
    found = [(0.6, 0.3)] * 3 + [(0.3, 0.1)]
    assert [halving.judge(n, TOTAL, LAST, point(one)).stop for n, one in enumerate(found)] == [*[False] * 3, True]


def test_nobody_is_stopped_at_his_last_report():
    halving = taught()
    for number in range(8):
        halving.judge(number, TOTAL, LAST, point((0.9, 0.5)))
    assert not halving.judge(8, TOTAL, LAST, point((0.1, 0.0), work=TOTAL)).stop
    assert halving.judge(9, TOTAL, LAST, point((0.1, 0.0), work=LAST)).stop


@settings(deadline=None, max_examples=30)
@given(figures, st.floats(0, 1), st.integers(2, 6), st.floats(1.2, 5))
def test_members_of_a_rungs_frontier_are_never_stopped(scores, loss, minimum, eta):
    rule = Rule(eta=eta, rungs=1, minimum=minimum, best=0.0, finished=6, loss=loss)
    halving = taught(rule)
    (rung,) = Bracket.of(TOTAL, rule).rungs
    for number, found in enumerate(scores):
        decision = halving.judge(number, TOTAL, rung, point(found, work=rung))
        records = [other for key in halving.records.values() for other in key.values()]
        if non_dominated(records, ("maximize", "maximize"))[records.index(tuple(found))]:
            assert not decision.stop


@settings(deadline=None, max_examples=30)
@given(figures)
def test_the_best_share_goes_on(scores):
    _, decisions = judged(scores)
    assert all(decision.rank > math.ceil(decision.of * RULE.best) for decision in decisions if decision.stop)


@settings(deadline=None, max_examples=30)
@given(figures, st.randoms())
def test_the_order_of_arrival_does_not_change_the_records(scores, random):
    order = list(range(len(scores)))
    random.shuffle(order)
    first, _ = judged(scores)
    other = taught()
    for number in order:
        other.judge(number, TOTAL, LAST, point(scores[number]))
    assert first.records == other.records


@settings(deadline=None, max_examples=30)
@given(figures, st.tuples(share, share), st.randoms())
def test_a_decision_depends_on_the_records_alone(scores, last, random):
    order = list(range(len(scores)))
    random.shuffle(order)
    first, _ = judged(scores)
    other = taught()
    for number in order:
        other.record(number, TOTAL, LAST, point(scores[number]))
    last_one = point(last)
    assert first.judge(99, TOTAL, LAST, last_one) == other.judge(99, TOTAL, LAST, last_one)
