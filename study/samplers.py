"""Which of Optuna's samplers a study uses, and how each is set."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence

import numpy as np
from optuna.exceptions import ExperimentalWarning
from optuna.samplers import BaseSampler, GPSampler, NSGAIISampler, RandomSampler, TPESampler

from trainables.config import ConfigError


def make_sampler(name: str, seed: int, trials: int, trainables: Sequence[str]) -> BaseSampler:
    """The sampler called ``name`` for a search that already holds ``trials`` trials.

    The stream of random numbers depends on ``trials``: a search that is opened again must not draw what it drew
    before. Raises ``ConfigError`` for ``gp`` with several trainables: Gaussian processes see only the dimensions
    that all trials share.
    """
    if name not in _SAMPLERS:
        raise ConfigError(f"sampler is {name!r}; choose one of {', '.join(_SAMPLERS)}")
    if name == "gp" and len(trainables) > 1:
        raise ConfigError(
            f"sampler gp models one trainable, not {', '.join(trainables)}; choose tpe, or one study per trainable"
        )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        return _SAMPLERS[name](_stream(seed, trials))


def _stream(seed: int, trials: int) -> int:
    return int(np.random.SeedSequence([seed, trials]).generate_state(1)[0])


def _tpe(seed: int) -> BaseSampler:
    return TPESampler(seed=seed, multivariate=True, group=True, constant_liar=True)


def _nsga2(seed: int) -> BaseSampler:
    return NSGAIISampler(seed=seed)


def _gp(seed: int) -> BaseSampler:
    return GPSampler(seed=seed)


def _random(seed: int) -> BaseSampler:
    return RandomSampler(seed=seed)


_SAMPLERS: dict[str, Callable[[int], BaseSampler]] = {"tpe": _tpe, "nsga2": _nsga2, "gp": _gp, "random": _random}
