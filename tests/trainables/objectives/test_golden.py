"""The losses are the authors': golden numbers of their released code, in float64."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from trainables.config import ObjectiveConfig
from trainables.coresets.divergence import js_softmax, kl_min_max
from trainables.objectives import build
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
    loss = build(config)(embeddings)
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


@pytest.mark.parametrize("name", ["emp_ssl", "nt_xent"])
def test_gradient_and_permutation(name):
    objective = build(ObjectiveConfig(name=name, temperature=0.5))
    generator = torch.Generator().manual_seed(1)
    z = torch.randn(3, 4, 6, generator=generator, dtype=torch.float64, requires_grad=True)

    def value(raw: Tensor) -> Tensor:
        return objective(torch.nn.functional.normalize(raw, dim=-1)).total

    assert torch.autograd.gradcheck(value, (z,))
    close(value(z[:, torch.tensor([2, 0, 3, 1])]), value(z))
    close(value(z[torch.tensor([2, 0, 1])]), value(z))
