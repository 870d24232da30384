"""Labelled images, in memory or mapped from the disk, and how a data set is divided."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from trainables.config import SplitName, UserError

SHARED_BYTES = 2**30
"""From this size on a set is large: it shares the storage that it is taken from, which may be a mapped file."""

_MOVED_ROWS = 256
"""Images that travel at once where a set is gathered on its way to a device."""


class DataError(UserError):
    """The images cannot be had as configured; the message names what is wrong and the remedy."""


def pixels(images: Tensor) -> Tensor:
    """uint8 -> float32 in [0, 1]."""
    return images.float() / 255


@dataclass(frozen=True)
class ImageSet:
    """n labelled images.

    ``stored``: uint8 (m, 3, h, w); ``labels``: int64 (n,); ``rows``: int64 (n,), which of ``stored`` they are, or
    ``None`` if all of them in order. All on one device.
    """

    stored: Tensor
    labels: Tensor
    rows: Tensor | None = None

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def images(self) -> Tensor:
        """All pixels, uint8 (n, 3, h, w); gathered anew at each call where ``rows`` are set, so not for large sets."""
        return self.stored if self.rows is None else self.stored[self.rows]

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of each image."""
        height, width = self.stored.shape[-2:]
        return height, width

    @property
    def device(self) -> torch.device:
        return self.labels.device

    @property
    def bytes(self) -> int:
        """Memory that the pixels take or would take."""
        return len(self) * math.prod(self.stored.shape[1:])

    @property
    def is_large(self) -> bool:
        return self.bytes >= SHARED_BYTES

    def subset(self, indices: Tensor) -> ImageSet:
        """The images at ``indices`` (int64), in that order: copied, but a large subset reads none before its use."""
        indices = indices.to(self.device)
        rows = indices if self.rows is None else self.rows[indices]
        part = ImageSet(self.stored, self.labels[indices], rows)
        return part if part.is_large else ImageSet(part.images, part.labels)

    def to(self, device: torch.device | str, *, non_blocking: bool = False) -> ImageSet:
        """This set if it is there already, else a copy of its images alone."""
        labels = self.labels.to(device, non_blocking=non_blocking)
        if labels is self.labels:
            return self
        if self.rows is None:
            return ImageSet(self.stored.to(device, non_blocking=non_blocking), labels)
        images = self.stored.new_empty((len(self), *self.stored.shape[1:]), device=device)
        for place, rows in zip(images.split(_MOVED_ROWS), self.rows.split(_MOVED_ROWS), strict=True):
            place.copy_(self.stored[rows])
        return ImageSet(images, labels)


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

    def of(self, split: SplitName) -> ImageSet:
        """What figures are measured on."""
        return self.validation if split == "validation" else self.test
