"""What an objective is: a loss, what it reads, and what it found."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import Tensor


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


@dataclass(frozen=True, kw_only=True)
class Objective:
    """One loss by name; whatever else the platform asks about it is answered here."""

    name: str
    summary: str
    source: str
    loss: WeighedLoss
    """From embeddings (v, b, d), labels (b,) and the values of ``settings``, all by name."""
    settings: tuple[str, ...] = ()
    """What it reads of ``ObjectiveConfig``."""
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
