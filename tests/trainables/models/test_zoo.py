"""torchvision's classifiers by name. Where values do not matter, networks are built without any (``meta``)."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torchvision.models import get_model
from torchvision.ops import StochasticDepth

from trainables.config import ConfigError, NetworkConfig
from trainables.models import build
from trainables.models.zoo import backbone, names


def noise() -> Tensor:
    return torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))


def small(architecture: str, **changes: object) -> NetworkConfig:
    return NetworkConfig(architecture=architecture, pre_feature=None, projector_layers=1, embedding=8, **changes)


@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("convnext_tiny", 768),
        ("densenet121", 1024),
        ("efficientnet_b0", 1280),
        ("googlenet", 1024),
        ("mobilenet_v3_small", 1024),
        ("squeezenet1_1", 512),
        ("swin_t", 768),
        ("vgg11_bn", 4096),
        ("vit_b_16", 768),
        ("wide_resnet50_2", 2048),
    ],
)
def test_output_is_what_the_classifier_read(name, size):
    with torch.device("meta"):
        model, found = backbone(small(name), 32)
        assert found == size
        assert model(torch.zeros(2, 3, 32, 32)).shape == (2, size)
    assert model.training


@pytest.mark.parametrize("name", ["mobilenet_v3_small", "regnet_y_400mf", "shufflenet_v2_x0_5"])
def test_classifier_on_our_features_gives_torchvisions_logits(name):
    ours = build(small(name), seed=0).backbone.eval()
    theirs = get_model(name, weights=None).eval()
    loaded = theirs.load_state_dict(ours.state_dict(), strict=False)
    name, last = [(name, module) for name, module in theirs.named_modules() if isinstance(module, nn.Linear)][-1]
    assert (loaded.missing_keys, loaded.unexpected_keys) == ([f"{name}.weight", f"{name}.bias"], [])
    torch.testing.assert_close(last(ours(noise())), theirs(noise()))


def test_nothing_is_drawn_in_training_unless_dropout_is_asked_for():
    plain, dropping = build(small("efficientnet_b0"), seed=0), build(small("efficientnet_b0", dropout=0.3), seed=0)
    assert any(isinstance(module, StochasticDepth) for module in plain.modules())
    with torch.random.fork_rng(devices=[]):
        before = torch.get_rng_state()
        plain(noise())
        assert torch.equal(torch.get_rng_state(), before)
        dropping(noise())
        assert not torch.equal(torch.get_rng_state(), before)
    assert {module.p for module in dropping.modules() if isinstance(module, nn.Dropout)} == {0.3}


def test_dropout_where_there_is_none_is_refused():
    with pytest.raises(ConfigError, match=r"network\.dropout is 0\.3, but shufflenet_v2_x0_5 has no dropout"):
        build(small("shufflenet_v2_x0_5", dropout=0.3), seed=0)


@pytest.mark.parametrize("name", ["alexnet", "inception_v3", "maxvit_t", "vit_h_14"])
def test_images_too_small_are_refused_in_one_line(name):
    with (
        torch.device("meta"),
        pytest.raises(ConfigError, match=f"'{name}', which cannot take images of 32 pixels") as error,
    ):
        build(small(name), seed=0)
    assert "\n" not in str(error.value)


def test_larger_images_are_taken():
    with torch.device("meta"):
        assert backbone(small("inception_v3"), 96)[1] == 2048


def test_only_classifiers_are_known():
    assert {"resnet101", "swin_v2_b"} <= names()
    assert not {"fcn_resnet50", "fasterrcnn_resnet50_fpn", "quantized_resnet18", "raft_small", "r3d_18"} & names()
