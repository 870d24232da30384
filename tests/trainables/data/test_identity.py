"""Images are the same wherever they lie, and no others are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch

from trainables.data import ImageSet, identity


@pytest.fixture
def images() -> ImageSet:
    """More than are read at once."""
    random = torch.Generator().manual_seed(0)
    pixels = torch.randint(256, (300, 3, 4, 5), generator=random, dtype=torch.uint8)
    return ImageSet(pixels, torch.randint(3, (300,), generator=random))


def test_where_images_lie_does_not_matter(images: ImageSet) -> None:
    order = torch.arange(300).flip(0)
    elsewhere = ImageSet(images.stored[order], images.labels, rows=order)
    strided = replace(images, stored=images.stored.contiguous(memory_format=torch.channels_last))
    assert identity(elsewhere) == identity(strided) == identity(images)


@pytest.mark.parametrize(
    "change",
    [
        lambda one: one.subset(torch.arange(299)),
        lambda one: one.subset(torch.arange(300).roll(1)),
        lambda one: replace(one, labels=one.labels.roll(1)),
        lambda one: replace(one, stored=one.stored.reshape(300, 3, 5, 4)),
        lambda one: replace(one, stored=one.stored ^ (torch.arange(300) == 299)[:, None, None, None].byte()),
    ],
    ids=["one image less", "another order", "other labels", "another shape", "the last image by a level"],
)
def test_anything_else_does(images: ImageSet, change: Callable[[ImageSet], ImageSet]) -> None:
    assert identity(change(images)) != identity(images)
