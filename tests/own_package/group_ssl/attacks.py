"""Yardsticks of a group's own: PGD in l_2, and noise as CIFAR-10-C has it, without an adversary."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from trainables.evaluation.attack import Attack, Logits

Perturb = Callable[[Logits, Tensor, Tensor], Tensor]


def l2_pgd(radius: float, steps: int) -> Perturb:
    """Up the cross-entropy within ``radius`` of the image in the l_2 norm, from a random start."""

    def within(delta: Tensor) -> Tensor:
        return delta * (radius / delta.flatten(1).norm(dim=1).clamp(min=radius)).view(-1, 1, 1, 1)

    def perturb(logits: Logits, images: Tensor, labels: Tensor) -> Tensor:
        delta = within(radius * torch.randn_like(images))
        for _ in range(steps):
            moved = (images + delta).clamp(0, 1).requires_grad_()
            (slope,) = torch.autograd.grad(F.cross_entropy(logits(moved), labels, reduction="sum"), moved)
            length = slope.flatten(1).norm(dim=1).clamp(min=1e-12).view(-1, 1, 1, 1)
            delta = within(moved.detach() + 2.5 * radius / steps * slope / length - images)
        return (images + delta).clamp(0, 1)

    return perturb


def noise(deviation: float) -> Perturb:
    """Gaussian, of that standard deviation."""
    return lambda _logits, images, _labels: (images + deviation * torch.randn_like(images)).clamp(0, 1)


L2_PGD_128 = Attack(
    name="l2_pgd_128",
    summary="PGD within 128/255 in l_2, 5 steps",
    source="arXiv 1706.06083",
    perturb=l2_pgd(128 / 255, 5),
)
NOISE_3 = Attack(name="noise_3", summary="Gaussian noise of severity 3", source="arXiv 1903.12261", perturb=noise(0.08))
