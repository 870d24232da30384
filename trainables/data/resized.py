"""Images of another size, in memory."""

from __future__ import annotations

import os

from torch import Tensor
from torchvision.transforms.functional import resize

from trainables.data.images import DataError


def resized(images: Tensor, edge: int) -> Tensor:
    """(n, c, h, w) uint8 -> (n, c, edge, edge), bilinearly; ``DataError`` where there is not the memory for it."""
    count, channels = images.shape[:2]
    needed, there = count * channels * edge**2, os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    if 2 * needed > there:  # they are divided, which copies them
        raise DataError(
            f"data.image_size is {edge}: {count:,} images of that size take {needed / 2**30:,.1f} GiB, of which there "
            f"must be two copies for a while, and this machine has {there / 2**30:,.1f}; make it smaller, or let "
            "data.source be a folder, which is read from the disk"
        )
    return resize(images, [edge, edge], antialias=True)
