"""Where a trial's images stay, and how batches of them reach its device."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import closing

import torch
from torch import Tensor

from trainables.config import Placement
from trainables.data.ahead import ahead
from trainables.data.images import ImageSet

_FREE_SHARE = 4
_AHEAD = 2


def place(images: ImageSet, device: torch.device, placement: Placement) -> ImageSet:
    """``images`` where ``placement`` (``data.placement``) wants them; on the CPU nothing moves.

    ``auto``: on ``device`` while they take at most a quarter of what is free there now.
    """
    if device.type == "cpu" or placement == "host":
        return images
    if placement == "auto" and images.bytes > _free(device) // _FREE_SHARE:
        return images
    return images.to(device)


def _free(device: torch.device) -> int:
    """Bytes that this process may still take there: all that is free, or its share of the whole if that is less."""
    free, total = torch.cuda.mem_get_info(device)
    return min(free, int(total * torch.cuda.get_per_process_memory_fraction(device)))


def stream(images: ImageSet, order: Tensor | Iterable[Tensor], device: torch.device) -> Iterator[ImageSet]:
    """Batches of ``images`` on ``device``, one for each row of ``order``.

    ``order``: int64 (batches, size), or index tensors of any length (``torch.arange(n).split(size)``), on any device.
    What lives elsewhere, or may lie on the disk, is read ahead by a thread: one batch is used, at most two wait. The
    thread ends with the iterator, and its errors are raised here. The pixels do not depend on where ``images`` live.
    """
    parts = order.to(images.device) if isinstance(order, Tensor) else [part.to(images.device) for part in order]
    if not _is_read_ahead(images, device):
        for part in parts:
            yield images.subset(part).to(device)
        return
    with closing(
        ahead(lambda part: _sendable(images.subset(part), device), parts, threads=1, window=_AHEAD)
    ) as batches:
        for batch in batches:
            yield batch.to(device, non_blocking=True)


def in_order(images: ImageSet, size: int, device: torch.device) -> Iterator[ImageSet]:
    """All ``images``, ``size`` at a time, the last batch with what is left, as ``stream`` brings them."""
    return stream(images, torch.arange(len(images), device=images.device).split(size), device)


def _is_read_ahead(images: ImageSet, device: torch.device) -> bool:
    return images.device.type == "cpu" and (device.type != "cpu" or images.is_large)


def _sendable(batch: ImageSet, device: torch.device) -> ImageSet:
    """``batch`` in memory that a GPU can read while the CPU goes on."""
    if device.type != "cuda":
        return batch
    return ImageSet(batch.images.pin_memory(), batch.labels.pin_memory())
