"""What a configuration of a space costs to pre-train, known before it is spent."""

from __future__ import annotations

from collections.abc import Callable

from search_spaces.space import SearchSpace
from trainables.catalogue import pretrain_forward_equivalents
from trainables.config import TrialConfig
from trainables.data import load

Total = Callable[[TrialConfig], float]
"""Pre-training work of a configuration, in forward-equivalents."""


def total_on(space: SearchSpace) -> Total:
    """For the study's images, which are read for it; they are the same for all its trainables."""
    images = len(load(space.parts[0].base.data).train)
    return lambda config: pretrain_forward_equivalents(config, images)
