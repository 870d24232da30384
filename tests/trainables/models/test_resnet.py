"""Residual networks against torchvision's own."""

from __future__ import annotations

import pytest
import torch
import torchvision
from torch import Tensor, nn

from trainables.config import NetworkConfig
from trainables.models import build
from trainables.models.resnet import backbone

NAMES = ("resnet18", "resnet34", "resnet50")
STEM_DIFFERENCE = 3 * 64 * (7 * 7 - 3 * 3)


def reference(name: str) -> nn.Module:
    """torchvision's network without its classifier and without values."""
    with torch.device("meta"):
        model = torchvision.models.get_model(name, weights=None)
    model.fc = nn.Identity()
    return model


def parameters(model: nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


def noise(*shape: int) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("stem", "fewer"), [("imagenet", 0), ("cifar", STEM_DIFFERENCE)])
def test_parameters_are_as_many_as_torchvisions(name, stem, fewer):
    with torch.device("meta"):
        model, size = backbone(NetworkConfig(architecture=name, stem=stem))
    assert parameters(model) == parameters(reference(name)) - fewer
    assert size == (2048 if name == "resnet50" else 512)


@pytest.mark.parametrize("name", ["resnet18", "resnet50"])
def test_weights_load_into_torchvision_and_compute_the_same(name):
    ours = build(NetworkConfig(architecture=name, stem="imagenet", pre_feature=None, embedding=8), seed=1).backbone
    ours(noise(2, 3, 64, 64))  # so that the running statistics are not the initial ones
    theirs = reference(name)
    theirs.load_state_dict(ours.state_dict(), strict=True, assign=True)
    images = noise(2, 3, 48, 48)
    for training in (False, True):
        assert torch.equal(ours.train(training)(images), theirs.train(training)(images))


@pytest.mark.parametrize("name", NAMES)
def test_half_the_width_halves_every_channel_but_the_colours(name):
    with torch.device("meta"):
        half = backbone(NetworkConfig(architecture=name, stem="imagenet", width=32))[0].state_dict()
    for key, full in reference(name).state_dict().items():
        channels = [size if size == 3 else size // 2 for size in full.shape[:2]]
        assert half[key].shape == (*channels, *full.shape[2:]), key


@pytest.mark.parametrize(("depth", "blocks"), [(10, [1, 1, 1, 1]), (18, [2, 2, 2, 2]), (34, [3, 4, 6, 3])])
@pytest.mark.parametrize("name", ["resnet18", "resnet34"])
def test_depth_overrides_the_architecture(name, depth, blocks):
    with torch.device("meta"):
        model, _ = backbone(NetworkConfig(architecture=name, depth=depth, width=4))
    assert [len(model.get_submodule(f"layer{stage}")) for stage in (1, 2, 3, 4)] == blocks


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("stem", ["cifar", "imagenet"])
def test_output_is_pooled_features(name, stem):
    model, size = backbone(NetworkConfig(architecture=name, stem=stem, width=4))
    assert model(noise(2, 3, 32, 32)).shape == (2, size)


def test_stem_for_small_images_keeps_their_resolution():
    model, _ = backbone(NetworkConfig(width=4, depth=10))
    shapes = []
    model.layer1.register_forward_hook(lambda module, inputs, output: shapes.append(output.shape[-2:]))
    model(noise(2, 3, 32, 32))
    assert shapes == [(32, 32)]
