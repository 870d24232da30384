"""Colour operations on batches with one parameter per image, as torchvision's functional ones compute them.

n: images; every image is float (3, h, w) in [0, 1] and stays there.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

BRIGHTNESS, CONTRAST, SATURATION, HUE = range(4)

BLUR_RADIUS = 6
"""Taps on each side of a Gaussian kernel: three of the largest standard deviations, 2 pixels."""


def on_rows(active: Tensor, operation: Callable[..., Tensor], images: Tensor, *parameters: Tensor) -> Tensor:
    """``images`` with ``operation(images, *parameters)`` where ``active``, bool (n,).

    Overwrites ``images`` where they need no gradient. The CPU works on the active rows alone; a GPU on all of them,
    because it would have to wait to learn which, and so does compiled code, which makes one loop of many operations.
    """
    if images.device.type != "cpu" or torch.compiler.is_compiling():
        return torch.where(_per_image(active), operation(images, *parameters), images)
    rows = active.nonzero().squeeze(1)
    changed = operation(images[rows], *(values[rows] for values in parameters))
    return (images.index_copy if images.requires_grad else images.index_copy_)(0, rows, changed)


def jitter(images: Tensor, factors: Tensor, order: Tensor) -> Tensor:
    """torchvision's ``ColorJitter`` with the parameters given.

    ``factors``: float (n, 4), indexed by BRIGHTNESS, CONTRAST, SATURATION, HUE; ``order``: int64 (n, 4), which of
    them comes at each turn. Hue, the dear one, runs once for all; each blend runs before or after it.
    """
    hue_turn = (order == HUE).long().argmax(1)
    turns = [(order[:, turn], factors.gather(1, order[:, turn : turn + 1]).squeeze(1)) for turn in range(4)]
    for turn in range(3):
        images = on_rows(turn < hue_turn, blend, images, *turns[turn])
    images = adjust_hue(images, factors[:, HUE])
    for turn in range(1, 4):
        images = on_rows(turn > hue_turn, blend, images, *turns[turn])
    return images


def blend(images: Tensor, kind: Tensor, factor: Tensor) -> Tensor:
    """Brightness, contrast or saturation, by ``kind`` (n,): ``factor`` (n,) of the image over black, mean or grey."""
    plane = _luma(images)
    kind = _per_image(kind)
    reference = torch.where(kind == CONTRAST, plane.mean((2, 3), keepdim=True), plane) * (kind != BRIGHTNESS)
    return torch.lerp(reference, images, _per_image(factor)).clamp_(0, 1)


def adjust_hue(images: Tensor, turn: Tensor) -> Tensor:
    """Hue moved by ``turn`` (n,) of the colour circle; value and saturation stay.

    With sextant k = (o + 6 hue) mod 6, o = 5, 3, 1 for red, green, blue, a channel is
    value - chroma * clamp(2 - |k - 2|, 0, 1).
    """
    red, green, blue = images.unbind(1)
    value = torch.maximum(torch.maximum(red, green), blue)
    chroma = value - torch.minimum(torch.minimum(red, green), blue)
    scale = chroma.clamp_min(1e-12).reciprocal()
    hue = torch.where(
        value == red,
        (green - blue) * scale,
        torch.where(value == green, (blue - red) * scale + 2, (red - green) * scale + 4),
    )
    hue = hue + 6 * turn[:, None, None]
    sextant = hue[:, None] + (5 - 2 * torch.arange(3, device=images.device))[:, None, None]
    sextant = sextant.sub_((sextant / 6).floor_(), alpha=6)
    share = sextant.sub_(2).abs_().neg_().add_(2).clamp_(0, 1)
    return torch.addcmul(value[:, None], share, chroma[:, None], value=-1).clamp_(0, 1)


def to_grey(images: Tensor) -> Tensor:
    """Luma in all three channels."""
    return _luma(images).expand_as(images)


def solarise(images: Tensor) -> Tensor:
    """Pixels from 128/255 up inverted, Pillow's default threshold."""
    return torch.where(images >= 128 / 255, 1 - images, images)


def gaussian_blur(images: Tensor, sigma: Tensor) -> Tensor:
    """Blurred by standard deviations ``sigma`` (n,) in pixels; edge pixels repeat outwards, as Pillow has it."""
    offsets = torch.arange(-BLUR_RADIUS, BLUR_RADIUS + 1, device=images.device)
    kernel = torch.softmax(-0.5 * (offsets / sigma[:, None]) ** 2, dim=1)
    return _filter_last(_filter_last(images, kernel).transpose(2, 3), kernel).transpose(2, 3)


def _filter_last(images: Tensor, kernel: Tensor) -> Tensor:
    # Sums of shifted images: a convolution would lose precision to TF32 on a GPU.
    padded = F.pad(images, (BLUR_RADIUS, BLUR_RADIUS, 0, 0), mode="replicate")
    size = images.shape[-1]
    result = padded[..., :size] * _per_image(kernel[:, 0])
    for tap in range(1, kernel.shape[1]):
        result.addcmul_(padded[..., tap : tap + size], _per_image(kernel[:, tap]))
    return result


def _luma(images: Tensor) -> Tensor:
    red, green, blue = images.unbind(1)
    return torch.add(0.2989 * red, green, alpha=0.587).add_(blue, alpha=0.114).unsqueeze(1)


def _per_image(values: Tensor) -> Tensor:
    return values.view(-1, 1, 1, 1)
