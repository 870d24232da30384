"""Adversarial contrastive learning: NT-Xent of clean and of adversarial views, half and half (arXiv 2010.13337).

Weights and their schedule as in GodXuxilie/Efficient_ACL_via_RCS at 6fc9aef, ACL_RCS.py and DynACL_RCS.py (DynACL:
arXiv 2303.01289, section 4.2).
"""

from __future__ import annotations

from torch import Tensor

from trainables.objectives.nt_xent import contrastive_per_anchor, plain
from trainables.objectives.objective import Loss, Objective, Weights


def halves(embeddings: Tensor, temperature: float) -> tuple[Tensor, Tensor]:
    """NT-Xent among the first half of the views, the clean ones, and among the second; (2v, b, d) -> two scalars."""
    clean, adversarial = embeddings.chunk(2)
    return contrastive_per_anchor(clean, temperature).mean(), contrastive_per_anchor(adversarial, temperature).mean()


def adversarial_excess(reweighting: float, strength: float) -> float:
    """How much more than half the adversarial views weigh: 0 at full augmentation, ``reweighting`` at none."""
    return reweighting * (1 - strength)


def _loss(embeddings: Tensor, _labels: Tensor, weights: Weights) -> Loss:
    clean, adversarial = halves(embeddings, weights["temperature"])
    excess = weights["reweighting"]
    total = ((1 - excess) * clean + (1 + excess) * adversarial) / 2
    return Loss(total, {"clean": clean, "adversarial": adversarial})


def _scheduled(weights: Weights, strength: float) -> Weights:
    return {**weights, "reweighting": adversarial_excess(weights["reweighting"], strength)}


OBJECTIVE = Objective(
    name="acl",
    summary="NT-Xent of the clean views and of the adversarial ones, half and half",
    source="arXiv 2010.13337; GodXuxilie/Efficient_ACL_via_RCS at 6fc9aef, ACL_RCS.py",
    loss=_loss,
    settings=("temperature", "reweighting"),
    views=2,
    attacked=plain,
    scheduled=_scheduled,
)
