"""Labelled images in memory, and how a data set is divided."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from trainables.config import UserError


class DataError(UserError):
    """The images cannot be had as configured; the message names what is wrong and the remedy."""


@dataclass(frozen=True)
class ImageSet:
    """``images``: uint8 (n, 3, h, w); ``labels``: int64 (n,), both on one device."""

    images: Tensor
    labels: Tensor

    def __len__(self) -> int:
        return len(self.labels)

    def to(self, device: torch.device | str) -> ImageSet:
        return ImageSet(self.images.to(device), self.labels.to(device))

    def subset(self, indices: Tensor) -> ImageSet:
        """The images at ``indices`` (int64), copied, in that order."""
        indices = indices.to(self.labels.device)
        return ImageSet(self.images[indices], self.labels[indices])


@dataclass(frozen=True)
class Source:
    """A data set as its makers divided it."""

    name: str
    train: ImageSet
    test: ImageSet
    classes: tuple[str, ...]
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Splits:
    """A data set as trials use it: three disjoint sets; ``validation`` may be empty.

    ``warnings`` tell, a line each, what was left out of the source.
    """

    train: ImageSet
    validation: ImageSet
    test: ImageSet
    classes: tuple[str, ...]
    description: str
    warnings: tuple[str, ...] = ()
