"""A selection problem small enough to solve twice."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from trainables.config import CoresetConfig, NetworkConfig
from trainables.coresets import rcs
from trainables.models import Encoder, build

COUNT, BATCH, EPSILON = 7, 6, 8 / 255


class Problem:
    """An encoder with lived-in BatchNorms, validation images, and minibatches under InfoNCE; all float64."""

    def __init__(self, classes: int | None = None, **network: object) -> None:
        sizes: dict[str, object] = {"width": 4, "depth": 10, "pre_feature": 12, "projector_hidden": 10, "embedding": 8}
        self.random = torch.Generator().manual_seed(3)
        config = NetworkConfig(**(sizes | network))  # type: ignore[arg-type]
        self.model: Encoder = build(config, seed=5, image_size=8, classes=classes).double()
        for norm in (m for m in self.model.modules() if isinstance(m, torch.nn.modules.batchnorm._BatchNorm)):
            norm.running_mean.normal_(std=0.3, generator=self.random)
            norm.running_var.uniform_(0.5, 2, generator=self.random)
        self.validation = self.images(5)
        self.batches = [self.images(BATCH) for _ in range(COUNT)]

    def images(self, number: int) -> Tensor:
        return torch.rand(number, 3, 8, 8, generator=self.random, dtype=torch.float64)

    def loss_on(self, model: Encoder, images: Tensor) -> Tensor:
        similarities = model(images) @ model(images.flip(-1)).T / 0.5
        return F.cross_entropy(similarities, torch.arange(len(images)))

    def loss(self, index: int) -> Tensor:
        return self.loss_on(self.model, self.batches[index])

    def select(self, batch_loss: Callable[[int], Tensor] | None = None, **changes: object) -> list[int]:
        """``rcs.select`` on this problem; a keyword replaces an argument or a field of the config."""
        arguments: dict[str, object] = {"count": COUNT, "budget": 4, "epsilon": EPSILON, "batch_size": 2}
        arguments |= {key: changes.pop(key) for key in list(changes) if key in arguments}
        seed = int(changes.pop("seed", 0))  # type: ignore[call-overload]
        fields: dict[str, object] = {"name": "rcs", "learning_rate": 2.0}
        return rcs.select(
            self.model,
            self.validation,
            batch_loss or self.loss,
            config=CoresetConfig(**(fields | changes)),  # type: ignore[arg-type]
            random=torch.Generator().manual_seed(seed),
            **arguments,  # type: ignore[arg-type]
        )


@pytest.fixture
def problem() -> Problem:
    return Problem()


@pytest.fixture
def make_problem() -> type[Problem]:
    return Problem
