"""Which of Optuna's samplers a study uses, and how each is set."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Literal, get_args

import numpy as np
from optuna.exceptions import ExperimentalWarning
from optuna.samplers import BaseSampler, NSGAIIISampler, NSGAIISampler, RandomSampler, TPESampler

from search_spaces.space import SearchSpace
from study.samplers.points import GaussianProcesses, Grid, Sequences
from trainables.config import ConfigError

SamplerName = Literal["tpe", "nsga2", "nsga3", "gp", "qmc", "random", "grid"]


def make_sampler(name: str, seed: int, trials: int, space: SearchSpace) -> BaseSampler:
    """The sampler called ``name`` for a search of ``space`` that already holds ``trials`` trials.

    The stream of random numbers depends on ``trials``: a search that is opened again must not draw what it drew
    before. Raises ``ConfigError`` for a name that is none, and for ``grid`` where a range is continuous.
    """
    if name not in get_args(SamplerName):
        raise ConfigError(f"sampler is {name!r}; choose one of {', '.join(get_args(SamplerName))}")
    if name == "grid" and space.continuous:
        raise ConfigError(not_a_grid(space.continuous[0][1]))
    if name not in _OF_POINTS:
        return stock_sampler(name, int(np.random.SeedSequence([seed, trials]).generate_state(1)[0]))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        return _OF_POINTS[name](space, seed, trials)


def stock_sampler(name: str, seed: int) -> BaseSampler:
    """One that needs to know nothing of the space; ``ConfigError`` for any other."""
    if name not in _STOCK:
        raise ConfigError(f"sampler is {name!r}; choose one of {', '.join(_STOCK)}")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        return _STOCK[name](seed)


def not_a_grid(dimension: str) -> str:
    """What is wrong with searching ``dimension``, a continuous range, by a grid, and the remedy."""
    return (
        f"{dimension} is a continuous range, of which a grid has no end; give it a step or a list of values, "
        "or choose another sampler"
    )


def _tpe(seed: int) -> BaseSampler:
    return TPESampler(seed=seed, multivariate=True, group=True, constant_liar=True)


def _nsga2(seed: int) -> BaseSampler:
    return NSGAIISampler(seed=seed)


def _nsga3(seed: int) -> BaseSampler:
    return NSGAIIISampler(seed=seed)


def _random(seed: int) -> BaseSampler:
    return RandomSampler(seed=seed)


_STOCK: dict[str, Callable[[int], BaseSampler]] = {"tpe": _tpe, "nsga2": _nsga2, "nsga3": _nsga3, "random": _random}
_OF_POINTS: dict[str, Callable[[SearchSpace, int, int], BaseSampler]] = {
    "gp": GaussianProcesses,
    "qmc": Sequences,
    "grid": Grid,
}
