"""Activation recomputation saves memory and changes nothing else, bit for bit."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch import Tensor

from trainables import checkpoint
from trainables.adversaries import Attack, pgd
from trainables.config import ConfigError, NetworkConfig, override
from trainables.models import Encoder, branch, build, frozen_statistics

SMALL = {"pre_feature": 16, "projector_hidden": 16, "embedding": 8}
RESNET = {"width": 4, "depth": 10, **SMALL}
NETWORKS: list[dict[str, Any]] = [
    RESNET,
    {**RESNET, "dual_batch_norm": True},
    {"architecture": "resnet50", "width": 2, **SMALL},
    {"architecture": "vit_tiny", "patch_size": 8, "dropout": 0.2, **SMALL},
    {"architecture": "mobilenet_v3_small", "dropout": 0.2, **SMALL},
    {"architecture": "shufflenet_v2_x0_5", **SMALL},
]


def encoder(settings: dict[str, Any], *, recompute: bool) -> Encoder:
    return build(NetworkConfig(**settings, recompute=recompute), seed=0)


def images(seed: int = 0) -> Tensor:
    return torch.rand(4, 3, 32, 32, generator=torch.Generator().manual_seed(seed))


def gradients(model: Encoder, inputs: Tensor) -> list[Tensor]:
    """To the images and to all weights, of a loss without symmetries."""
    inputs = inputs.clone().requires_grad_()
    torch.manual_seed(3)
    (model(inputs) * torch.arange(8)).sum().backward()
    found = [inputs.grad, *(parameter.grad for parameter in model.parameters())]
    return [gradient for gradient in found if gradient is not None]


def saved_bytes(model: Encoder) -> int:
    """Memory that a forward pass leaves for the backward pass."""
    sizes: dict[int, int] = {}

    def pack(tensor: Tensor) -> Tensor:
        sizes[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        output = model(images())
    assert output.requires_grad
    return sum(sizes.values())


def same(left: list[Tensor], right: list[Tensor]) -> bool:
    return len(left) == len(right) and all(map(torch.equal, left, right))


@pytest.mark.parametrize("settings", NETWORKS, ids=lambda settings: settings.get("architecture", "resnet10"))
def test_gradients_statistics_and_dropout_are_the_same_to_the_bit(settings):
    plain, recomputing = encoder(settings, recompute=False), encoder(settings, recompute=True)
    assert list(plain.state_dict()) == list(recomputing.state_dict())
    assert same(gradients(plain, images()), gradients(recomputing, images()))
    assert same(list(plain.state_dict().values()), list(recomputing.state_dict().values()))


@pytest.mark.parametrize("settings", NETWORKS, ids=lambda settings: settings.get("architecture", "resnet10"))
def test_less_is_kept_for_the_backward_pass(settings):
    kept, without = saved_bytes(encoder(settings, recompute=True)), saved_bytes(encoder(settings, recompute=False))
    assert kept < 0.6 * without


def test_the_second_run_uses_the_branch_and_the_mode_of_the_first():
    """A backward pass that comes when branch, mode and frozen statistics have changed is still the first run's."""
    found = []
    for recompute in (False, True):
        model = encoder({**RESNET, "dual_batch_norm": True}, recompute=recompute)
        with branch(model, "clean"):
            clean = model(images(1))
        with frozen_statistics(model):
            adversarial = model(images(2))
        evaluated = model.eval()(images(3))
        model.train()
        (torch.stack([clean, adversarial, evaluated]) * torch.arange(8)).sum().backward()
        found.append([*(p.grad for p in model.parameters() if p.grad is not None), *model.state_dict().values()])
    assert same(*found)


def test_an_attack_through_recomputed_blocks_is_the_same():
    attack = Attack(epsilon=8 / 255, step_size=2 / 255, steps=3, random_start=True)
    deltas = []
    for recompute in (False, True):
        model = encoder(RESNET, recompute=recompute)
        deltas.append(
            pgd(
                lambda perturbed, model=model: (model(perturbed) * torch.arange(8)).sum(),
                images(),
                attack,
                torch.Generator().manual_seed(0),
            )
        )
    assert torch.equal(*deltas)


def test_a_copy_recomputes_its_own_blocks():
    model = encoder(RESNET, recompute=True)
    twin = copy.deepcopy(model)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()
    plain = encoder(RESNET, recompute=False)
    assert same(gradients(twin, images()), gradients(plain, images()))


def test_a_network_without_blocks_is_refused():
    with pytest.raises(ConfigError, match=r"network\.recompute is true, but squeezenet1_1 has no residual"):
        build(NetworkConfig(architecture="squeezenet1_1", recompute=True, **SMALL), seed=0)


def test_it_may_change_within_a_trial(tiny_config, tmp_path):
    """One that ran out of memory goes on from its checkpoint with it."""
    config = tiny_config("cf_amc_ssl")
    checkpoint.save(tmp_path / "c.pt", config, {"epoch": 1})
    assert checkpoint.load(tmp_path / "c.pt", override(config, {"network.recompute": True})) == {"epoch": 1}
