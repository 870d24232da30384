"""The one loop that fits a classifier to labelled images."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

import torch
from torch import Tensor
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

Batch = TypeVar("Batch")


def descend(
    loss: Callable[[Batch], Tensor],
    batches: Callable[[tuple[Tensor, ...]], Iterable[Batch]],
    rows: int,
    optimiser: Optimizer,
    *,
    epochs: int,
    batch_size: int,
    random: torch.Generator,
    schedule: LRScheduler | None = None,
) -> None:
    """``epochs`` passes over ``rows`` rows, each in a fresh order from ``random``; ``schedule`` steps once an epoch.

    ``batches``: from the rows of each batch, int64 on the device of ``random``, to what ``loss`` takes of it.
    """
    for _ in range(epochs):
        order = torch.randperm(rows, generator=random, device=random.device)
        for batch in batches(order.split(batch_size)):
            value = loss(batch)
            optimiser.zero_grad()
            value.backward()
            optimiser.step()
        if schedule is not None:
            schedule.step()
