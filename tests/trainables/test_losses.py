"""ACL's passes by hand: which views meet which norms, and in which mode."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from trainables.adversaries import Attack
from trainables.contract import begun
from trainables.losses import Losses
from trainables.models import branch
from trainables.models.norms import DualBatchNorm

VIEWS, ADVERSARIAL = torch.rand(2, 2, 6, 3, 8, 8, generator=torch.Generator().manual_seed(0))
LABELS = torch.arange(6)


@pytest.fixture
def losses(tiny_config: Any) -> Losses:
    """Of an encoder whose two sets of norms have gone their ways."""
    losses = begun(tiny_config("acl"))._losses
    random = torch.Generator().manual_seed(1)
    for norm in (module for module in losses.model.modules() if isinstance(module, DualBatchNorm)):
        for parameter in (norm.clean.weight, norm.adversarial.weight):
            nn.init.uniform_(parameter, 0.5, 1.5, generator=random)
    losses.model.train()
    return losses


def pairs(losses: Losses, views: Tensor, norms: Any) -> Tensor:
    """NT-Xent at 0.5 of both views of each image, as a classification among all other views."""
    with branch(losses.model, norms):
        z = losses.model(views.flatten(0, 1))
    similarities = (z @ z.T / 0.5).fill_diagonal_(-1e9)
    return F.cross_entropy(similarities, torch.arange(12).roll(6))


def test_clean_views_pass_the_clean_norms_and_adversarial_ones_the_others(losses: Losses) -> None:
    found = losses.trained(VIEWS, ADVERSARIAL, LABELS)
    clean, adversarial = pairs(losses, VIEWS, "clean"), pairs(losses, ADVERSARIAL, "adversarial")
    torch.testing.assert_close(found.terms["clean"], clean)
    torch.testing.assert_close(found.terms["adversarial"], adversarial)
    torch.testing.assert_close(found.total, (clean + adversarial) / 2)


def test_the_attack_climbs_the_pair_through_the_adversarial_norms_at_rest(losses: Losses) -> None:
    for _ in range(3):
        losses.trained(VIEWS, ADVERSARIAL, LABELS)  # statistics that training has moved
    start = torch.empty_like(VIEWS).uniform_(-8 / 255, 8 / 255, generator=torch.Generator().manual_seed(2))
    moved = VIEWS + start
    losses.model.eval()
    for _ in range(5):
        moved.requires_grad_()
        (slope,) = torch.autograd.grad(pairs(losses, moved, "adversarial"), moved)
        moved = (moved.detach() + 2 / 255 * slope.sign()).clamp(VIEWS - 8 / 255, VIEWS + 8 / 255).clamp(0, 1)
    losses.model.train()
    attack = Attack(epsilon=8 / 255, step_size=2 / 255, steps=5)
    found = losses.perturb(VIEWS, LABELS, attack, start)
    assert ((found - moved).abs() > 1e-5).float().mean() < 1e-3, "but for slopes that are rounding's"
    assert losses.model.training
