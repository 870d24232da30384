"""What an objective is: a loss, what it reads, and what it found."""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import Tensor

from trainables.config import ObjectiveConfig, UserError
from trainables.config.checks import one_of, require


class ObjectiveError(UserError):
    """What an objective found cannot be descended."""


@dataclass(frozen=True)
class Loss:
    """What an objective found: the scalar to descend and its unweighted parts by name."""

    total: Tensor
    terms: Mapping[str, Tensor]

    def detached(self) -> Loss:
        """Its values without their graph."""
        return Loss(self.total.detach(), {name: term.detach() for name, term in self.terms.items()})


def mean(losses: Sequence[Loss]) -> Loss:
    """Of every value, over losses of the same terms."""
    total = torch.stack([loss.total for loss in losses]).mean()
    return Loss(total, {name: torch.stack([loss.terms[name] for loss in losses]).mean() for name in losses[0].terms})


Criterion = Callable[[Tensor, Tensor], Loss]
"""From embeddings (v, b, d) and labels (b,) to their loss, the weights bound."""
Weights = Mapping[str, float]
WeighedLoss = Callable[[Tensor, Tensor, Weights], Loss]
Embeddings = Literal["normalised", "plain", "logits"]
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True, kw_only=True)
class Objective:
    """One loss by name; whatever else the platform asks about it is answered here."""

    name: str
    summary: str
    source: str
    loss: WeighedLoss
    """From embeddings (v, b, d), labels (b,) and the values of ``weights`` and ``settings``, all by name."""
    weights: Weights = field(default_factory=dict)
    """Its own and their defaults: a config has them as ``objective.weights.NAME``."""
    settings: tuple[str, ...] = ()
    """What it reads of the named fields of ``ObjectiveConfig``."""
    embeddings: Embeddings = "normalised"
    """As they come to ``loss``: ``normalised`` to length 1 over d; ``plain``, as the projector leaves them; ``logits``,
    one a class, from a linear layer in the projector's place."""
    views: int | None = None
    """How many an image has, where that is fixed."""
    fewest_views: int = 1
    reads_labels: bool = False
    random_start: bool = False
    """Where a config leaves it open, PGD starts at random: at a zero start, where a view still equals its adversary,
    the attracting part of a contrastive gradient vanishes."""
    attacked: WeighedLoss | None = None
    """What the adversary ascends; ``None``: ``loss``."""
    scheduled: Callable[[Weights, float], Weights] = field(default=lambda weights, _strength: weights)
    """The weights as they are at an augmentation strength in [0, 1]."""

    def __post_init__(self) -> None:
        one_of(f"{self.name}: embeddings", self.embeddings, Embeddings)
        for name, value in self.weights.items():
            require(_NAME.fullmatch(name) is not None, f"{self.name}: weight {name!r}; use letters, digits and _")
            require(math.isfinite(value), f"{self.name}: weight {name} is {value}; it must be a finite number")
        fields = {field.name for field in dataclasses.fields(ObjectiveConfig)}
        for name in self.settings:
            require(
                name in fields - {"name", "weights"}, f"{self.name}: no field of ObjectiveConfig is called {name!r}"
            )
        require(not {*self.weights} & {*self.settings}, f"{self.name}: weights and settings share a name; rename one")

    def check(self, weights: Weights) -> None:
        """``ConfigError`` unless ``weights`` are exactly its own."""
        has = f"has {', '.join(self.weights)}" if self.weights else "has none of its own"
        for name in weights:
            require(name in self.weights, f"objective.weights.{name} is unknown: {self.name} {has}")
        for name in self.weights:
            require(name in weights, f"objective.weights.{name} is missing; {self.name} {has}")

    def bound(self, config: ObjectiveConfig, strength: float = 1.0) -> Criterion:
        """What the weights of a network descend, as it is at augmentation ``strength``."""
        return self._criterion(self.loss, self.scheduled(self._values(config), strength))

    def bound_attacked(self, config: ObjectiveConfig) -> Criterion:
        """What the adversary ascends."""
        return self.bound(config) if self.attacked is None else self._criterion(self.attacked, self._values(config))

    def _values(self, config: ObjectiveConfig) -> Weights:
        return {**{name: getattr(config, name) for name in self.settings}, **config.weights}

    def _criterion(self, loss: WeighedLoss, weights: Weights) -> Criterion:
        def criterion(embeddings: Tensor, labels: Tensor) -> Loss:
            return self._sound(loss(embeddings, labels, weights), embeddings)

        return criterion

    def _sound(self, found: object, embeddings: Tensor) -> Loss:
        """``ObjectiveError`` for what nothing could descend. A value that is not finite is heard of with its epoch."""
        if not isinstance(found, Loss):
            raise ObjectiveError(f"what {self.name} gives is {_kind(found)}; it must be a trainables.objectives.Loss")
        for name, value in (("total", found.total), *found.terms.items()):
            if not isinstance(value, Tensor) or value.ndim:
                raise ObjectiveError(f"{name} in the loss of {self.name} is {_kind(value)}; it must be a scalar tensor")
            if _NAME.fullmatch(name) is None:
                raise ObjectiveError(f"{name!r} in the loss of {self.name} is no name; use letters, digits and _")
        if torch.is_grad_enabled() and embeddings.requires_grad and not found.total.requires_grad:
            raise ObjectiveError(
                f"the loss of {self.name} does not depend on the embeddings, so that no weight would learn from it; "
                "look for detach(), item() or numpy() in it"
            )
        return found


def _kind(value: object) -> str:
    return f"a tensor of shape {tuple(value.shape)}" if isinstance(value, Tensor) else f"of type {type(value).__name__}"
