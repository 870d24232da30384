"""One thing that may vary: its name in a study, the leaf of ``TrialConfig`` it decides, and how far it goes unasked."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from trainables.config import TrialConfig, value_of

Number = int | float
Value = Number | bool | str | None
Distribution = IntDistribution | FloatDistribution | CategoricalDistribution
Leaves = Mapping[str, Any]
"""A ``TrialConfig``'s leaves by dotted path, as ``trainables.config.flatten`` gives them."""


def always(config: TrialConfig) -> bool:  # noqa: ARG001
    return True


@dataclass(frozen=True, kw_only=True)
class Dimension:
    """A named axis of search spaces, the same for every trainable that has it."""

    name: str
    summary: str
    path: str
    """The leaf of ``TrialConfig`` that the dimension decides."""
    kind: type[int] | type[float] | type[bool] | type[str]
    default: Callable[[TrialConfig], Distribution | None]
    """The range where a study says nothing, for a trainable's base config; ``None``: held at the config's value."""
    belongs: Callable[[TrialConfig], bool] = always
    """Whether a trainable, given by its config, has this dimension."""
    leaf: Callable[[Leaves, Any], Value] | None = None
    """The leaf that a value means, beside those that dimensions without this have decided; ``None``: the value."""
    read: Callable[[TrialConfig], Value] | None = None
    """The value that a config has: the inverse of ``leaf``."""

    pixel_levels: bool = False
    """Spoken of as 8/255."""
    may_be_null: bool = False
    """Whether null is one of its values, and no name for another."""

    @property
    def is_number(self) -> bool:
        """Ranges are of numbers; of text, and of true and false, a study lists the choices."""
        return self.kind in (int, float)

    def words(self, value: Value) -> str:
        """As a study file would have it."""
        if isinstance(value, str):
            return value
        if value is None or isinstance(value, bool):
            return json.dumps(value)
        return f"{value * 255:.3g}/255" if self.pixel_levels else f"{value:.4g}"

    def exactly(self, value: Any) -> str:
        """``value``, which somebody gave, with the digits that tell it from the ends of a range."""
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if value is None:
            return self.words(value)
        return f"{value * 255:.6g}/255" if self.pixel_levels and is_number else repr(value)

    def write(self, leaves: dict[str, Any], value: Value) -> None:
        """Put ``value`` into ``leaves``, those without a ``leaf`` of their own first."""
        leaves[self.path] = value if self.leaf is None else self.leaf(leaves, value)

    def value(self, config: TrialConfig) -> Value:
        """Where ``config`` lies on this dimension."""
        if self.read is not None:
            return self.read(config)
        found: Value = value_of(config, self.path)
        return found
