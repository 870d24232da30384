"""Coordinates and steps in thought equal their definitions."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from trainables.coresets.projector import Projector


def network() -> nn.Sequential:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        layers = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.ReLU(), nn.Linear(4, 2, bias=False))
        return layers.double().eval()


def data(seed: int) -> Tensor:
    return torch.randn(5, 3, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def linear(layers: nn.Sequential) -> list[nn.Parameter]:
    return [layers[0].weight, layers[0].bias, layers[3].weight]


def test_coordinates_are_means_over_output_units_and_normalisations_have_none():
    layers = network()
    actual = Projector(layers, 1.0).coordinates(layers(data(0)).square().mean())
    layers(data(0)).square().mean().backward()
    expected = [sum(rows) / len(rows) for rows in (parameter.grad for parameter in linear(layers))]
    torch.testing.assert_close(actual, torch.cat([mean.reshape(-1) for mean in expected]), rtol=1e-12, atol=0)
    assert actual.shape == (3 + 1 + 4,)


def test_a_lone_layer_keeps_its_whole_gradient():
    layer = network()[0]
    actual = Projector(layer, 1.0).coordinates(layer(data(0)).square().mean())
    layer(data(0)).square().mean().backward()
    assert torch.equal(actual, torch.cat([layer.weight.grad.flatten(), layer.bias.grad]))


def test_steps_add_up_gradients_taken_at_the_origin():
    layers, rate = network(), 0.3
    origin = copy.deepcopy(layers)
    projector = Projector(layers, rate)
    for seed in (1, 2):
        projector.step(lambda seed=seed: layers(data(seed)).square().mean())
    # The sum of both losses has both gradients' sum.
    (origin(data(1)).square().mean() + origin(data(2)).square().mean()).backward()
    for moved, before in zip(linear(layers), linear(origin), strict=True):
        assert before.grad is not None
        torch.testing.assert_close(moved.detach(), before.detach() - rate * before.grad, rtol=0, atol=1e-14)
        assert not torch.equal(moved, before)
    assert torch.equal(layers[1].weight, origin[1].weight)


def test_a_loss_sees_the_origin_while_a_step_is_taken():
    layers = network()
    origin = layers[0].weight.detach().clone()
    projector = Projector(layers, 1.0)
    seen = []

    def loss() -> Tensor:
        seen.append(torch.equal(layers[0].weight, origin))
        return layers(data(0)).sum()

    projector.step(loss)
    projector.step(loss)
    assert seen == [True, True]
    assert not torch.equal(layers[0].weight, origin)
