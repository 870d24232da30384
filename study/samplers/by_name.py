"""Which of Optuna's samplers a study uses, and how each is set."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from typing import Literal, get_args

import numpy as np
from optuna.exceptions import ExperimentalWarning
from optuna.samplers import BaseGASampler, BaseSampler, NSGAIIISampler, NSGAIISampler, RandomSampler, TPESampler
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from search_spaces.space import SearchSpace
from study.samplers.points import GaussianProcesses, Grid, Sequences
from trainables.config import ConfigError

SamplerName = Literal["tpe", "nsga2", "nsga3", "gp", "qmc", "random", "grid"]
STARTUP_TRIALS, POPULATION = "startup_trials", "population"
NUMBERS: Mapping[str, Mapping[str, int]] = {
    "tpe": {STARTUP_TRIALS: 10},
    "gp": {STARTUP_TRIALS: 10},
    "nsga2": {POPULATION: 10},
    "nsga3": {POPULATION: 10},
}
"""By sampler the numbers that a study may set, and what they are where it does not; a sampler without is not named.

Startup trials are Optuna's own. Its population is 50, all drawn at random, which is the whole of a usual study. In
simulated searches (``study simulate synthetic``, nobody stopped, 12 seeds) of 20 and 40 trials no population from 4 to
50 was reliably better than another; of 60, 100 and 200 trials 10 reached a hypervolume 0.9, 1.5 and 0.6 percentage
points above that of 50, and 8 to 12 were much alike.
"""


class _Breeding(BaseGASampler):
    """From what counts now: Optuna writes down whom it chose as parents, and they may have been excluded since."""

    def get_parent_population(self, study: Study, generation: int) -> list[FrozenTrial]:
        """Empty, so that children are drawn at random, where there are no two."""
        chosen = super().get_parent_population(study, generation)
        counting = [parent for parent in chosen if parent.state is TrialState.COMPLETE]
        return counting if len(counting) > 1 else []


class _Nsga2(_Breeding, NSGAIISampler):
    pass


class _Nsga3(_Breeding, NSGAIIISampler):
    pass


def make_sampler(
    name: str, seed: int, trials: int, space: SearchSpace, numbers: Mapping[str, int] | None = None
) -> BaseSampler:
    """The sampler called ``name`` for a search of ``space`` that already holds ``trials`` trials.

    ``numbers``: those of ``NUMBERS`` that are not to be as there. The stream of random numbers depends on ``trials``: a
    search that is opened again must not draw what it drew before. Raises ``ConfigError`` for a name that is none, and
    for ``grid`` where a range is continuous.
    """
    if name not in get_args(SamplerName):
        raise ConfigError(f"sampler is {name!r}; choose one of {', '.join(get_args(SamplerName))}")
    if name == "grid" and space.continuous:
        raise ConfigError(not_a_grid(space.continuous[0][1]))
    if name not in _OF_POINTS:
        return stock_sampler(name, int(np.random.SeedSequence([seed, trials]).generate_state(1)[0]), numbers)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        return _OF_POINTS[name](space, seed, trials, **_numbers(name, numbers))


def stock_sampler(name: str, seed: int, numbers: Mapping[str, int] | None = None) -> BaseSampler:
    """One that needs to know nothing of the space, with ``numbers`` as ``make_sampler`` has them; ``ConfigError`` for
    any other."""
    if name not in _STOCK:
        raise ConfigError(f"sampler is {name!r}; choose one of {', '.join(_STOCK)}")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        return _STOCK[name](seed, **_numbers(name, numbers))


def not_a_grid(dimension: str) -> str:
    """What is wrong with searching ``dimension``, a continuous range, by a grid, and the remedy."""
    return (
        f"{dimension} is a continuous range, of which a grid has no end; give it a step or a list of values, "
        "or choose another sampler"
    )


def _numbers(name: str, given: Mapping[str, int] | None) -> dict[str, int]:
    return {**NUMBERS.get(name, {}), **(given or {})}


def _tpe(seed: int, startup_trials: int) -> BaseSampler:
    return TPESampler(seed=seed, n_startup_trials=startup_trials, multivariate=True, group=True, constant_liar=True)


def _nsga2(seed: int, population: int) -> BaseSampler:
    return _Nsga2(seed=seed, population_size=population)


def _nsga3(seed: int, population: int) -> BaseSampler:
    return _Nsga3(seed=seed, population_size=population)


def _random(seed: int) -> BaseSampler:
    return RandomSampler(seed=seed)


_STOCK: dict[str, Callable[..., BaseSampler]] = {"tpe": _tpe, "nsga2": _nsga2, "nsga3": _nsga3, "random": _random}
_OF_POINTS: dict[str, Callable[..., BaseSampler]] = {
    "gp": GaussianProcesses,
    "qmc": Sequences,
    "grid": Grid,
}
