"""Simulated searches: time is conserved, families are what they say, and the comparison counts what it claims."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.frontier.pareto import hypervolume
from study.early_stopping.rungs import Rule
from study.simulation.baselines import SCHEDULERS, Nobody
from study.simulation.comparison import compare
from study.simulation.curves import Curve
from study.simulation.families import DIMENSIONS, DRAWN, REPORTED, TUNING, Family
from study.simulation.scenarios import RANDOM, Drawn, Recorded, Synthetic, proposals, scenarios
from study.simulation.simulator import BOTH, Outcome, Run, finished_by, simulate, teach
from trainables.config import UserError
from trainables.metrics import EVALUATION_IMAGES, GPU_MINUTES, PROBE_ACCURACY, TRAIN_FORWARD_EQUIVALENTS

CURVES = Path(__file__).parents[1] / "recorded" / "digits.jsonl"
FAMILIES = REPORTED | TUNING | DRAWN
MIDDLE = dict.fromkeys(DIMENSIONS, 0.5)
RULE = Rule(eta=2, rungs=2, minimum=4, finished=4, loss=0.2)
NOBODY = Nobody()


def search(name: str, judge: object = NOBODY, *, seed: int = 0, workers: int = 3, minutes: float = 100.0):
    scenario = Synthetic(FAMILIES[name])
    return simulate(proposals(scenario, RANDOM, seed), judge, workers=workers, minutes=minutes)


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 6), st.floats(20, 300), st.integers(0, 99), st.sampled_from(list(SCHEDULERS)))
def test_virtual_time_is_conserved(workers: int, minutes: float, seed: int, scheduler: str) -> None:
    """Every worker is busy all the time, with one trial at a time; equal GPU-minutes are equal for all schedulers."""
    judge = SCHEDULERS[scheduler](RULE)
    run = search("power_law", judge, seed=seed, workers=workers, minutes=minutes)
    assert run.minutes == pytest.approx(workers * minutes)
    moments = sorted({trial.began for trial in run.trials})
    for moment in moments:
        assert sum(trial.began <= moment < trial.ended for trial in run.trials) == workers
    for trial in run.trials:
        if trial.outcome is Outcome.FINISHED:
            assert trial.ended - trial.began == pytest.approx(trial.drawn.curve.metrics[GPU_MINUTES])
        if trial.outcome is Outcome.STOPPED:
            assert trial.ended - trial.began == pytest.approx(trial.drawn.curve.minutes(trial.epochs))
        if trial.outcome is Outcome.CUT:
            assert trial.ended == minutes


def test_who_stops_trials_begins_more_of_the_same() -> None:
    whole, halved = search("power_law"), search("power_law", SCHEDULERS["halving"](RULE))
    assert len(halved.trials) > len(whole.trials)
    assert [trial.drawn for trial in halved.trials[: len(whole.trials)]] == [trial.drawn for trial in whole.trials]
    assert whole.count(Outcome.STOPPED) == 0 < halved.count(Outcome.STOPPED)


def test_who_learned_from_an_earlier_study_stops_before_its_own_trials_have_finished() -> None:
    """And is what it is without: the trials of the other study are of no search."""
    scenario, patient = Synthetic(FAMILIES["power_law"]), Rule(eta=2, rungs=2, minimum=4, finished=30, loss=0.2)
    judge = SCHEDULERS["halving"](patient)
    teach(judge, (drawn.curve for drawn in itertools.islice(scenario.at_random(1), 30)))
    alone, taught = search("power_law", SCHEDULERS["halving"](patient)), search("power_law", judge)
    assert alone.count(Outcome.FINISHED) < 30
    assert alone.count(Outcome.STOPPED) == 0 < taught.count(Outcome.STOPPED)
    assert [trial.drawn for trial in taught.trials[: len(alone.trials)]] == [trial.drawn for trial in alone.trials]


def test_a_comparison_lets_every_search_learn_from_an_earlier_study_of_its_own() -> None:
    scenario, patient = Synthetic(FAMILIES["power_law"]), Rule(eta=2, rungs=2, minimum=4, finished=30, loss=0.2)
    few = {"schedulers": ("halving",), "seeds": 2, "workers": 2, "trials": 12, "rule": patient}
    alone, taught = compare([scenario], **few), compare([scenario], warm_start=30, **few)
    assert sum(taught.series[0].begun) > sum(alone.series[0].begun)
    assert (alone.to_json()["warm_start"], taught.to_json()["warm_start"]) == (0, 30)
    with pytest.raises(UserError, match="digits holds no trials of an earlier study"):
        compare(scenarios(str(CURVES)), warm_start=30, **few)


def test_a_recordings_trials_are_each_drawn_once_at_random() -> None:
    (scenario,) = scenarios(str(CURVES))
    run = simulate(proposals(scenario, RANDOM, 0), NOBODY, workers=2, minutes=1e6)
    assert sorted(trial.drawn.curve.id for trial in run.trials) == [f"tiny-digits/{number:04d}" for number in range(8)]
    assert run.count(Outcome.FINISHED) == 8
    assert run.minutes == pytest.approx(sum(trial.drawn.curve.metrics[GPU_MINUTES] for trial in run.trials))


@pytest.mark.parametrize(("source", "minutes"), [("late_rise", 60.0), (str(CURVES), 1.5)])
def test_a_sampler_learns_in_memory(source: str, minutes: float) -> None:
    (scenario,) = scenarios(source)

    def run() -> Run:
        judge = SCHEDULERS["halving"](RULE)
        return simulate(proposals(scenario, "tpe", 1), judge, workers=2, minutes=minutes)

    assert run() == run()
    assert run().minutes == pytest.approx(2 * minutes)


@pytest.mark.parametrize("family", FAMILIES.values(), ids=lambda family: family.name)
def test_a_family_is_a_family_of_learning_curves(family: Family) -> None:
    for seed in range(10):
        point = dict(zip(DIMENSIONS, np.random.default_rng(seed).uniform(size=len(DIMENSIONS)).tolist(), strict=True))
        curve, again = family.curve(point, seed), family.curve(point, seed)
        assert curve == again
        assert all(0 <= share <= 1 for share in (*family.end(point), curve.epochs[-1][PROBE_ACCURACY]))
        assert curve.total == curve.epochs[0][TRAIN_FORWARD_EQUIVALENTS] * len(curve.epochs)
        assert curve.metrics[EVALUATION_IMAGES] == 1000
    weak, strong = (family.end(MIDDLE | {"strength": strength}) for strength in (0.0, 1.0))
    assert (weak.clean > strong.clean) & (weak.pgd < strong.pgd), "strength spans the frontier"


def mean_probe(family: Family, share: float, **changes: float) -> float:
    curves = [family.curve(MIDDLE | changes, stream) for stream in range(40)]
    return float(np.mean([curve.epochs[round(share * len(curve.epochs)) - 1][PROBE_ACCURACY] for curve in curves]))


def test_slow_starters_win_where_curves_cross() -> None:
    family = REPORTED["crossing"]
    assert mean_probe(family, 0.25, pace=1.0) < mean_probe(family, 0.25, pace=0.0) - 0.05
    assert mean_probe(family, 1.0, pace=1.0) > mean_probe(family, 1.0, pace=0.0) + 0.05


def test_early_ranks_mislead_where_they_are_meant_to() -> None:
    family, best = REPORTED["misleading"], {"rate": 0.6, "weight": 0.4}
    bad = {"rate": 0.0, "weight": 1.0}
    assert mean_probe(family, 0.5, **best) < mean_probe(family, 0.5, **bad) - 0.05
    assert mean_probe(family, 1.0, **best) > mean_probe(family, 1.0, **bad) + 0.05


class Given:
    """Trials in a fixed order, none of them with noise."""

    def __init__(self, drawn: Sequence[Drawn]) -> None:
        self._drawn = iter(drawn)

    def ask(self, number: int) -> Drawn | None:
        return next(self._drawn, None)

    def tell(self, number: int, curve: Curve | None) -> None: ...


def test_a_tiny_search_by_hand() -> None:
    """Five that end, then one that stops at its rung: 12 epochs of 2 minutes, 5 to evaluate."""
    family = Family(name="plain", summary="", late=0.0, bias=0.0, images=(10**6, 10**6))
    rates = (0.6, 0.5, 0.4, 0.3, 0.2, 0.0)
    points = [{"strength": 0.5, "rate": rate, "weight": 0.4, "pace": 0, "length": 0} for rate in rates]
    drawn = [Drawn(family.curve(point, 0), family.end(point)) for point in points]
    judge = SCHEDULERS["halving"](Rule(eta=2, rungs=1, minimum=3, finished=5, loss=0.2))
    run = simulate(Given(drawn), judge, workers=1, minutes=1e6)
    each = drawn[0].curve.minutes(12) + 5
    assert [trial.outcome for trial in run.trials] == [*[Outcome.FINISHED] * 5, Outcome.STOPPED]
    assert [trial.epochs for trial in run.trials] == [*[12] * 5, 6]  # the rung lies at 2^20 / 2, above five epochs
    assert [trial.ended for trial in run.trials] == pytest.approx(
        [*(each * number for number in range(1, 6)), 5 * each + drawn[0].curve.minutes(6)]
    )
    assert [trial.drawn for trial in run.frontier()] == drawn[:1]
    assert len(finished_by(run, each)) == 1


def test_a_comparison_counts_what_it_claims() -> None:
    scenario = Synthetic(TUNING["tuning_plain"])
    found = compare([scenario], schedulers=("none", "halving"), seeds=3, workers=2, trials=12, rule=RULE)
    whole, halved = found.series
    minutes = found.minutes["tuning_plain"]
    for seed in range(3):
        judge = SCHEDULERS["halving"](RULE)
        run = simulate(proposals(scenario, RANDOM, seed), judge, workers=2, minutes=minutes[-1] / 2)
        truths = [drawn.truth for drawn in finished_by(run, minutes[-1] / 2)]
        assert halved.final[seed] == hypervolume(truths, BOTH, (0, 0))
        assert halved.begun[seed] == len(run.trials)
        lost = sum(trial.outcome is Outcome.STOPPED for trial in run.frontier())
        assert (halved.frontier_stopped[seed], halved.frontier[seed]) == (lost, len(run.frontier()))
    assert whole.frontier_stopped == (0, 0, 0)
    assert all(list(path) == sorted(path) for path in whole.hypervolume), "it never falls"


def test_half_of_a_recording_is_the_most_that_is_spent() -> None:
    (scenario,) = scenarios(str(CURVES))
    assert isinstance(scenario, Recorded)
    found = compare([scenario], schedulers=("none",), seeds=2, workers=1, trials=40)
    costs = [drawn.curve.metrics[GPU_MINUTES] for drawn in scenario.at_random(0)]
    assert found.minutes["digits"][-1] == pytest.approx(sum(costs) / 2)
