from __future__ import annotations

import itertools

import pytest
import torch
import torch.nn.functional as F
import torchvision.transforms.functional as reference
from PIL import ImageFilter
from torch import Tensor

from trainables.data import generator
from trainables.data.colour import (
    BLUR_RADIUS,
    BRIGHTNESS,
    CONTRAST,
    HUE,
    SATURATION,
    adjust_hue,
    blend,
    gaussian_blur,
    jitter,
    on_rows,
    solarise,
    to_grey,
)

ADJUST = {
    BRIGHTNESS: reference.adjust_brightness,
    CONTRAST: reference.adjust_contrast,
    SATURATION: reference.adjust_saturation,
    HUE: reference.adjust_hue,
}


@pytest.fixture
def images() -> Tensor:
    """Noise, a grey image, pure colours, black, white and a dim image: every branch of the hue."""
    noise = torch.rand(3, 3, 16, 16, generator=generator(0, "noise"))
    noise[1] = noise[1, :1]
    corners = torch.tensor(list(itertools.product((0.0, 0.5, 1.0), repeat=3)))
    colours = corners.T.repeat(1, 10)[:, :256].reshape(1, 3, 16, 16)
    flat = torch.stack([torch.zeros(3, 16, 16), torch.ones(3, 16, 16)])
    return torch.cat([noise, colours, flat, noise[:1] / 1000])


def same(values: float, images: Tensor) -> Tensor:
    return torch.full((len(images),), values)


@pytest.mark.parametrize("kind", [BRIGHTNESS, CONTRAST, SATURATION])
@pytest.mark.parametrize("factor", [0.0, 0.6, 1.0, 1.4, 3.0])
def test_blends_equal_torchvisions(images: Tensor, kind: int, factor: float) -> None:
    kinds = torch.full((len(images),), kind)
    expected = ADJUST[kind](images, factor)
    torch.testing.assert_close(blend(images, kinds, same(factor, images)), expected, atol=1e-6, rtol=0)


@pytest.mark.parametrize("turn", [-0.5, -0.2, -0.01, 0.0, 0.1, 0.2, 0.5])
def test_hue_equals_torchvisions(images: Tensor, turn: float) -> None:
    expected = reference.adjust_hue(images, turn)
    torch.testing.assert_close(adjust_hue(images, same(turn, images)), expected, atol=1e-5, rtol=0)


def test_grey_and_solarise_equal_torchvisions(images: Tensor) -> None:
    grey = reference.rgb_to_grayscale(images, num_output_channels=3)
    torch.testing.assert_close(to_grey(images), grey, atol=1e-6, rtol=0)
    assert torch.equal(solarise(images), reference.solarize(images, 128 / 255))
    bytes_ = torch.arange(256, dtype=torch.uint8).view(1, 1, 16, 16).expand(1, 3, 16, 16)
    expected = reference.solarize(bytes_, 128).float() / 255
    torch.testing.assert_close(solarise(bytes_.float() / 255), expected, atol=1e-6, rtol=0)


@pytest.mark.parametrize("sigma", [0.1, 0.5, 1.0, 2.0])
def test_blur_equals_torchvisions_on_repeated_edges(images: Tensor, sigma: float) -> None:
    margin = 2 * BLUR_RADIUS
    padded = F.pad(images, (margin,) * 4, mode="replicate")
    blurred = reference.gaussian_blur(padded, [2 * BLUR_RADIUS + 1] * 2, [sigma, sigma])
    expected = blurred[..., margin:-margin, margin:-margin]
    torch.testing.assert_close(gaussian_blur(images, same(sigma, images)), expected, atol=1e-6, rtol=0)


@pytest.mark.parametrize("sigma", [0.5, 1.0, 2.0])
def test_blur_is_close_to_pillows(images: Tensor, sigma: float) -> None:
    """Pillow approximates the Gaussian by three box filters on bytes."""
    picture = reference.to_pil_image(images[0]).filter(ImageFilter.GaussianBlur(sigma))
    ours = gaussian_blur(images[:1], torch.tensor([sigma]))[0]
    assert (ours - reference.to_tensor(picture)).abs().mean() < 0.01


def test_each_image_has_its_own_parameters(images: Tensor) -> None:
    values = torch.linspace(0.1, 2, len(images))
    for operation in (gaussian_blur, lambda rows, value: blend(rows, torch.ones(len(rows)), value), adjust_hue):
        alone = [operation(images[row : row + 1], values[row : row + 1]) for row in range(len(images))]
        torch.testing.assert_close(operation(images, values), torch.cat(alone), atol=1e-6, rtol=0)


def test_jitter_equals_torchvisions_in_every_order() -> None:
    orders = torch.tensor(list(itertools.permutations(range(4))))
    pixels = torch.rand(len(orders), 3, 12, 12, generator=generator(1, "noise"))
    low, high = torch.tensor([0.6, 0.6, 0.6, -0.2]), torch.tensor([1.4, 1.4, 1.4, 0.2])
    factors = low + (high - low) * torch.rand(len(orders), 4, generator=generator(1, "factors"))
    for row, order in enumerate(orders.tolist()):
        expected = pixels[row]
        for kind in order:
            expected = ADJUST[kind](expected, float(factors[row, kind]))
        ours = jitter(pixels[row : row + 1].clone(), factors[row : row + 1], orders[row : row + 1])[0]
        torch.testing.assert_close(ours, expected, atol=2e-5, rtol=0)
    together = jitter(pixels.clone(), factors, orders)
    alone = [jitter(pixels[[row]], factors[[row]], orders[[row]]) for row in range(len(orders))]
    torch.testing.assert_close(together, torch.cat(alone), atol=1e-6, rtol=0)


@pytest.mark.parametrize("active", [[True, False, True], [False] * 3, [True] * 3])
def test_on_rows_changes_the_active_rows_alone(active: list[bool]) -> None:
    pixels = torch.rand(3, 3, 4, 4, generator=generator(2))
    shift = torch.tensor([1.0, 2.0, 3.0])
    result = on_rows(torch.tensor(active), lambda rows, by: rows + by[:, None, None, None], pixels.clone(), shift)
    assert torch.equal(result, pixels + (shift * torch.tensor(active))[:, None, None, None])
