"""Compares samplers and schedulers by simulation, at equal GPU-minutes and on equal seeds."""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Callable, Sequence
from dataclasses import asdict

from analysis.comparing.comparison import Comparison, Series
from analysis.frontier.pareto import hypervolume
from study.early_stopping.rungs import Rule
from study.simulation.baselines import SCHEDULERS, Judge
from study.simulation.scenarios import RANDOM, Scenario, proposals
from study.simulation.simulator import BOTH, Outcome, Run, finished_by, simulate, teach
from trainables.config import UserError
from trainables.metrics import GPU_MINUTES

MOMENTS = 40
"""Points of each hypervolume curve."""
_EARLIER = 10_000
"""Seeds of earlier studies begin there."""
_PILOT = 200
"""Random trials whose mean cost sets the time of a comparison."""


def compare(
    scenarios: Sequence[Scenario],
    *,
    samplers: Sequence[str] = (RANDOM,),
    schedulers: Sequence[str] = tuple(SCHEDULERS),
    seeds: int = 20,
    workers: int = 4,
    trials: float = 40,
    warm_start: int = 0,
    rule: Rule | None = None,
    progress: Callable[[str], None] = lambda _: None,
) -> Comparison:
    """Search every scenario with each sampler and scheduler, for the GPU-minutes that ``trials`` whole trials need.

    Of a recording at most half of its trials' minutes are spent, so that stopping early finds others to begin.
    Schedulers learn from ``warm_start`` random trials of an earlier study, others for every seed.
    Raises ``UserError`` for an unknown scheduler and for a recording with ``warm_start``, ``ConfigError`` for an
    unknown sampler.
    """
    for name in schedulers:
        if name not in SCHEDULERS:
            raise UserError(f"unknown scheduler {name!r}; choose from {', '.join(SCHEDULERS)}")
    recorded = [scenario.name for scenario in scenarios if scenario.pool is not None]
    if warm_start and recorded:
        raise UserError(f"{recorded[0]} holds no trials of an earlier study to learn from; compare synthetic or drawn")
    rule = rule or Rule()
    minutes = {scenario.name: _minutes(scenario, trials) for scenario in scenarios}
    series = []
    for scenario in scenarios:
        for sampler in samplers:
            for scheduler in schedulers:
                progress(f"{scenario.name}, {sampler}, {scheduler}")
                runs = [
                    simulate(
                        proposals(scenario, sampler, seed),
                        _taught(SCHEDULERS[scheduler](rule), scenario, seed, warm_start),
                        workers=workers,
                        minutes=minutes[scenario.name] / workers,
                    )
                    for seed in range(seeds)
                ]
                series.append(_series((scenario.name, sampler, scheduler), runs, minutes[scenario.name] / workers))
    moments = {name: tuple(total * step / MOMENTS for step in range(1, MOMENTS + 1)) for name, total in minutes.items()}
    return Comparison(workers=workers, warm_start=warm_start, minutes=moments, rule=asdict(rule), series=tuple(series))


def _taught(judge: Judge, scenario: Scenario, seed: int, trials: int) -> Judge:
    earlier = scenario.at_random(_EARLIER + seed)
    teach(judge, (drawn.curve for drawn in itertools.islice(earlier, trials)))
    return judge


def whole_trials(scenario: Scenario, trials: float) -> float:
    """So many trials' minutes each search may spend: of a recording at most half of what it holds."""
    return trials if scenario.pool is None else min(trials, scenario.pool / 2)


def _minutes(scenario: Scenario, trials: float) -> float:
    """GPU-minutes that so many trials need on average."""
    costs = [drawn.curve.metrics[GPU_MINUTES] for drawn in itertools.islice(scenario.at_random(0), _PILOT)]
    return statistics.fmean(costs) * whole_trials(scenario, trials)


def _series(key: tuple[str, str, str], runs: Sequence[Run], minutes: float) -> Series:
    scenario, sampler, scheduler = key
    frontiers = [run.frontier() for run in runs]
    return Series(
        scenario=scenario,
        sampler=sampler,
        scheduler=scheduler,
        hypervolume=tuple(_path(run, minutes) for run in runs),
        begun=tuple(len(run.trials) for run in runs),
        finished=tuple(run.count(Outcome.FINISHED) for run in runs),
        frontier=tuple(map(len, frontiers)),
        frontier_stopped=tuple(sum(one.outcome is Outcome.STOPPED for one in best) for best in frontiers),
    )


def _path(run: Run, minutes: float) -> tuple[float, ...]:
    found = [finished_by(run, minutes * step / MOMENTS) for step in range(1, MOMENTS + 1)]
    return tuple(hypervolume([drawn.truth for drawn in drawns], BOTH, (0.0, 0.0)) for drawns in found)
