"""When a coreset is selected anew, and how large it is (arXiv 2302.03857). Epochs count from 1."""

from __future__ import annotations

import math

from trainables.config import CoresetConfig


def selects(config: CoresetConfig, epoch: int) -> bool:
    """Whether a selection comes before ``epoch``: after the warm-up on all images, then every ``interval`` epochs."""
    since = epoch - config.warmup_epochs - 1
    return config.name != "none" and since >= 0 and since % config.interval == 0


def share(config: CoresetConfig, epoch: int) -> float:
    """Share of the candidate minibatches that ``epoch`` trains on, in (0, 1]."""
    return 1.0 if config.name == "none" or epoch <= config.warmup_epochs else config.fraction


def minibatches(count_images: int, batch_size: int, fraction: float) -> int:
    """Full minibatches in ``fraction`` of the images; at least 1, or an epoch would train on nothing."""
    # Rounding first: 0.29 of 100 images is 28.999999999999996 in binary.
    return max(1, math.floor(round(count_images * fraction, 6)) // batch_size)
