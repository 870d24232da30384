from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from trainables.optim import Lars, cosine_rate


def model_from(numbers: dict[str, torch.Tensor]) -> nn.Module:
    model = nn.Sequential(nn.Linear(6, 5), nn.BatchNorm1d(5), nn.ReLU(), nn.Linear(5, 3)).double()
    named = dict(model.named_parameters())
    with torch.no_grad():
        for key, value in numbers.items():
            if key.startswith("init/"):
                named[key.removeprefix("init/")].copy_(value)
    return model


def test_golden_steps(golden):
    numbers = golden("lars_nesterov_cosine")
    model = model_from(numbers)
    named = dict(model.named_parameters())
    optimiser = Lars(model.parameters(), learning_rate=0.3, momentum=0.9, weight_decay=1e-4, eta=0.005)
    for step in range(6):
        rate = cosine_rate(step, 8, 0.3)
        assert rate == pytest.approx(float(numbers[f"lr/{step}"]), rel=1e-9)
        optimiser.param_groups[0]["lr"] = rate
        for name, parameter in named.items():
            parameter.grad = numbers[f"grad/{step}/{name}"].clone()
        optimiser.step()
        for name, parameter in named.items():
            torch.testing.assert_close(
                parameter.detach(), numbers[f"param/{step}/{name}"], rtol=1e-9, atol=1e-12, msg=f"{name} at {step}"
            )


def test_zero_weights_take_the_plain_rate():
    weight = nn.Parameter(torch.zeros(2, 2, dtype=torch.float64))
    optimiser = Lars([weight], learning_rate=0.5, momentum=0.0, weight_decay=0.1, eta=0.005)
    weight.grad = torch.ones_like(weight)
    optimiser.step()
    torch.testing.assert_close(weight.detach(), torch.full((2, 2), -0.5, dtype=torch.float64))


def test_a_weight_without_a_slope_does_not_decay():
    """As released: decay is part of the adaptive rate, which neither norm may lack."""
    weight = nn.Parameter(torch.ones(2, 2))
    optimiser = Lars([weight], learning_rate=0.5, momentum=0.9, weight_decay=0.1, eta=0.005)
    weight.grad = torch.zeros_like(weight)
    optimiser.step()
    assert torch.equal(weight.detach(), torch.ones(2, 2))


def test_cosine_ends_at_zero_and_comes_back():
    assert cosine_rate(0, 10, 0.3) == 0.3
    assert cosine_rate(10, 10, 0.3) == pytest.approx(0, abs=1e-15)
    assert cosine_rate(5, 10, 0.3) == pytest.approx(0.15)
    assert cosine_rate(20, 10, 0.3) == pytest.approx(0.3)
    assert math.isclose(cosine_rate(13, 10, 0.3), cosine_rate(7, 10, 0.3))


def test_the_scaled_form_is_layer_wise_scaling_as_published():
    """p - lr eta |p| / (|g| + wd |p|) (g + wd p) for every parameter, momentum over the scaled gradients."""
    torch.manual_seed(0)
    parameters = [nn.Parameter(torch.randn(3, 2, dtype=torch.float64)), nn.Parameter(torch.randn(4).double())]
    expected, buffers = [p.detach().clone() for p in parameters], [torch.zeros_like(p) for p in parameters]
    optimiser = Lars(
        parameters, learning_rate=5.0, momentum=0.9, weight_decay=1e-2, eta=1e-3, form="scaled", nesterov=False
    )
    for _ in range(3):
        for index, parameter in enumerate(parameters):
            parameter.grad = torch.randn_like(parameter)
            value, slope = expected[index], parameter.grad
            local = 1e-3 * value.norm() / (slope.norm() + 1e-2 * value.norm())
            buffers[index] = 0.9 * buffers[index] + local * (slope + 1e-2 * value)
            expected[index] = value - 5.0 * buffers[index]
        optimiser.step()
        for parameter, value in zip(parameters, expected, strict=True):
            torch.testing.assert_close(parameter.detach(), value, rtol=1e-6, atol=1e-9)


def test_warm_up_climbs_to_the_peak_and_the_cosine_starts_there():
    rates = [cosine_rate(step, 14, 0.4, warmup_steps=4) for step in range(15)]
    assert rates[:5] == pytest.approx([0.1, 0.2, 0.3, 0.4, 0.4])
    assert rates[9] == pytest.approx(0.2)
    assert rates[14] == pytest.approx(0, abs=1e-15)
