"""The encoder around a backbone: shapes, seeds, and settings that no network can have."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from trainables.config import ConfigError, NetworkConfig
from trainables.models import Encoder, build

SIZES = {"pre_feature": 16, "projector_hidden": 12, "embedding": 8}
SMALL = {"width": 4, **SIZES}
KINDS = [
    NetworkConfig(**SMALL),
    *(NetworkConfig(architecture=name, **SIZES) for name in ("vit_tiny", "regnet_y_400mf")),
]

PINNED = {
    "resnet18": ({}, (-26.064386, -33.635117)),
    "resnet34": ({"architecture": "resnet34"}, (-30.942234, -8.361848)),
    "ten layers": ({"depth": 10}, (-5.729909, -17.261745)),
    "imagenet stem": ({"stem": "imagenet", "depth": 10}, (8.287768, 11.219716)),
}
"""Fingerprints of fresh encoders, seeds 0 and 7, that stand for weights people have results of."""


def noise() -> Tensor:
    return torch.rand(3, 3, 32, 32, generator=torch.Generator().manual_seed(0))


def fingerprint(model: nn.Module) -> float:
    """A sum over all parameters in order, each weighted by its place; equal up to the last bits of the draws."""
    values = torch.cat([parameter.detach().double().flatten() for parameter in model.parameters()])
    return float(values @ torch.arange(len(values), dtype=torch.float64).cos())


def linear_layers(model: nn.Module) -> list[tuple[int, int]]:
    return [(m.in_features, m.out_features) for m in model.modules() if isinstance(m, nn.Linear)]


@pytest.mark.parametrize("name", PINNED)
def test_a_seed_gives_the_weights_it_always_gave(name):
    changes, expected = PINNED[name]
    for seed, value in zip((0, 7), expected, strict=True):
        assert fingerprint(build(NetworkConfig(**changes, **SMALL), seed)) == pytest.approx(value, abs=1e-4)


@pytest.mark.parametrize("config", KINDS, ids=lambda config: config.architecture)
def test_weights_depend_on_the_seed_alone(config):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        one = build(config, 5).state_dict()
        torch.manual_seed(2)
        two, other = build(config, 5).state_dict(), build(config, 6).state_dict()
    assert all(torch.equal(one[key], two[key]) for key in one)
    assert not torch.equal(one["projector.0.weight"], other["projector.0.weight"])
    first = next(key for key in one if key.endswith("conv1.weight") or "conv_proj" in key or "stem.0.weight" in key)
    assert not torch.equal(one[first], other[first])


@pytest.mark.parametrize("config", KINDS, ids=lambda config: config.architecture)
def test_the_global_random_state_stays(config, monkeypatch):
    monkeypatch.setattr(torch.cuda, "manual_seed_all", lambda seed: pytest.fail("the GPUs were reseeded"))
    before = torch.get_rng_state()
    build(config, seed=3)
    assert torch.equal(torch.get_rng_state(), before)


def test_shapes_and_lengths():
    encoder = build(NetworkConfig(depth=10, **SMALL), seed=0)
    assert (encoder.backbone_size, encoder.features_size, encoder.classes) == (32, 16, None)
    assert encoder.features(noise()).shape == (3, 16)
    projected, embedded = encoder.project(noise()), encoder(noise())
    assert embedded.shape == (3, 8)
    torch.testing.assert_close(embedded.norm(dim=1), torch.ones(3))
    torch.testing.assert_close(embedded * projected.norm(dim=1, keepdim=True), projected)


@pytest.mark.parametrize(
    ("layers", "expected"),
    [(1, [(16, 8)]), (2, [(16, 12), (12, 8)]), (3, [(16, 12), (12, 12), (12, 8)])],
)
def test_projector_has_so_many_linear_layers(layers, expected):
    projector = build(NetworkConfig(projector_layers=layers, **SMALL), seed=0).projector
    assert linear_layers(projector) == expected
    assert [type(layer) for layer in projector] == [nn.Linear, nn.BatchNorm1d, nn.ReLU] * (layers - 1) + [nn.Linear]


def test_without_pre_feature_heads_read_the_backbone():
    encoder = build(NetworkConfig(depth=10, **SMALL | {"pre_feature": None}), seed=0).eval()
    assert isinstance(encoder.pre_feature, nn.Identity)
    assert encoder.features_size == encoder.backbone_size == 32
    assert torch.equal(encoder.features(noise()), encoder.backbone(noise()))
    assert linear_layers(encoder.projector) == [(32, 12), (12, 8)]


def test_given_classes_the_output_is_logits():
    encoder = build(NetworkConfig(depth=10, **SMALL), seed=0, classes=5).eval()
    assert encoder.classes == 5
    assert linear_layers(encoder.projector) == [(16, 5)]
    assert torch.equal(encoder(noise()), encoder.projector(encoder.features(noise())))
    assert torch.equal(encoder(noise()), encoder.project(noise()))


@pytest.mark.parametrize("architecture", ["resnet50", "vit_small", "mobilenet_v2", "vit_b_16"])
def test_every_kind_of_backbone_fits_its_projector(architecture):
    with torch.device("meta"):
        encoder = Encoder(NetworkConfig(architecture=architecture, **SIZES))
        assert encoder(torch.zeros(2, 3, 32, 32)).shape == (2, 8)
    assert linear_layers(encoder.pre_feature) == [(encoder.backbone_size, 16)]


@pytest.mark.parametrize(
    ("name", "nearest"), [("resnext50", "resnext50_32x4d"), ("wide_resnet_50", "wide_resnet50_2"), ("swin", "swin_")]
)
def test_an_unknown_architecture_is_told_the_nearest(name, nearest):
    with pytest.raises(
        ConfigError, match=f"network.architecture is '{name}'; choose one of resnet18.*{nearest}"
    ) as error:
        build(NetworkConfig(architecture=name), seed=0)
    assert len(str(error.value)) < 250


@pytest.mark.parametrize(
    ("architecture", "setting", "value"),
    [
        ("resnet50", "depth", 18),
        ("vit_tiny", "depth", 10),
        ("mobilenet_v3_small", "width", 32),
        ("vit_small", "stem", "imagenet"),
        ("resnet18", "patch_size", 8),
        ("vit_b_16", "patch_size", 8),
        ("resnet34", "dropout", 0.1),
    ],
)
def test_a_setting_that_the_architecture_lacks_is_refused(architecture, setting, value):
    with pytest.raises(ConfigError, match=rf"network\.{setting} is {value!r}, which '{architecture}' does not have"):
        NetworkConfig(architecture=architecture, **{setting: value})


@pytest.mark.parametrize(("setting", "value", "kept"), [("depth", 10, "null"), ("stem", "imagenet", "'cifar'")])
def test_what_to_leave_a_setting_at_is_said_as_a_study_file_has_it(setting, value, kept):
    with pytest.raises(ConfigError, match=f"leave it at {kept} or set"):
        NetworkConfig(architecture="vit_tiny", **{setting: value})


@pytest.mark.parametrize("architecture", ["resnet18", "resnet50", "vit_tiny", "densenet121"])
def test_defaults_fit_every_architecture(architecture):
    spelt_out = {"depth": None, "width": 64, "stem": "cifar", "patch_size": 4, "dropout": 0.0}
    assert NetworkConfig(architecture=architecture, **spelt_out) == NetworkConfig(architecture=architecture)
