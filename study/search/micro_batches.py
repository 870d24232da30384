"""Trials that ran out of memory, begun once more as others: the same parameters, the batch cut smaller."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from trainables.config import ConfigError, TrialConfig, override

INSTEAD_OF, MICRO_BATCHES = "instead_of", "micro_batches"
"""Attributes of such a trial, and keys of its ``config.json``: the number of the one that ran out of memory, and into
how many groups the batch is cut."""

MOST_GROUPS = 4
"""A batch is cut in two, then in so many at most: beyond, too little of it meets in BatchNorm and in the losses."""


def cut_smaller(config: TrialConfig) -> TrialConfig | None:
    """``config`` with its batch cut into twice as many groups; ``None`` where that would be too many."""
    groups = 2 * config.optimiser.micro_batches
    if groups > MOST_GROUPS:
        return None
    try:
        return as_marked(config, {MICRO_BATCHES: groups})
    except ConfigError:
        return None


def as_marked(config: TrialConfig, attributes: Mapping[str, Any]) -> TrialConfig:
    """``config``, its batch cut as a trial with these attributes has it; ``ConfigError`` where it cannot be."""
    groups = attributes.get(MICRO_BATCHES)
    return config if groups is None else override(config, {"optimiser.micro_batches": groups})


def mark(attributes: Mapping[str, Any], name: str) -> dict[str, Any]:
    """One of a trial's two marks, if it bears it."""
    return {name: attributes[name]} if name in attributes else {}
