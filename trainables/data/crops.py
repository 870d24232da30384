"""Random crops of a whole batch, resized or moved over black: sampled without a loop over images, cut at once.

n: crops; h, w: the images' height and width, which are also the crops' after resizing.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from trainables.config import ViewsConfig

_TRIES = 10
_PADDING_SHARE = 8
"""A side is padded by its length over this, 4 of 32 pixels."""


class Crops(NamedTuple):
    """Rectangles in whole pixels and whether each is mirrored; every tensor is (n,).

    Those of moved images begin outside (``top`` or ``left`` below 0) or end there.
    """

    top: Tensor
    left: Tensor
    height: Tensor
    width: Tensor
    flipped: Tensor


def sample_crops(count: int, height: int, width: int, config: ViewsConfig, random: torch.Generator) -> Crops:
    """``count`` crops by the law of torchvision's ``RandomResizedCrop.get_params``, mirrored with probability 1/2.

    Area uniform in ``config.scale``, ratio log-uniform in ``config.ratio``; the first of ten tries that fits the
    image counts, else the largest central crop of an allowed ratio. On the device of ``random``.
    """
    tries = torch.rand(2, _TRIES, count, generator=random, device=random.device)
    crop_height, crop_width = _first_fitting(tries, height, width, config)
    corner = torch.rand(2, count, generator=random, device=random.device)
    fallback = _central(height, width, config.ratio)
    central = crop_height == 0
    crop_height = torch.where(central, fallback[0], crop_height)
    crop_width = torch.where(central, fallback[1], crop_width)
    top = torch.where(central, (height - fallback[0]) // 2, (corner[0] * (height - crop_height + 1)).floor())
    left = torch.where(central, (width - fallback[1]) // 2, (corner[1] * (width - crop_width + 1)).floor())
    flipped = torch.rand(count, generator=random, device=random.device) < 0.5
    return Crops(top, left, crop_height, crop_width, flipped)


def sample_moves(count: int, height: int, width: int, random: torch.Generator) -> Crops:
    """``count`` moves by the law of torchvision's ``RandomCrop`` with padding, mirrored with probability 1/2.

    Whole pixels, uniform and apart for each side, up to an eighth of it either way. On the device of ``random``.
    """
    top, left = (
        torch.randint(-padding, padding + 1, (count,), generator=random, device=random.device)
        for padding in _paddings(height, width)
    )
    flipped = torch.rand(count, generator=random, device=random.device) < 0.5
    return Crops(top, left, torch.full_like(top, height), torch.full_like(left, width), flipped)


def _paddings(height: int, width: int) -> tuple[int, int]:
    return height // _PADDING_SHARE, width // _PADDING_SHARE


def _first_fitting(tries: Tensor, height: int, width: int, config: ViewsConfig) -> tuple[Tensor, Tensor]:
    """Height and width (n,) of each crop's first try that fits; 0 where none does. ``tries``: (2, tries, n)."""
    (scale_low, scale_high), (ratio_low, ratio_high) = config.scale, map(math.log, config.ratio)
    area = height * width * (scale_low + (scale_high - scale_low) * tries[0])
    ratio = (ratio_low + (ratio_high - ratio_low) * tries[1]).exp()
    heights, widths = (area / ratio).sqrt().round(), (area * ratio).sqrt().round()
    fits = (heights > 0) & (heights <= height) & (widths > 0) & (widths <= width)
    first = fits & (fits.cumsum(0) == 1)
    return (heights * first).sum(0), (widths * first).sum(0)


def _central(height: int, width: int, ratio: tuple[float, float]) -> tuple[int, int]:
    if width / height < ratio[0]:
        return round(width / ratio[0]), width
    if width / height > ratio[1]:
        return height, round(height * ratio[1])
    return height, width


def cut(images: Tensor, crops: Crops) -> Tensor:
    """``crops`` of ``images``, float (n, 3, h, w), resized to (h, w) bilinearly; pixels outside a crop do not leak in.

    A crop is never larger than its image, so it is only ever enlarged, and antialiasing has nothing to do.
    """
    height, width = images.shape[-2:]
    y = _sampled_at(crops.top, crops.height, height)
    x = _sampled_at(crops.left, crops.width, width)
    x = torch.where(crops.flipped[:, None], x.flip(1), x)
    # grid_sample's coordinates run from -1 to 1 over the image's edges, not its pixel centres.
    x, y = (2 * x + 1) / width - 1, (2 * y + 1) / height - 1
    grid = torch.stack(torch.broadcast_tensors(x[:, None, :], y[:, :, None]), dim=-1)
    return F.grid_sample(images, grid, mode="bilinear", padding_mode="border", align_corners=False)


def move(images: Tensor, moves: Crops) -> Tensor:
    """``images``, float (n, 3, h, w), moved by ``moves`` over black; every pixel is the image's own or 0."""
    count, channels, height, width = images.shape
    vertical, horizontal = _paddings(height, width)
    padded = F.pad(images, (horizontal, horizontal, vertical, vertical))
    rows = (moves.top + vertical)[:, None] + torch.arange(height, device=images.device)
    columns = (moves.left + horizontal)[:, None] + torch.arange(width, device=images.device)
    columns = torch.where(moves.flipped[:, None], columns.flip(1), columns)
    padded = padded.gather(2, rows[:, None, :, None].expand(count, channels, height, padded.shape[3]))
    return padded.gather(3, columns[:, None, None, :].expand(count, channels, height, width))


def shifted(images: Tensor, random: torch.Generator) -> Tensor:
    """``images``, float (n, 3, h, w), each moved by up to an eighth of its sides over black and mirrored or not.

    The augmentation of finetuning protocols, torchvision's ``RandomCrop(32, padding=4)`` and flip at 32 pixels.
    """
    count, _, height, width = images.shape
    moves = sample_moves(count, height, width, random)
    return move(images, Crops(*(values.to(images.device) for values in moves)))


def _sampled_at(start: Tensor, length: Tensor, size: int) -> Tensor:
    """Pixel positions (n, size) at which a side of ``length`` (n,) pixels from ``start`` (n,) is read."""
    centres = torch.arange(size, device=start.device) + 0.5
    within = centres * (length / size)[:, None] - 0.5
    return start[:, None] + torch.minimum(within.clamp_min(0), length[:, None] - 1)
