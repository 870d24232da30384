"""The losses that an epoch ends with, under no, a weak and a stronger attack of every view."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from trainables import adversaries
from trainables.adversaries import Attack
from trainables.losses import Losses
from trainables.models import frozen_statistics

IMAGES, VIEWS, STEPS = 64, 4, 5
"""Size of the fixed batch that they are measured on, and PGD's steps there."""


def monitor(
    losses: Losses, views: Tensor, labels: Tensor, epsilon: float, random: torch.Generator
) -> tuple[float, float, float]:
    """Loss of ``views`` (v, b, 3, h, w) under no, one-step and several-step perturbation of every view."""
    fgsm = Attack(epsilon=epsilon, step_size=epsilon, steps=1)
    pgd = replace(fgsm, step_size=2.5 * epsilon / STEPS, steps=STEPS, random_start=True)

    def ascended(perturbed: Tensor) -> Tensor:
        return losses.ascended(perturbed, labels)

    with frozen_statistics(losses.model):
        perturbations = [torch.zeros_like(views)]
        perturbations += [adversaries.pgd(ascended, views, attack, random) for attack in (fgsm, pgd)]
        with torch.no_grad():
            clean, one, several = (float(ascended(views + delta)) for delta in perturbations)
    return clean, one, several
