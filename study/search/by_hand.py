"""Trials that no sampler draws: what a study begins with, what somebody added by hand, what was enqueued with Optuna's
own API."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from optuna.trial import FrozenTrial

from analysis.schema import BY_HAND
from search_spaces.given import given, named
from search_spaces.space import SearchSpace
from trainables.config import ConfigError

ADDED = "added"
"""Attribute of a trial that somebody added: the id under which it waited in its request."""

STARTS = "recipe"
"""Attribute of a trial that the study begins with: the recipe, or the trial of another study."""

ORIGIN = "origin"
"""Key of its ``config.json``: where a trial comes from, if not from the sampler."""


def enqueued(trial: FrozenTrial) -> dict[str, Any]:
    """The parameters that Optuna was handed for the trial, which it checks against no range; empty for a draw."""
    return dict(trial.system_attrs.get("fixed_params", {}))


def origin(attributes: Mapping[str, Any]) -> dict[str, str]:
    """Where a trial with these attributes comes from, as its ``config.json`` says it."""
    found = BY_HAND if ADDED in attributes else attributes.get(STARTS)
    return {ORIGIN: str(found)} if found else {}


def to_enqueue(space: SearchSpace, values: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters of what was added by hand; what ``space`` holds no more becomes a trial that fails, and says why."""
    try:
        return given(space, values)
    except ConfigError:
        return named(space, values)
