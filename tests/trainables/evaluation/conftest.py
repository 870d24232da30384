"""Encoders and images small enough to attack in a test."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from trainables.config import NetworkConfig
from trainables.data import ImageSet
from trainables.models import Encoder, build

NETWORK = NetworkConfig(width=4, depth=10, pre_feature=16, projector_hidden=16, embedding=8)


@pytest.fixture
def encoder() -> Encoder:
    return build(NETWORK, seed=0, image_size=8)


@pytest.fixture
def supervised() -> Encoder:
    return build(NETWORK, seed=0, image_size=8, classes=3)


@pytest.fixture
def noise() -> Callable[[int], ImageSet]:
    """So many random images in three classes, each a little brighter than the one before."""

    def images(count: int) -> ImageSet:
        random, labels = torch.Generator().manual_seed(0), torch.arange(count) % 3
        pixels = torch.randint(0, 176, (count, 3, 8, 8), generator=random) + 40 * labels[:, None, None, None]
        return ImageSet(pixels.to(torch.uint8), labels)

    return images
