"""Images that are enlarged must have room in memory."""

from __future__ import annotations

import pytest
import torch

from trainables.data import DataError
from trainables.data.resized import resized


def test_images_are_resized() -> None:
    images = torch.arange(2 * 3 * 64, dtype=torch.uint8).reshape(2, 3, 8, 8)
    assert resized(images, 16).shape == (2, 3, 16, 16)
    assert torch.equal(resized(images, 8), images)


def test_what_the_memory_does_not_hold_is_refused() -> None:
    many = torch.zeros((), dtype=torch.uint8).expand(10**9, 3, 8, 8)
    with pytest.raises(DataError, match=r"image_size is 1024: 1,000,000,000 images of that size take 2,929,687\.5 GiB"):
        resized(many, 1024)
