"""Losses: pure functions of embeddings, one file each, and the table that finds them by name.

Shapes: v views, b images, d dimensions; embeddings come as (v, b, d), labels as (b,).
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from torch import Tensor

from trainables.config import ConfigError, ObjectiveConfig
from trainables.objectives import acl, cross_entropy, emp_ssl, nt_xent
from trainables.objectives.objective import Criterion, Loss, Objective, WeighedLoss, Weights, mean

__all__ = ["OBJECTIVES", "Criterion", "Loss", "Objective", "Weights", "build", "build_attacked", "find", "mean"]

_LOSSES = (emp_ssl.OBJECTIVE, nt_xent.NT_XENT, acl.OBJECTIVE, cross_entropy.OBJECTIVE, nt_xent.SUP_CON)
OBJECTIVES: Mapping[str, Objective] = MappingProxyType({objective.name: objective for objective in _LOSSES})


def find(name: str) -> Objective:
    """The objective of that name; ``ConfigError`` names the valid ones."""
    if name not in OBJECTIVES:
        raise ConfigError(f"unknown objective {name!r}; choose one of {', '.join(OBJECTIVES)}")
    return OBJECTIVES[name]


def build(config: ObjectiveConfig, strength: float = 1.0) -> Criterion:
    """The objective that ``config`` names, its weights bound as they are at augmentation ``strength``."""
    objective = find(config.name)
    return _bound(objective.loss, objective.scheduled(_weights(objective, config), strength))


def build_attacked(config: ObjectiveConfig) -> Criterion:
    """What the adversary ascends: the objective itself, unless it says otherwise."""
    objective = find(config.name)
    return build(config) if objective.attacked is None else _bound(objective.attacked, _weights(objective, config))


def _weights(objective: Objective, config: ObjectiveConfig) -> Weights:
    return {name: getattr(config, name) for name in objective.settings}


def _bound(loss: WeighedLoss, weights: Weights) -> Criterion:
    def criterion(embeddings: Tensor, labels: Tensor) -> Loss:
        return loss(embeddings, labels, weights)

    return criterion
