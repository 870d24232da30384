"""Selection is what an independent implementation finds, and leaves no trace."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor

from trainables.config import ConfigError, CoresetConfig
from trainables.coresets.projector import Projector
from trainables.coresets.rcs import Divergence
from trainables.models import branch


class Naive:
    """The algorithm from its definition: all gradients kept, all images attacked at once, on a copy of the model."""

    def __init__(self, problem, *, divergence="kl", epsilon=8 / 255, steps=3, seed=0, split=2):
        self.problem, self.divergence = problem, divergence
        self.epsilon, self.steps, self.split = epsilon, steps, split
        self.model = copy.deepcopy(problem.model).eval()
        self.layers = [layer for layer in self.model.projector.modules() if hasattr(layer, "in_features")]
        self.random = torch.Generator().manual_seed(seed)

    def select(self, budget: int, learning_rate: float) -> list[int]:
        batches = self.problem.batches
        kept = [self.full(self.problem.loss_on(self.model, batch)) for batch in batches]
        picks: list[int] = []
        while len(picks) < budget:
            gradient = self.mean(self.full(self.value()))
            gains = {i: float(self.mean(full) @ gradient) for i, full in enumerate(kept) if i not in picks}
            picks.append(max(gains, key=gains.__getitem__))
            for weight, moved in zip(self.weights(), kept[picks[-1]], strict=True):
                weight.data -= learning_rate * moved
        return picks

    def value(self, images: Tensor | None = None) -> Tensor:
        images = self.problem.validation if images is None else images
        with branch(self.model, "clean"):
            clean = self.model.project(images)
        starts = [
            torch.empty_like(part).uniform_(-self.epsilon, self.epsilon, generator=self.random)
            for part in images.split(self.split)
        ]
        adversarial = (images + torch.cat(starts)).clamp(0, 1)
        for _ in range(self.steps):
            adversarial.requires_grad_()
            value = self.between(self.project(adversarial), clean.detach())
            (gradient,) = torch.autograd.grad(value, adversarial)
            adversarial = adversarial.detach() + 10 / 255 / self.steps * gradient.sign()
            adversarial = adversarial.clamp(images - self.epsilon, images + self.epsilon).clamp(0, 1)
        return self.between(self.project(adversarial), clean)

    def project(self, images: Tensor) -> Tensor:
        with branch(self.model, "adversarial"):
            return self.model.project(images)

    def between(self, adversarial: Tensor, clean: Tensor) -> Tensor:
        if self.divergence == "js":
            p, q = adversarial.softmax(1), clean.softmax(1)
            m = (p + q) / 2
            return (m * (m / p).log() + m * (m / q).log()).mean() / 2
        p, q = ((z - z.amin(1, True)) / (z.amax(1, True) - z.amin(1, True)) + 1e-8 for z in (adversarial, clean))
        return (p * (p / q).log()).mean()

    def weights(self) -> list[Tensor]:
        return [weight for layer in self.layers for weight in (layer.weight, layer.bias) if weight is not None]

    def full(self, value: Tensor) -> list[Tensor]:
        self.model.zero_grad()
        value.backward()
        return [weight.grad.clone() for weight in self.weights()]

    def mean(self, full: list[Tensor]) -> Tensor:
        if len(self.layers) == 1:
            return torch.cat([gradient.reshape(-1) for gradient in full])
        return torch.cat([gradient.sum(0).reshape(-1) / len(gradient) for gradient in full])


NETWORKS = [{}, {"dual_batch_norm": True}, {"pre_feature": None, "projector_layers": 3}, {"classes": 4}]


@pytest.mark.parametrize("divergence", ["kl", "js"])
@pytest.mark.parametrize("network", NETWORKS, ids=str)
def test_divergence_gradient(make_problem, divergence, network):
    problem = make_problem(**network)
    config = CoresetConfig(name="rcs", divergence=divergence)
    random = torch.Generator().manual_seed(1)
    measured = Divergence(problem.model.eval(), problem.validation.split(2), config, 8 / 255, random)
    actual = measured.gradient(Projector(problem.model.projector, 1.0))
    naive = Naive(problem, divergence=divergence, seed=1)
    expected = naive.mean(naive.full(naive.value()))
    torch.testing.assert_close(actual, expected, rtol=0, atol=1e-9 * float(expected.abs().max()))


@pytest.mark.parametrize("divergence", ["kl", "js"])
def test_the_averaged_gradient_to_the_last_layer_is_zero(problem, divergence):
    """Why a layer that stands alone is not averaged."""
    naive = Naive(problem, divergence=divergence)
    *_, weight, bias = naive.full(naive.value())
    for gradient in (weight, bias):
        assert gradient.mean(0).abs().max() < 1e-12 * gradient.abs().max()


@pytest.mark.parametrize("divergence", ["kl", "js"])
@pytest.mark.parametrize("network", NETWORKS, ids=str)
def test_picks(make_problem, divergence, network):
    problem = make_problem(**network)
    # At such a rate a projector left alone would pick otherwise.
    picks, unmoved = (problem.select(budget=6, learning_rate=rate, divergence=divergence) for rate in (3e3, 1e-9))
    assert picks == Naive(problem, divergence=divergence).select(6, 3e3)
    assert picks[0] == unmoved[0]
    assert picks != unmoved


def test_picks_follow_the_minibatches(problem):
    order = [4, 2, 6, 0, 5, 1, 3]
    picks = problem.select(lambda index: problem.loss(order[index]), budget=5)
    assert [order[index] for index in picks] == problem.select(budget=5)


def test_picks_follow_the_seed_alone(problem):
    def picks(seed: int, global_seed: int) -> list[int]:
        torch.manual_seed(global_seed)
        # In so wide a ball the starts outweigh the steps.
        return problem.select(budget=5, seed=seed, learning_rate=3e3, epsilon=0.5)

    assert picks(1, 1) == picks(1, 2)
    assert picks(1, 1) != picks(2, 1)


@pytest.mark.parametrize("divergence", ["kl", "js"])
def test_helpful_minibatches_are_preferred_to_harmful_ones(problem, divergence):
    """Planted: minibatches whose loss is the divergence of other images, and some whose loss is minus that."""
    helpful = {1, 2, 5}

    def loss(index: int) -> Tensor:
        naive = Naive(problem, divergence=divergence, seed=index)
        naive.model = problem.model
        apart = naive.value(problem.batches[index])
        return apart if index in helpful else -apart

    assert set(problem.select(loss, budget=3, divergence=divergence)) == helpful


def test_each_loss_is_computed_once_and_again_when_a_step_needs_it(problem):
    calls: list[int] = []

    def loss(index: int) -> Tensor:
        assert not any(module.training for module in problem.model.modules())
        calls.append(index)
        return problem.loss(index)

    picks = problem.select(loss, budget=4)
    assert calls == [*range(7), *picks[:-1]]


def trace(model: torch.nn.Module) -> list[object]:
    """All that a selection might change, by value."""
    state = [tensor.tolist() for tensor in (*model.parameters(), *model.buffers())]
    flags = [(p.requires_grad, p.grad if p.grad is None else p.grad.tolist()) for p in model.parameters()]
    modes = [(module.training, getattr(module, "active", None)) for module in model.modules()]
    return [state, flags, modes, torch.random.get_rng_state().tolist()]


@pytest.mark.parametrize("fails_at", [None, 3, 8], ids=["succeeds", "fails on a candidate", "fails on a step"])
@pytest.mark.parametrize("network", NETWORKS[:2], ids=str)
def test_no_trace(make_problem, network, fails_at):
    """Although each loss here leaks gradients, moves running statistics and draws from the global random state."""
    problem = make_problem(**network)
    model = problem.model.train()
    model.backbone.eval()
    first, *_, last = model.parameters()
    first.requires_grad_(False)
    last.grad = torch.ones_like(last)
    calls = 0

    def loss(index: int) -> Tensor:
        nonlocal calls
        calls += 1
        if calls - 1 == fails_at:
            raise ArithmeticError("planted")
        torch.rand(())
        model.train()
        problem.loss(index).backward()
        model.eval()
        return problem.loss(index)

    before = trace(model)
    if fails_at is None:
        problem.select(loss)
    else:
        with pytest.raises(ArithmeticError, match="planted"):
            problem.select(loss)
    assert trace(model) == before
    assert calls > 3


def test_without_validation_images(problem):
    problem.validation = problem.validation[:0]
    with pytest.raises(ConfigError, match=r"coreset.validation_fraction is 0.01, which is no image; raise it"):
        problem.select()


def test_an_impossible_budget(problem):
    with pytest.raises(ValueError, match="budget is 8 of 7 minibatches"):
        problem.select(budget=8)
