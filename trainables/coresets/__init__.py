"""Robustness-aware coreset selection (arXiv 2302.03857): which minibatches an epoch sees, when, and at what cost.

The selection itself is ``rcs.select``; it knows an encoder and the loss of each minibatch, and no trainable.
"""

from __future__ import annotations

from trainables.coresets.blind import random_subset
from trainables.coresets.cost import selection_forward_equivalents
from trainables.coresets.greedy import greedy
from trainables.coresets.schedule import minibatches, selects, share

__all__ = ["greedy", "minibatches", "random_subset", "selection_forward_equivalents", "selects", "share"]
