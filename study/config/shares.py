"""What a study file asks for each trial: one amount for all trainables, or one each."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final, Literal

AUTO: Final = "auto"
Gpus = float | Literal["auto"]
Remedy = Literal["recompute", "micro_batches"]
"""Of a trial that ran out of memory."""

SMALLEST = 0.0001
"""Ray counts in such parts."""

GPUS_HELP = "a number, auto, or a mapping of trainables to these"


def gpus_asked(value: Any) -> Any:
    """A valid ``gpus_per_trial`` as it is; ``ValueError`` says what is wrong with another."""
    for name, asked in _each("gpus_per_trial", value, GPUS_HELP):
        if asked != AUTO:
            _number(name, asked, GPUS_HELP, least=0)
            if 0 < asked < SMALLEST:
                raise ValueError(f"{name} is {asked}; the smallest share of a GPU is {SMALLEST}")
            # Ray gives a part of one GPU or several whole ones.
            if asked > 1 and asked != int(asked):
                raise ValueError(f"{name} is {asked}; above 1 it must be a whole number; below, a share of one GPU")
    return value


def cpus_asked(value: Any) -> Any:
    """A valid ``cpus_per_trial`` as it is; ``ValueError`` says what is wrong with another."""
    for name, asked in _each("cpus_per_trial", value, "a number, or a mapping of trainables to numbers"):
        _number(name, asked, "a number", least=0)
        if asked == 0:
            raise ValueError(f"{name} is 0; a trial needs a core, or a part of one")
    return value


def of_trainable(asked: Any, trainable: str, default: Any) -> Any:
    """What ``asked`` says for ``trainable``; ``default`` where it says nothing."""
    found = asked.get(trainable) if isinstance(asked, Mapping) else asked
    return default if found is None else found


def _each(name: str, value: Any, wanted: str) -> list[tuple[str, Any]]:
    if not isinstance(value, Mapping):
        return [] if value is None else [(name, value)]
    if not value:
        raise ValueError(f"{name} is empty; give {wanted}")
    return [(f"{name}.{trainable}", asked) for trainable, asked in value.items()]


def _number(name: str, value: Any, wanted: str, *, least: float) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{name} is {value!r}; it must be {wanted}")
    if not (math.isfinite(value) and value >= least):
        raise ValueError(f"{name} is {value}; it must be at least {least:g}")
