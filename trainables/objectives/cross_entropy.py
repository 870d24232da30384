"""Cross-entropy of every view with its image's label: adversarial training proper (arXiv 1706.06083, 1904.12843)."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor


def cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """Mean over views and images; (v, b, classes), (b,) -> scalar."""
    return F.cross_entropy(logits.flatten(0, 1), labels.repeat(len(logits)))
