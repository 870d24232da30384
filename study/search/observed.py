"""Trials that a sampler is to learn from although it did not draw them."""

from __future__ import annotations

from typing import Any

import optuna
from optuna.samplers import BaseGASampler
from optuna.trial import FrozenTrial, TrialState, create_trial

from analysis.constraints import excess
from analysis.layout import StudyPaths
from analysis.schema import TrialStatus
from search_spaces.placing import place
from search_spaces.space import SearchSpace
from study.config import StudyConfig
from study.samplers.trials import OBSERVED
from study.search.warm_start import Observation, accepted


def observe(study: optuna.Study, paths: StudyPaths, config: StudyConfig, space: SearchSpace) -> None:
    """Let the sampler know what other studies found, once."""
    known = {trial.user_attrs.get(OBSERVED) for trial in study.get_trials(deepcopy=False)}
    for index, found in enumerate(accepted(paths)):
        if found.trial not in known:
            study.add_trial(_observed(found, config, space, generation(study, index)))


def generation(study: optuna.Study, index: int) -> dict[str, Any]:
    """By what a genetic sampler takes the observation of that index for a member of its first generations."""
    sampler = study.sampler
    if not isinstance(sampler, BaseGASampler) or sampler.population_size is None:
        return {}
    return {sampler._get_generation_key(): index // sampler.population_size}


def join_generation(study: optuna.Study, trial: FrozenTrial) -> None:
    """Let a genetic sampler breed from ``trial`` too: by itself it forgets one whose parameters were all given."""
    if isinstance(study.sampler, BaseGASampler):
        study.sampler.get_trial_generation(study, trial)


def _observed(found: Observation, config: StudyConfig, space: SearchSpace, attributes: dict[str, Any]) -> FrozenTrial:
    """Another study's trial as this study's Optuna knows it; ``attributes`` are what a sampler keeps of its own."""
    params = place(space, found.config)
    return create_trial(
        state=TrialState.COMPLETE,
        values=[found.metrics[name] for name in config.objectives],
        params=params,
        distributions={name: space.distributions[name] for name in params},
        user_attrs={
            OBSERVED: found.trial,
            "trainable": found.config.trainable,
            "status": str(TrialStatus.FINISHED),
            "metrics": dict(found.metrics),
        },
        system_attrs=attributes,
        constraints=excess(config.constraints, found.metrics),
    )
