"""BatchNorm in two branches, and passes that leave the running statistics alone."""

from __future__ import annotations

import pytest
import torch
import torchvision
from torch import Tensor, nn

from trainables.config import ConfigError, NetworkConfig
from trainables.models import DualBatchNorm, Encoder, branch, build, frozen_statistics, single_branch

SIZES = {"width": 4, "depth": 10, "pre_feature": 16, "projector_hidden": 16, "embedding": 8}
BRANCHES = ("clean", "adversarial")


def dual() -> Encoder:
    return build(NetworkConfig(dual_batch_norm=True, **SIZES), seed=0)


def single() -> Encoder:
    return build(NetworkConfig(**SIZES), seed=0)


def noise(seed: int = 0) -> Tensor:
    return torch.rand(6, 3, 8, 8, generator=torch.Generator().manual_seed(seed))


def settled() -> Encoder:
    """A dual encoder whose branches differ in statistics and weights."""
    model = dual()
    for seed, name in enumerate(BRANCHES):
        random = torch.Generator().manual_seed(seed)
        with branch(model, name):
            model(noise(seed) * (seed + 1))
        for norm in (module.get_submodule(name) for module in model.modules() if isinstance(module, DualBatchNorm)):
            nn.init.uniform_(norm.weight, 0.5, 2, generator=random)
            nn.init.normal_(norm.bias, generator=random)
    return model.eval()


def snapshot(model: nn.Module) -> dict[str, Tensor]:
    return {key: value.clone() for key, value in model.state_dict().items()}


def moved(before: dict[str, Tensor], model: nn.Module) -> set[str]:
    """Keys whose values differ from ``before``."""
    return {key for key, value in model.state_dict().items() if not torch.equal(before[key], value)}


def test_every_batch_norm_is_doubled_and_nothing_else():
    model = dual()
    plain = [name for name, module in single().named_modules() if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d)]
    assert [name for name, module in model.named_modules() if isinstance(module, DualBatchNorm)] == plain
    assert {name.split(".")[0] for name in plain} == {"backbone", "pre_feature", "projector"}


@pytest.mark.parametrize("name", BRANCHES)
def test_a_fresh_dual_encoder_has_the_single_ones_weights(name):
    ours, theirs = single_branch(dual().state_dict(), name), single().state_dict()
    assert list(ours) == list(theirs)
    assert all(torch.equal(ours[key], theirs[key]) for key in theirs)


@pytest.mark.parametrize("name", BRANCHES)
def test_a_pass_moves_the_statistics_of_its_branch_alone(name):
    model = dual()
    before = snapshot(model)
    with branch(model, name):
        model(noise())
    norms = [key for key, module in model.named_modules() if isinstance(module, DualBatchNorm)]
    statistics = ("running_mean", "running_var", "num_batches_tracked")
    assert moved(before, model) == {f"{norm}.{name}.{statistic}" for norm in norms for statistic in statistics}


@pytest.mark.parametrize(("name", "other"), [BRANCHES, BRANCHES[::-1]])
def test_the_gradient_reaches_the_used_branch_and_the_shared_weights(name, other):
    model = dual()
    with branch(model, name):
        (model(noise()) * torch.arange(8)).sum().backward()
    without = {key for key, parameter in model.named_parameters() if parameter.grad is None}
    assert without == {key for key, _ in model.named_parameters() if f".{other}." in key}


def test_outside_any_branch_the_adversarial_one_is_used():
    model = settled()
    output = model(noise(5))
    with branch(model, "adversarial"):
        assert torch.equal(model(noise(5)), output)
    with branch(model, "clean"):
        assert not torch.allclose(model(noise(5)), output, atol=1e-3)
        with branch(model, "adversarial"):
            assert torch.equal(model(noise(5)), output)
        assert not torch.allclose(model(noise(5)), output, atol=1e-3)
    with pytest.raises(KeyError), branch(model, "clean"):
        raise KeyError
    assert torch.equal(model(noise(5)), output)


def test_a_branch_of_a_plain_encoder_changes_nothing():
    model = single().eval()
    output = model(noise())
    with branch(model, "clean"):
        assert torch.equal(model(noise()), output)


def test_an_unknown_branch_is_an_error():
    with (
        pytest.raises(ValueError, match="branch is 'robust'; choose one of clean, adversarial"),
        branch(dual(), "robust"),
    ):
        pass


@pytest.mark.parametrize("name", BRANCHES)
def test_a_single_branch_computes_what_the_dual_encoder_does(name):
    model, exported = settled(), single().eval()
    exported.load_state_dict(single_branch(model.state_dict(), name), strict=True)
    with branch(model, name):
        assert torch.equal(exported(noise(5)), model(noise(5)))


def test_the_adversarial_backbone_loads_into_torchvision():
    model = build(NetworkConfig(dual_batch_norm=True, stem="imagenet", pre_feature=None, embedding=8), seed=0)
    theirs = torchvision.models.resnet18()
    theirs.fc = nn.Identity()
    theirs.to(memory_format=torch.channels_last)  # as ours, so that both compute in the same order
    images = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    model(images)
    theirs.load_state_dict(single_branch(model.backbone.state_dict()), strict=True)
    assert torch.equal(theirs.eval()(images), model.eval().features(images))


def test_a_state_without_dual_norms_stays_as_it_is():
    state = single().state_dict()
    assert single_branch(state).keys() == state.keys()


def test_a_network_without_batch_norm_has_nothing_to_double():
    bare = {"architecture": "vit_tiny", "dual_batch_norm": True, "pre_feature": None}
    with pytest.raises(ConfigError, match=r"network\.dual_batch_norm is true, but this vit_tiny has no BatchNorm"):
        build(NetworkConfig(projector_layers=1, **bare), seed=0)
    with torch.device("meta"):
        model = Encoder(NetworkConfig(projector_layers=3, **bare))
    assert sum(isinstance(module, DualBatchNorm) for module in model.modules()) == 2


@pytest.mark.parametrize("make", [single, dual])
def test_frozen_statistics_stay_and_the_batchs_own_are_used(make):
    model = make()
    model(noise(1))
    before = snapshot(model)
    with frozen_statistics(model):
        frozen = model(noise(2))
    assert moved(before, model) == set()
    assert torch.equal(model(noise(2)), frozen)
    assert moved(before, model)


@pytest.mark.parametrize("make", [single, dual])
def test_frozen_statistics_in_evaluation_are_those_that_run(make):
    model = make()
    model(noise(1))
    output = model.eval()(noise(2))
    with frozen_statistics(model):
        assert torch.equal(model(noise(2)), output)
