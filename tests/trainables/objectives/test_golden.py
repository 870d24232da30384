"""The losses are the authors': golden numbers of their released code, in float64."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from trainables.config import ObjectiveConfig
from trainables.coresets.divergence import js_softmax, kl_min_max
from trainables.objectives import OBJECTIVES, build, build_attacked
from trainables.objectives.emp_ssl import invariance, total_coding_rate
from trainables.objectives.nt_xent import contrastive, contrastive_per_anchor


def close(actual: Tensor, expected: Tensor) -> None:
    torch.testing.assert_close(actual, expected, rtol=1e-9, atol=1e-12)


def test_emp_ssl(golden):
    numbers = golden("emp_ssl_loss")
    z = numbers["z"].clone().requires_grad_()
    embeddings = z.view(int(numbers["views"]), -1, z.shape[1])
    config = ObjectiveConfig(
        invariance_weight=float(numbers["invariance_weight"]),
        tcr_weight=float(numbers["tcr_weight"]),
        tcr_eps=float(numbers["tcr_eps"]),
    )
    loss = build(config)(embeddings, torch.arange(embeddings.shape[1]))
    loss.total.backward()
    close(loss.terms["invariance"], numbers["invariance"])
    close(loss.terms["tcr"], numbers["tcr"])
    close(loss.total, numbers["loss"])
    close(z.grad, numbers["grad"])


@pytest.mark.parametrize("tau", ["0.07", "0.5"])
@pytest.mark.parametrize("kind", ["ntxent", "supcon"])
def test_contrastive(golden, tau, kind):
    numbers = golden(f"contrastive_tau{tau}")
    features = numbers["features"].clone().requires_grad_()
    labels = numbers["labels"] if kind == "supcon" else None
    loss = contrastive(features.transpose(0, 1), float(tau), labels)
    loss.backward()
    close(loss, numbers[kind])
    close(features.grad, numbers[f"{kind}_grad"])


def test_acl_per_sample(golden):
    numbers = golden("acl_rcs")
    pairs = torch.nn.functional.normalize(numbers["pairs"], dim=1)
    per_anchor = contrastive_per_anchor(
        pairs.view(-1, 2, pairs.shape[1]).transpose(0, 1), float(numbers["temperature"])
    )
    close(per_anchor.T.flatten(), numbers["nt_xent_per_sample"])


def test_representational_divergences(golden):
    numbers = golden("acl_rcs")
    close(kl_min_max(numbers["nat"], numbers["adv"]), numbers["kl_min_max"])
    close(js_softmax(numbers["nat"], numbers["adv"]), numbers["js_softmax"])


def test_smaller_side_gives_the_same_coding_rate():
    generator = torch.Generator().manual_seed(0)
    for b, d in ((3, 7), (7, 3), (5, 5)):
        z = torch.randn(2, b, d, generator=generator, dtype=torch.float64)
        expected = -torch.stack(
            [0.5 * torch.logdet(torch.eye(d, dtype=z.dtype) + d / (b * 0.2) * view.T @ view) for view in z]
        ).mean()
        close(total_coding_rate(z, 0.2), expected)


def test_closed_forms():
    same = torch.nn.functional.normalize(torch.ones(4, 3, 5, dtype=torch.float64), dim=-1)
    close(invariance(same), torch.tensor(-1.0, dtype=torch.float64))
    # Four views of one direction: every other view is equally likely among 4 * 3 - 1.
    close(contrastive_per_anchor(same, 0.1), torch.full((4, 3), 11.0, dtype=torch.float64).log())


@pytest.mark.parametrize("name", OBJECTIVES)
def test_gradient_and_permutation(name):
    """Images in another order, and views (within ACL's halves), have the same loss."""
    objective = build(ObjectiveConfig(name=name, temperature=0.5, reweighting=0.5), strength=0.4)
    generator = torch.Generator().manual_seed(1)
    z = torch.randn(4, 4, 6, generator=generator, dtype=torch.float64, requires_grad=True)
    labels = torch.tensor([0, 5, 0, 2])

    def value(raw: Tensor, labels: Tensor = labels) -> Tensor:
        return objective(torch.nn.functional.normalize(raw, dim=-1), labels).total

    assert torch.autograd.gradcheck(value, (z,))
    order = torch.tensor([2, 0, 3, 1])
    close(value(z[:, order], labels[order]), value(z))
    close(value(z[torch.tensor([1, 0, 3, 2])]), value(z))


def test_labels_matter_where_they_are_read_and_nowhere_else():
    generator = torch.Generator().manual_seed(2)
    z = torch.nn.functional.normalize(torch.randn(4, 4, 6, generator=generator, dtype=torch.float64), dim=-1)
    for name in OBJECTIVES:
        objective = build(ObjectiveConfig(name=name))
        one, other = (objective(z, torch.tensor(labels)).total for labels in ([0, 0, 1, 1], [0, 1, 0, 1]))
        assert (name in ("cross_entropy", "sup_con")) == (not torch.equal(one, other)), name


def test_acl_is_half_and_half_until_augmentation_weakens():
    """DynACL: 1/2 ((1 - w) clean + (1 + w) adversarial), w = 2/3 (1 - s)."""
    generator = torch.Generator().manual_seed(3)
    z = torch.nn.functional.normalize(torch.randn(4, 5, 6, generator=generator, dtype=torch.float64), dim=-1)
    clean, adversarial = (contrastive_per_anchor(half, 0.5).mean() for half in (z[:2], z[2:]))
    config = ObjectiveConfig(name="acl", temperature=0.5, reweighting=2 / 3)
    none = torch.arange(5)
    close(build(config)(z, none).total, (clean + adversarial) / 2)
    close(build(config, strength=0.25)(z, none).total, (0.5 * clean + 1.5 * adversarial) / 2)
    close(build_attacked(config)(z[2:], none).total, adversarial)


def test_cross_entropy_is_over_every_view():
    logits = torch.tensor([[[0.0, 0.0], [0.0, 0.0]], [[100.0, 0.0], [100.0, 0.0]]], dtype=torch.float64)
    loss = build(ObjectiveConfig(name="cross_entropy"))(logits, torch.tensor([0, 1]))
    close(loss.total, torch.tensor((2 * math.log(2) + 0 + 100) / 4, dtype=torch.float64))
