"""Augmentation that weakens (DynACL), and that stays what it was at full strength."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from scipy.stats import ks_2samp
from torchvision.transforms import RandomResizedCrop

from trainables.config import AugmentationName, ViewKind, ViewsConfig
from trainables.data import ViewParameters, generator, make_views, sample_views, strength
from trainables.data.augmentation import AUGMENTATIONS, Augmentation, Colours

DRAWS = 20_000


def acl(**changes: object) -> ViewsConfig:
    return replace(ViewsConfig(augmentation="simclr", scale_min=0.1), **changes)


def sampled(config: ViewsConfig, at: float, count: int = DRAWS) -> ViewParameters:
    return sample_views(count, 32, 32, config, generator(0), at)


def colours(config: ViewsConfig, at: float) -> Colours:
    drawn = sampled(config, at).colours
    assert drawn is not None
    return drawn


def test_strength_falls_by_steps_to_one_period_before_zero() -> None:
    config = ViewsConfig(strength_period=50)
    steps = [strength(config, epoch, 1000) for epoch in range(1, 1001)]
    assert steps == pytest.approx([1 - step / 20 for step in range(20) for _ in range(50)])
    assert strength(config, 1000, 1000) == pytest.approx(0.05)


def test_strength_falls_at_the_first_epoch_after_a_period_even_if_it_does_not_divide_the_schedule() -> None:
    config = ViewsConfig(strength_period=3)
    assert [strength(config, epoch, 8) for epoch in range(1, 9)] == [1, 1, 1, 0.625, 0.625, 0.625, 0.25, 0.25]


def test_strength_is_full_throughout_without_a_period() -> None:
    assert [strength(ViewsConfig(), epoch, 10) for epoch in (1, 5, 10)] == [1.0] * 3


GOLDEN = [
    ("emp_ssl", "crops", 7031.439654251677, [0.38249385, 0.36855081, 0.45021135], 0.338138222694397),
    ("emp_ssl", "patches", 7001.271577718668, [0.49044532, 0.57713795, 0.50534666], 0.338138222694397),
    ("simclr", "crops", 7937.49407185521, [0.38253394, 0.36867717, 0.45031750], 0.338138222694397),
    ("simclr", "patches", 7868.5191685529135, [0.49044061, 0.57727462, 0.50545228], 0.338138222694397),
    ("none", "crops", 8611.953819811577, [0.40132359, 0.38462424, 0.47166684], 0.19413155317306519),
    ("none", "patches", 8555.307197526738, [0.51506793, 0.60777849, 0.53085017], 0.19413155317306519),
]
"""Sum and three pixels of views made before there was a strength, and the number drawn after them."""


@pytest.mark.parametrize(("name", "kind", "total", "pixels", "following"), GOLDEN)
def test_at_full_strength_views_are_those_of_old(
    name: AugmentationName, kind: ViewKind, total: float, pixels: list[float], following: float
) -> None:
    random, config = generator(7, "golden"), ViewsConfig(number=3, kind=kind, augmentation=name)
    images = torch.randint(0, 256, (4, 3, 20, 24), dtype=torch.uint8, generator=generator(0, "batch"))
    views = make_views(images, config, random)
    assert float(views.double().sum()) == pytest.approx(total, rel=1e-6)
    assert views[5, 1, 3, 4:7].tolist() == pytest.approx(pixels, abs=1e-5)
    assert torch.rand(1, generator=random).item() == pytest.approx(following)
    assert torch.equal(make_views(images, config, generator(7, "golden"), strength=1.0), views)


@pytest.mark.parametrize("low", [0.08, 0.1, 0.3, 0.25])
def test_full_strength_does_not_move_a_bound_by_a_bit(low: float, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[ViewsConfig] = []
    monkeypatch.setattr("trainables.data.views.sample_crops", lambda *arguments: seen.append(arguments[3]))
    config = ViewsConfig(scale_min=low, scale_max=0.7, augmentation="none")
    sampled(config, 1.0)
    assert (seen[0].scale, seen[0].ratio) == (config.scale, config.ratio)


@pytest.mark.parametrize("at", [0.05, 0.5, 0.95])
def test_crops_widen_as_dynacls(at: float) -> None:
    crops = sampled(acl(), at, 4000).crops
    with torch.random.fork_rng():
        torch.manual_seed(0)
        blank = torch.zeros(3, 32, 32)
        theirs = torch.tensor(
            [RandomResizedCrop.get_params(blank, [1 - 0.9 * at, 1.0], [3 / 4, 4 / 3]) for _ in range(4000)]
        )
    for mine, other in zip(crops[:4], theirs.T, strict=True):
        assert ks_2samp(mine.numpy(), other.numpy(), method="asymp").pvalue > 1e-3


def test_patches_grow_towards_the_whole_image() -> None:
    crops = sampled(ViewsConfig(kind="patches"), 0.5, 50).crops
    assert (crops.height == 25).all()  # 1024 * (1 - 0.75 / 2) pixels
    assert (crops.width == 25).all()


@pytest.mark.parametrize("at", [0.05, 0.5, 0.95])
@pytest.mark.parametrize("name", ["emp_ssl", "simclr"])
def test_colours_weaken_in_share_and_magnitude(name: AugmentationName, at: float) -> None:
    drawn = colours(acl(augmentation=name), at)
    shares = {"jittered": 0.8, "grey": 0.2, "blurred": 0.1, "solarised": 0.1}
    for operation, share in shares.items():
        if name == "simclr" and operation in ("blurred", "solarised"):
            share = 0.0
        expected = share * at
        tolerance = 5 * (expected * (1 - expected) / DRAWS) ** 0.5
        assert abs(float(getattr(drawn, operation).float().mean()) - expected) <= tolerance
    reach = torch.tensor([0.4, 0.4, 0.4, 0.2 if name == "emp_ssl" else 0.1]) * at
    middle = torch.tensor([1.0, 1.0, 1.0, 0.0])
    torch.testing.assert_close(drawn.factors.amax(0), middle + reach, atol=2e-4, rtol=0)
    torch.testing.assert_close(drawn.factors.amin(0), middle - reach, atol=2e-4, rtol=0)


def test_weakening_leaves_flip_blur_radius_and_padding_as_they_are() -> None:
    config = acl(augmentation="emp_ssl")
    assert torch.equal(colours(config, 0.3).sigma, colours(config, 1.0).sigma)
    assert torch.equal(sampled(config, 0.3).crops.flipped, sampled(config, 1.0).crops.flipped)
    padded = ViewsConfig(kind="padded")
    for weak, full in zip(sampled(padded, 0.3).crops, sampled(padded, 1.0).crops, strict=True):
        assert torch.equal(weak, full)
    assert colours(padded, 0.25).grey.sum() < colours(padded, 1.0).grey.sum()


def test_weakened_augmentation_scales_every_magnitude_and_share() -> None:
    emp_ssl = AUGMENTATIONS["emp_ssl"]
    assert emp_ssl is not None
    assert emp_ssl.weakened(0.5) == Augmentation(
        brightness=0.2,
        contrast=0.2,
        saturation=0.2,
        hue=0.1,
        jittered=0.4,
        grey=0.1,
        blurred=0.05,
        solarised=0.05,
        blur_sigma=(0.1, 2.0),
    )
    assert emp_ssl.weakened(1.0) == emp_ssl
