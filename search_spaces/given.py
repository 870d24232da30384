"""A configuration that somebody writes down, as parameters of a space."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from optuna.distributions import FloatDistribution

from search_spaces import ranges
from search_spaces.dimension import Distribution, Value
from search_spaces.faults import Fault, SpaceError
from search_spaces.space import TRAINABLE, SearchSpace
from trainables.config import ConfigError


def given(space: SearchSpace, values: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters of the configuration that has these ``values``, one for each dimension that ``space`` searches.

    ``trainable`` is among them where a space has several; a dimension may be called as its parameter is, too. Raises
    ``SpaceError`` with every value that is missing, unknown or out of range, ``ConfigError`` where the configuration is
    no valid one.
    """
    if twice := _twice(space, values):
        what = "is given twice, with its trainable and without; keep one"
        raise SpaceError(Fault((name,), f"{name} {what}") for name in twice)
    params = named(space, values)
    space.config(params)
    return exact(space, params)


def shared(space: SearchSpace, values: Mapping[str, Any]) -> dict[str, Any]:
    """Of the ``values`` that another space's dimensions have in a configuration those of the dimensions that ``space``
    searches, too; ``trainable`` is among both.

    Raises ``SpaceError`` for what lies out of range and for a trainable that ``space`` has not, ``ConfigError`` where
    nothing is shared.
    """
    trainable = str(values[TRAINABLE])
    found = {name: values[name] for name in sorted(dimensions(space, trainable, values) & values.keys())}
    if not found.keys() - {TRAINABLE}:
        raise ConfigError("it searched nothing that is searched here")
    space.check(named(space, {TRAINABLE: trainable, **found}))
    return {TRAINABLE: trainable, **found}


def exact(space: SearchSpace, params: Mapping[str, Any]) -> dict[str, Any]:
    """``params`` within their ranges as a sampler draws them."""
    own = {name: found for name, found in space.distributions.items() if name in params}
    return {name: params[name] if name == TRAINABLE else _exact(found, params[name]) for name, found in own.items()}


def named(space: SearchSpace, values: Mapping[str, Any]) -> dict[str, Any]:
    """``values`` under the names that ``space`` has for its parameters; nothing is checked."""
    trainable = str(values.get(TRAINABLE, space.trainables[0]))
    own = {name.removeprefix(f"{trainable}."): value for name, value in values.items()}
    if space.trainables == (trainable,):
        own.pop(TRAINABLE, None)
    return {name if name == TRAINABLE else space.parameter(trainable, name): value for name, value in own.items()}


def _twice(space: SearchSpace, values: Mapping[str, Any]) -> list[str]:
    """Dimensions that are given both as ``m`` and as ``cf_amc_ssl.m``."""
    trainable = values.get(TRAINABLE, space.trainables[0])
    return [name for name in values if f"{trainable}.{name}" in values]


def dimensions(space: SearchSpace, trainable: str, values: Mapping[str, Any]) -> frozenset[str]:
    """What ``space`` searches of a configuration of ``trainable`` with these ``values``; ``SpaceError`` for a trainable
    that it has not."""
    params = named(space, {**values, TRAINABLE: trainable})
    return frozenset(name.removeprefix(f"{trainable}.") for name in space.active(trainable, params))


def _exact(distribution: Distribution, value: Value) -> Value:
    """As a sampler draws it: a whole number is a fraction, too, and a neighbour of a grid's point is another point."""
    member = ranges.snap(distribution, value)
    return float(member) if isinstance(distribution, FloatDistribution) and isinstance(member, int) else member
