"""Losses: pure functions of embeddings, one file each, and the table that finds them by name.

Shapes: v views, b images, d dimensions; embeddings come as (v, b, d), labels as (b,).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

from trainables import packages
from trainables.config import ObjectiveConfig
from trainables.objectives import acl, cross_entropy, emp_ssl, nt_xent
from trainables.objectives.objective import Criterion, Loss, Objective, ObjectiveError, Weights, mean

__all__ = [
    "OBJECTIVES",
    "Criterion",
    "Loss",
    "Objective",
    "ObjectiveError",
    "Weights",
    "build",
    "build_attacked",
    "completed",
    "find",
    "mean",
    "names",
]

_LOSSES = (emp_ssl.OBJECTIVE, nt_xent.NT_XENT, acl.OBJECTIVE, cross_entropy.OBJECTIVE, nt_xent.SUP_CON)
OBJECTIVES: Mapping[str, Objective] = MappingProxyType({objective.name: objective for objective in _LOSSES})


def names() -> tuple[str, ...]:
    """Of every objective, those of other packages last; nothing is imported."""
    return packages.names("objective", OBJECTIVES)


def find(name: str) -> Objective:
    """The objective of that name; ``ConfigError`` names the valid ones."""
    return packages.find("objective", name, Objective, OBJECTIVES)


def completed(config: ObjectiveConfig) -> ObjectiveConfig:
    """``config`` with the weights that it leaves open, as the objective has them."""
    weights = {name: float(value) for name, value in find(config.name).weights.items()}
    return replace(config, weights={**weights, **config.weights}) if weights else config


def build(config: ObjectiveConfig, strength: float = 1.0) -> Criterion:
    """What the weights descend: the objective that ``config`` names, as it is at augmentation ``strength``."""
    return find(config.name).bound(config, strength)


def build_attacked(config: ObjectiveConfig) -> Criterion:
    """What the adversary ascends: the objective itself, unless it says otherwise."""
    return find(config.name).bound_attacked(config)
