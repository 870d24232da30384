"""Optuna's samplers, real ones, on the conditional spaces of studies of several trainables."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from typing import Any, get_args

import optuna
import pytest
from optuna.distributions import CategoricalDistribution
from optuna.trial import FrozenTrial, TrialState, create_trial

from search_spaces.space import SearchSpace
from study.config import StudyConfig
from study.samplers.by_name import NUMBERS, SamplerName, make_sampler
from study.samplers.points import grid_points, least_spent
from trainables.config import ConfigError, TrialConfig

Tiny = Callable[..., StudyConfig]
BOTH = ["cf_amc_ssl", "robust_simclr"]
SPACE = {"unlisted": "fixed", "learning_rate": {"low": 0.01, "high": 1.0, "log": True}, "m": [1, 2, 3, 4]}
GRID = {"unlisted": "fixed", "learning_rate": [0.1, 0.2, 0.3], "m": {"low": 1, "high": 3}}


def study_of(sampler: str, space: SearchSpace, objectives: int, seed: int = 0) -> optuna.Study:
    directions: list[Any] = ["maximize", "maximize", "minimize"][:objectives]
    return optuna.create_study(directions=directions, sampler=make_sampler(sampler, seed, 0, space))


def draw(study: optuna.Study, space: SearchSpace) -> tuple[optuna.Trial, TrialConfig]:
    trial = study.ask()
    config = space.suggest(trial)
    trial.set_user_attr("trainable", config.trainable)
    return trial, config


def end(study: optuna.Study, trial: optuna.Trial, values: list[float], minutes: float = 1.0) -> None:
    trial.set_user_attr("status", "finished")
    trial.set_user_attr("metrics", {"gpu_minutes": minutes})
    study.tell(trial, values)


@pytest.mark.slow
def test_gaussian_processes_learn_each_trainable_apart(tiny: Tiny) -> None:
    """Three objectives, a dimension that one trainable lacks, and an optimum that differs between the trainables."""
    space = tiny(trainables=BOTH, space=SPACE).search_space()
    study = study_of("gp", space, objectives=3)
    best = {"cf_amc_ssl": 0.02, "robust_simclr": 0.5}
    distances: dict[str, list[float]] = {name: [] for name in BOTH}
    for number in range(28):
        trial, config = draw(study, space)
        assert space.config(trial.params) == config
        distance = abs(math.log(config.optimiser.learning_rate / best[config.trainable]))
        distances[config.trainable].append(distance)
        if number % 3:  # not every trial has measured what is constrained
            trial.set_constraint("peak_memory_gib", distance - 3)
        end(study, trial, [-distance, -(distance**2), distance])
    for name in BOTH:
        assert len(distances[name]) == 14
        assert max(distances[name][-3:]) < 0.5 * sum(distances[name][:10]) / 10


def test_qmc_goes_on_where_its_sequences_stood(tiny: Tiny) -> None:
    space = tiny(trainables=BOTH, space=SPACE).search_space()

    def points(drivers: list[int]) -> list[dict[str, Any]]:
        study = study_of("qmc", space, objectives=2)
        for trials in drivers:
            study.sampler = make_sampler("qmc", 0, len(study.trials), space)
            for _ in range(trials):
                end(study, draw(study, space)[0], [0.5, 0.5])
        return [trial.params for trial in study.trials]

    whole = points([16])
    assert points([3, 8, 5]) == whole
    rates = sorted(params["learning_rate"] for params in whole if params["trainable"] == "cf_amc_ssl")
    assert len(rates) == 8
    eighths = [math.floor(8 * math.log(rate / 0.01) / math.log(100)) for rate in rates]
    assert eighths == list(range(8)), "a low-discrepancy sequence puts one of eight points into each eighth"


def test_a_grid_is_drawn_once_and_whole(tiny: Tiny) -> None:
    space = tiny(trainables=BOTH, space=GRID).search_space()
    study = study_of("grid", space, objectives=2)
    for index in range(12):
        trial, _ = draw(study, space)
        if index % 4:
            end(study, trial, [0.5, 0.5])
        elif index % 8:
            study.tell(trial, state=TrialState.FAIL)
    drawn = {tuple(sorted(trial.params.items())) for trial in study.trials}
    assert len(drawn) == space.size == 3 * 3 + 3


def test_a_trial_without_parameters_does_not_stop_a_grid(tiny: Tiny) -> None:
    space = tiny(trainables=BOTH, space=GRID).search_space()
    study = study_of("grid", space, objectives=2)
    study.add_trial(create_trial(state=TrialState.FAIL))
    study.tell(study.ask(fixed_distributions={"trainable": CategoricalDistribution(BOTH)}), state=TrialState.FAIL)
    assert space.config(draw(study, space)[0].params)


@pytest.mark.parametrize("sampler", ["gp", "qmc", "grid", "tpe", "nsga2", "nsga3", "random"])
def test_equal_seeds_draw_alike_and_others_do_not(tiny: Tiny, sampler: str) -> None:
    space = tiny(trainables=BOTH, space=GRID | {"m": list(range(1, 13))}).search_space()

    def points(seed: int) -> list[dict[str, Any]]:
        study = study_of(sampler, space, objectives=2, seed=seed)
        for _ in range(6):
            end(study, draw(study, space)[0], [0.5, 0.5])
        return [trial.params for trial in study.trials]

    assert points(3) == points(3) != points(4)


def test_a_grid_of_a_continuous_range_is_refused(tiny: Tiny) -> None:
    with pytest.raises(ConfigError, match=r"learning_rate is a continuous range.*give it a step or a list"):
        make_sampler("grid", 0, 0, tiny(space=SPACE).search_space())


def test_an_unknown_sampler_is_refused(tiny: Tiny) -> None:
    with pytest.raises(ConfigError, match="sampler is 'cmaes'; choose one of tpe, nsga2"):
        make_sampler("cmaes", 0, 0, tiny().search_space())


def _ended(trainable: str, minutes: float, status: str = "finished") -> FrozenTrial:
    attributes = {"trainable": trainable, "status": status, "metrics": {"gpu_minutes": minutes}}
    return create_trial(state=TrialState.FAIL, user_attrs=attributes)


def test_the_trainable_that_cost_least_comes_next() -> None:
    trials = [_ended("a", 5.0), _ended("b", 3.0), _ended("b", 1.0)]
    assert least_spent(["a", "b"], trials) == "b"
    assert least_spent(["a", "b"], [*trials, _ended("b", 1.5)]) == "a"
    assert least_spent(["a", "b"], []) == "a"


def test_trials_that_run_count_before_they_end() -> None:
    running = create_trial(state=TrialState.RUNNING, user_attrs={"trainable": "a"})
    assert least_spent(["a", "b"], [running]) == "b"
    assert least_spent(["a", "b"], [_ended("a", 5.0), _ended("b", 3.0), running]) == "b"


def test_a_trainable_that_fails_at_once_is_not_drawn_for_ever() -> None:
    trials = [_ended("a", 5.0)]
    drawn: Counter[str] = Counter()
    for _ in range(20):
        chosen = least_spent(["a", "b"], trials)
        drawn[chosen] += 1
        trials.append(_ended(chosen, 5.0) if chosen == "a" else _ended("b", 0.01, "failed"))
    assert drawn == {"a": 10, "b": 10}


LONGER = {"optimiser.epochs": 2}
MIXED = {
    "unlisted": "fixed",
    "learning_rate": {"low": 0.25, "high": 0.75, "step": 0.25},
    "network.architecture": ["resnet18", "resnet34"],
    "optimiser.nesterov": [True, False],
    "views.strength_period": [1, None],
}


@pytest.mark.parametrize("sampler", get_args(SamplerName))
def test_text_truth_and_null_are_drawn_as_numbers_are(sampler: str, tiny: Tiny) -> None:
    """Of trainables of which one alone searches a text, by two drivers."""
    own = {"cf_amc_ssl": {"views.augmentation": ["emp_ssl", "none"]}}
    space = tiny(trainables=BOTH, space=MIXED | own, settings=LONGER).search_space()
    study, seen = study_of(sampler, space, objectives=2, seed=4), set()
    for trials in (8, 8):
        study.sampler = make_sampler(sampler, 4, len(study.trials), space)
        for _ in range(trials):
            trial, drawn = draw(study, space)
            assert space.config(trial.params) == drawn
            assert space.params(drawn) == trial.params
            seen |= {(name, value) for name, value in trial.params.items() if not isinstance(value, float)}
            end(study, trial, [float(drawn.optimiser.nesterov), len(drawn.views.augmentation) / 10])
    architectures = {("network.architecture", name) for name in ("resnet18", "resnet34")}
    assert architectures | {("optimiser.nesterov", True), ("optimiser.nesterov", False)} < seen
    assert {("views.strength_period", None), ("views.strength_period", 1)} < seen
    assert {value for name, value in seen if name == "views.augmentation"} <= {"emp_ssl", "none"}
    assert "views.augmentation" in {name for name, _ in seen}


def test_a_grid_of_texts_ends(tiny: Tiny) -> None:
    texts = {name: choice for name, choice in MIXED.items() if name != "learning_rate"}
    space = tiny(space=texts, settings=LONGER).search_space()
    assert space.size == 8
    study = study_of("grid", space, objectives=2)
    drawn = [end(study, trial, [0.5, 0.5]) or config for trial, config in (draw(study, space) for _ in range(8))]
    assert len({(config.network, config.views, config.optimiser.nesterov) for config in drawn}) == 8
    assert grid_points(space, study.get_trials()) == 8


@pytest.mark.parametrize(("sampler", "number"), [(name, number) for name, own in NUMBERS.items() for number in own])
def test_a_sampler_learns_after_as_many_trials_as_it_is_told(sampler: str, number: str, tiny: Tiny) -> None:
    """With another number the draws are alike as far as they are random."""
    space = tiny(space=SPACE).search_space()

    def points(numbers: dict[str, int]) -> list[float]:
        study = study_of(sampler, space, objectives=2)
        drawn = []
        for trials in (3, 7):  # a driver that goes on is told, too
            study.sampler = make_sampler(sampler, 0, len(study.trials), space, numbers)
            for _ in range(trials):
                trial, config = draw(study, space)
                drawn.append(config.optimiser.learning_rate)
                end(study, trial, [config.optimiser.learning_rate, -float(config.adversary.replays)])
        return drawn

    usual, early, late = (points(numbers) for numbers in ({}, {number: 4}, {number: 6}))
    assert usual == points({number: NUMBERS[sampler][number]})
    assert usual[:6] == late[:6]
    assert usual[:4] == early[:4]
    assert usual[4:6] != early[4:6]
    assert usual[6:] != late[6:]


CONDITIONAL = {
    "unlisted": "fixed",
    "learning_rate": {"low": 0.25, "high": 0.75, "step": 0.25},
    "views.kind": ["crops", "patches"],
    "views.ratio_max": {"choices": [1.0, 1.25], "when": {"views.kind": "patches"}},
    "cf_amc_ssl": {"m": [1, 2, 3], "views.augmentation": {"choices": ["emp_ssl", "none"], "when": {"m": [1, 3]}}},
}


@pytest.mark.parametrize("sampler", get_args(SamplerName))
def test_what_depends_on_others_is_drawn_where_it_is(sampler: str, tiny: Tiny) -> None:
    """Of two trainables, by two drivers, past the start of each sampler."""
    space = tiny(trainables=BOTH, space=CONDITIONAL).search_space()
    study, best = study_of(sampler, space, objectives=2, seed=4), {"views.ratio_max": 1.25, "learning_rate": 0.5}
    seen: set[tuple[str, Any]] = set()
    for trials in (14, 14):
        study.sampler = make_sampler(sampler, 4, len(study.trials), space)
        for number in range(trials):
            trial, drawn = draw(study, space)
            assert space.config(trial.params) == drawn
            assert space.params(drawn) == trial.params
            seen |= set(trial.params.items())
            if number % 5 == 4:
                study.tell(trial, state=TrialState.PRUNED)
            else:
                hits = sum(trial.params.get(name) == value for name, value in best.items())
                end(study, trial, [hits / 2, 1 - hits / 4])
    assert {("views.ratio_max", 1.25), ("views.augmentation", "none"), ("views.kind", "crops")} < seen


def test_a_grid_has_each_configuration_once_whatever_depends_on_what(tiny: Tiny) -> None:
    space = tiny(trainables=BOTH, space=CONDITIONAL).search_space()
    rates, views = 3, 1 + 2
    assert space.size == rates * views * (2 + 1 + 2) + rates * views
    study, drawn = study_of("grid", space, objectives=2), []
    for number in range(int(space.size)):
        if number == 20:
            study.sampler = make_sampler("grid", 7, number, space)
        trial, config = draw(study, space)
        end(study, trial, [0.5, 0.5])
        drawn.append(config)
    assert len(set(drawn)) == space.size
    assert grid_points(space, study.get_trials()) == space.size
