from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from trainables.adversaries import Attack, FreePerturbation, ascend, pgd, project, resolve, start
from trainables.config import AdversaryConfig, NetworkConfig
from trainables.models import build
from trainables.objectives.nt_xent import contrastive

IMAGES = torch.rand(6, 3, 4, 4, generator=torch.Generator().manual_seed(0))


def within(delta: Tensor, images: Tensor, epsilon: float) -> bool:
    perturbed = images + delta
    return bool(delta.abs().max() <= epsilon + 1e-6 and perturbed.min() >= -1e-6 and perturbed.max() <= 1 + 1e-6)


@settings(max_examples=50, deadline=None)
@given(epsilon=st.floats(0.001, 1), step=st.floats(0.001, 2), seed=st.integers(0, 1000), starts_at_random=st.booleans())
def test_every_step_stays_in_ball_and_pixel_range(epsilon, step, seed, starts_at_random):
    generator = torch.Generator().manual_seed(seed)
    attack = Attack(epsilon=epsilon, step_size=step, steps=3, random_start=starts_at_random)
    delta = start(IMAGES, attack, generator)
    for _ in range(3):
        assert within(delta, IMAGES, epsilon)
        delta = ascend(delta, torch.randn(IMAGES.shape, generator=generator), IMAGES, attack)
    assert within(delta, IMAGES, epsilon)


def test_linear_loss_is_solved_exactly():
    """The maximiser of <w, x + d> over the ball is eps * sign(w), clipped to the pixel range."""
    weights = torch.randn(IMAGES.shape, generator=torch.Generator().manual_seed(1))
    delta = pgd(lambda x: (weights * x).sum(), IMAGES, Attack(epsilon=0.1, step_size=0.04, steps=5))
    torch.testing.assert_close(IMAGES + delta, (IMAGES + 0.1 * weights.sign()).clamp(0, 1))


def test_steps_too_short_do_not_reach_the_boundary():
    delta = pgd(lambda x: x.sum(), torch.full((1, 3, 2, 2), 0.5), Attack(epsilon=0.1, step_size=0.01, steps=5))
    torch.testing.assert_close(delta, torch.full_like(delta, 0.05))


@pytest.mark.parametrize("leaks", [False, True])
def test_weight_gradients_leak_only_on_request(leaks):
    layer = nn.Linear(3 * 4 * 4, 1)
    attack = Attack(epsilon=0.1, step_size=0.1, steps=2, leaks_weight_gradients=leaks)
    pgd(lambda x: layer(x.flatten(1)).sum(), IMAGES, attack)
    assert (layer.weight.grad is not None) is leaks


def test_random_start_follows_its_generator():
    attack = Attack(epsilon=0.1, step_size=0.1, steps=1, random_start=True)
    draws = [start(IMAGES, attack, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2)]
    assert torch.equal(draws[0], draws[1])
    assert not torch.equal(draws[0], draws[2])


def test_free_perturbation_survives_batches_within_the_new_images_range():
    attack = Attack(epsilon=0.2, step_size=0.2, steps=1)
    free = FreePerturbation(attack, projects_onto_new_images=True)
    bright, dark = torch.full((1, 3, 2, 2), 0.5), torch.zeros(1, 3, 2, 2)
    assert free.onto(bright).abs().max() == 0
    free.ascend(-torch.ones_like(bright), bright)
    torch.testing.assert_close(free.delta, torch.full_like(bright, -0.2))
    torch.testing.assert_close(free.onto(bright), torch.full_like(bright, -0.2))
    assert free.onto(dark).abs().max() == 0


def test_released_free_perturbation_is_not_projected_onto_new_images():
    free = FreePerturbation(Attack(epsilon=0.2, step_size=0.2, steps=1), projects_onto_new_images=False)
    bright, dark = torch.full((1, 3, 2, 2), 0.5), torch.zeros(1, 3, 2, 2)
    free.onto(bright)
    free.ascend(-torch.ones_like(bright), bright)
    torch.testing.assert_close(free.onto(dark), torch.full_like(dark, -0.2))


def test_project_is_idempotent():
    delta = project(torch.randn(IMAGES.shape, generator=torch.Generator().manual_seed(2)), IMAGES, 0.1)
    torch.testing.assert_close(project(delta, IMAGES, 0.1), delta)


def test_open_fields_follow_the_source():
    free, pgd_config = AdversaryConfig(name="free"), AdversaryConfig(name="pgd")
    assert resolve(free, "emp_ssl", "paper").step_size == free.epsilon
    assert resolve(free, "emp_ssl", "released_code").step_size == 1e-2
    assert resolve(pgd_config, "emp_ssl", "paper").step_size == 1e-2
    assert not resolve(pgd_config, "emp_ssl", "paper").random_start
    assert resolve(pgd_config, "nt_xent", "paper").random_start
    assert not resolve(pgd_config, "nt_xent", "released_code").random_start
    assert resolve(pgd_config, "emp_ssl", "released_code").leaks_weight_gradients
    assert not resolve(free, "emp_ssl", "released_code").leaks_weight_gradients


def test_why_nt_xent_starts_at_random():
    """At a zero start a view equals its adversary: the attraction between them has no slope, away from it it has."""
    model = build(NetworkConfig(width=4, depth=10, pre_feature=8, projector_hidden=8, embedding=8), seed=0).eval()
    anchors = model(IMAGES).detach()

    def slope(delta: Tensor) -> float:
        delta = delta.clone().requires_grad_()
        similarity = (anchors * model(IMAGES + delta)).sum()
        return float(torch.autograd.grad(similarity, delta)[0].abs().max())

    attack = Attack(epsilon=8 / 255, step_size=1e-2, steps=1, random_start=True)
    moved = start(IMAGES, attack, torch.Generator().manual_seed(0))
    assert slope(moved) > 100 * slope(torch.zeros_like(IMAGES))


def test_pgd_raises_the_contrastive_loss():
    model = build(NetworkConfig(width=4, depth=10, pre_feature=8, projector_hidden=8, embedding=8), seed=0).eval()
    anchors = model(IMAGES).detach()

    def loss(images: Tensor) -> Tensor:
        return contrastive(torch.stack([anchors, model(images)]), 0.5)

    attack = Attack(epsilon=8 / 255, step_size=1e-2, steps=5, random_start=True)
    delta = pgd(loss, IMAGES, attack, torch.Generator().manual_seed(0))
    with torch.no_grad():
        assert loss(IMAGES + delta) > loss(IMAGES)
