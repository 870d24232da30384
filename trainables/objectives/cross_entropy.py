"""Cross-entropy of every view with its image's label: adversarial training proper (arXiv 1706.06083, 1904.12843)."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from trainables.objectives.objective import Loss, Objective, Weights


def cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """Mean over views and images; (v, b, classes), (b,) -> scalar."""
    return F.cross_entropy(logits.flatten(0, 1), labels.repeat(len(logits)))


def _loss(logits: Tensor, labels: Tensor, _weights: Weights) -> Loss:
    return Loss(cross_entropy(logits, labels), {})


OBJECTIVE = Objective(
    name="cross_entropy",
    summary="every view is told its image's class",
    source="arXiv 1706.06083, 1904.12843",
    loss=_loss,
    embeddings="logits",
    reads_labels=True,
)
