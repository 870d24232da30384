from __future__ import annotations

import pytest
import torch
import torchvision.transforms.functional as reference
from scipy.stats import chisquare, ks_2samp
from torch import Tensor
from torchvision.transforms import RandomCrop, RandomResizedCrop

from trainables.config import ConfigError, ViewsConfig
from trainables.data import generator, shifted
from trainables.data.crops import Crops, cut, move, sample_crops, sample_moves

DRAWS = 4000


def crop(top: int, left: int, height: int, width: int, *, flipped: bool = False) -> Crops:
    return Crops(*(torch.tensor([float(value)]) for value in (top, left, height, width)), torch.tensor([flipped]))


def image(height: int, width: int, seed: int = 0) -> Tensor:
    return torch.rand(1, 3, height, width, generator=generator(seed, "image"))


def torchvision_draws(height: int, width: int, config: ViewsConfig) -> Tensor:
    """(draws, 4): top, left, height, width."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        blank = torch.zeros(3, height, width)
        scale, ratio = list(config.scale), list(config.ratio)
        return torch.tensor([RandomResizedCrop.get_params(blank, scale, ratio) for _ in range(DRAWS)])


@pytest.mark.parametrize(
    ("height", "width", "config"),
    [
        (32, 32, ViewsConfig()),
        (32, 32, ViewsConfig(scale_min=0.9, scale_max=1.0)),  # most tries do not fit: the fallback is met
        (224, 160, ViewsConfig(scale_min=0.3)),
        (16, 48, ViewsConfig(scale_min=0.95, ratio_min=0.5, ratio_max=2.0)),  # falls back to a central part
    ],
)
def test_crops_follow_torchvisions_law(height: int, width: int, config: ViewsConfig) -> None:
    crops = sample_crops(DRAWS, height, width, config, generator(0, "crops"))
    ours = torch.stack(crops[:4], dim=1)
    theirs = torchvision_draws(height, width, config)
    area = [draws[:, 2] * draws[:, 3] for draws in (ours, theirs)]
    ratio = [draws[:, 3] / draws[:, 2] for draws in (ours, theirs)]
    for mine, reference_values in [area, ratio, *zip(ours.T, theirs.T, strict=True)]:
        assert ks_2samp(mine.numpy(), reference_values.numpy()).pvalue > 1e-3


def test_a_law_that_is_slightly_wrong_would_be_noticed() -> None:
    ours = sample_crops(DRAWS, 32, 32, ViewsConfig(ratio_min=0.7), generator(0, "crops"))
    theirs = torchvision_draws(32, 32, ViewsConfig())
    assert ks_2samp((ours.width / ours.height).numpy(), (theirs[:, 3] / theirs[:, 2]).numpy()).pvalue < 1e-3


@pytest.mark.parametrize(("height", "width"), [(32, 32), (8, 8), (20, 50), (50, 20)])
@pytest.mark.parametrize("config", [ViewsConfig(), ViewsConfig(kind="patches"), ViewsConfig(scale_min=1.0)])
def test_crops_are_whole_pixels_inside_the_image(height: int, width: int, config: ViewsConfig) -> None:
    top, left, crop_height, crop_width, _ = sample_crops(DRAWS, height, width, config, generator(1, "crops"))
    for values in (top, left, crop_height, crop_width):
        assert torch.equal(values, values.round())
    assert ((top >= 0) & (top + crop_height <= height) & (crop_height >= 1)).all()
    assert ((left >= 0) & (left + crop_width <= width) & (crop_width >= 1)).all()


def test_patches_have_a_quarter_of_the_area_and_ratio_one() -> None:
    crops = sample_crops(200, 32, 32, ViewsConfig(kind="patches"), generator(0))
    assert (crops.height == 16).all()
    assert (crops.width == 16).all()
    assert set(crops.top.tolist()) == set(range(17))


def test_half_of_the_crops_are_flipped() -> None:
    flipped = sample_crops(DRAWS, 32, 32, ViewsConfig(), generator(0)).flipped
    assert abs(flipped.float().mean() - 0.5) < 4 * 0.5 / DRAWS**0.5


@pytest.mark.parametrize("size", [8, 16, 32, 64])
def test_the_whole_image_comes_back_exactly(size: int) -> None:
    pixels = image(size, size)
    assert torch.equal(cut(pixels, crop(0, 0, size, size)), pixels)
    assert torch.equal(cut(pixels, crop(0, 0, size, size, flipped=True)), pixels.flip(3))


@pytest.mark.parametrize("place", [(0, 0, 32, 32), (3, 5, 9, 20), (31, 31, 1, 1), (0, 10, 32, 2), (16, 16, 16, 16)])
@pytest.mark.parametrize("shape", [(32, 32), (40, 33)])
def test_a_crop_is_torchvisions_resized_crop(shape: tuple[int, int], place: tuple[int, int, int, int]) -> None:
    pixels = image(*shape)
    expected = reference.resized_crop(pixels, *place, list(shape), antialias=True)
    torch.testing.assert_close(cut(pixels, crop(*place)), expected, atol=2e-5, rtol=0)
    torch.testing.assert_close(cut(pixels, crop(*place, flipped=True)), expected.flip(3), atol=2e-5, rtol=0)


def test_pixels_outside_the_crop_do_not_leak_in() -> None:
    pixels = torch.ones(1, 3, 32, 32)
    pixels[:, :, 8:16, 8:16] = 0.25
    assert (cut(pixels, crop(8, 8, 8, 8)) == 0.25).all()


def test_moves_follow_the_law_of_torchvisions_padded_random_crop() -> None:
    moves = sample_moves(DRAWS, 32, 32, generator(0, "moves"))
    with torch.random.fork_rng():
        torch.manual_seed(0)
        padded = torch.zeros(3, 40, 40)
        theirs = torch.tensor([RandomCrop.get_params(padded, (32, 32))[:2] for _ in range(DRAWS)])
    for mine, reference_values in zip(moves[:2], theirs.T, strict=True):
        assert ks_2samp(mine.numpy() + 4, reference_values.numpy()).pvalue > 1e-3
    place = (moves.top + 4) * 18 + (moves.left + 4) * 2 + moves.flipped
    assert chisquare(torch.bincount(place, minlength=162).numpy()).pvalue > 1e-3  # each of 9 * 9 * 2, equally often
    assert (moves.height == 32).all()
    assert (moves.width == 32).all()


@pytest.mark.parametrize(("height", "width"), [(8, 8), (16, 48), (224, 33)])
def test_each_side_moves_by_up_to_an_eighth(height: int, width: int) -> None:
    moves = sample_moves(DRAWS, height, width, generator(0, "moves"))
    assert set(moves.top.tolist()) == set(range(-(height // 8), height // 8 + 1))
    assert set(moves.left.tolist()) == set(range(-(width // 8), width // 8 + 1))


@pytest.mark.parametrize("flipped", [False, True])
@pytest.mark.parametrize("shape", [(32, 32), (20, 41)])
def test_every_move_is_torchvisions_padded_crop_to_the_bit(shape: tuple[int, int], flipped: bool) -> None:
    pixels, (vertical, horizontal) = image(*shape), (shape[0] // 8, shape[1] // 8)
    padded = reference.pad(pixels, [horizontal, vertical])
    corners = [(top, left) for top in range(2 * vertical + 1) for left in range(2 * horizontal + 1)]
    top, left = torch.tensor(corners).T
    mirrored = torch.full_like(top, flipped, dtype=torch.bool)
    moves = Crops(top - vertical, left - horizontal, *(torch.full_like(top, side) for side in shape), mirrored)
    expected = torch.cat([reference.crop(padded, *corner, *shape) for corner in corners])
    expected = expected.flip(3) if flipped else expected
    assert torch.equal(move(pixels.expand(len(corners), -1, -1, -1), moves), expected)


def test_shifted_images_are_moved_over_black_and_half_of_them_mirrored() -> None:
    pixels = image(32, 32).expand(DRAWS // 4, 3, 32, 32)
    moves = sample_moves(DRAWS // 4, 32, 32, generator(6))
    ours = shifted(pixels, generator(6))
    padded = reference.pad(pixels[:1], [4])
    for index in range(50):
        expected = reference.crop(padded, int(moves.top[index]) + 4, int(moves.left[index]) + 4, 32, 32)[0]
        assert torch.equal(ours[index], expected.flip(2) if moves.flipped[index] else expected)
    assert 0.4 < moves.flipped.float().mean() < 0.6


def test_a_padded_view_has_no_scale_or_ratio_to_set() -> None:
    for name in ("scale_min", "scale_max", "ratio_min", "ratio_max"):
        with pytest.raises(ConfigError, match=rf"views.{name} is 1.0, but a padded view .*; leave it out"):
            ViewsConfig(kind="padded", **{name: 1.0})  # type: ignore[arg-type]
    assert ViewsConfig(kind="padded").scale == ViewsConfig(kind="padded").ratio == (1.0, 1.0)
