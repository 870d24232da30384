"""Small vision transformers against torchvision's own parts and against a count by hand."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torchvision.models.vision_transformer import VisionTransformer

from trainables.config import ConfigError, NetworkConfig
from trainables.models import build
from trainables.models.vit import backbone


def noise(size: int = 32) -> Tensor:
    return torch.rand(2, 3, size, size, generator=torch.Generator().manual_seed(0))


def count(width: int, patch: int, tokens: int) -> int:
    """Patches, class token and positions; twelve blocks of attention, hidden layer of 4 width and two norms; a norm."""
    embedding = 3 * patch**2 * width + width + width + (tokens + 1) * width
    attention, hidden, norms = 4 * width**2 + 4 * width, 8 * width**2 + 5 * width, 4 * width
    return embedding + 12 * (attention + hidden + norms) + 2 * width


@pytest.mark.parametrize(("name", "width"), [("vit_tiny", 192), ("vit_small", 384)])
@pytest.mark.parametrize(("patch", "size"), [(4, 32), (8, 32), (2, 8)])
def test_parameters_are_as_many_as_counted_by_hand(name, width, patch, size):
    with torch.device("meta"):
        model, features = backbone(NetworkConfig(architecture=name, patch_size=patch), size)
    assert features == width
    assert sum(parameter.numel() for parameter in model.parameters()) == count(width, patch, (size // patch) ** 2)


@pytest.mark.parametrize(("name", "width", "heads"), [("vit_tiny", 192, 3), ("vit_small", 384, 6)])
def test_weights_load_into_torchvision_and_compute_the_same(name, width, heads):
    ours = build(NetworkConfig(architecture=name, pre_feature=None, embedding=8), seed=1).backbone.eval()
    with torch.device("meta"):
        theirs = VisionTransformer(32, 4, 12, heads, width, 4 * width)
    theirs.heads = nn.Identity()
    theirs.load_state_dict(ours.state_dict(), strict=True, assign=True)
    output = ours(noise())
    assert output.shape == (2, width)
    assert torch.equal(output, theirs.eval()(noise()))


def test_dropout_acts_in_training_alone():
    dropping = build(NetworkConfig(architecture="vit_tiny", patch_size=8, dropout=0.5), seed=0).backbone
    sure = build(NetworkConfig(architecture="vit_tiny", patch_size=8), seed=0).backbone
    with torch.random.fork_rng(devices=[]):
        assert not torch.equal(dropping(noise()), dropping(noise()))
    assert torch.equal(sure(noise()), sure(noise()))
    assert torch.equal(dropping.eval()(noise()), sure.eval()(noise()))


def test_patches_must_tile_the_image():
    with pytest.raises(
        ConfigError, match=r"network\.patch_size is 5.*data\.image_size 12; choose one of 1, 2, 3, 4, 6"
    ):
        build(NetworkConfig(architecture="vit_tiny", patch_size=5), seed=0, image_size=12)
