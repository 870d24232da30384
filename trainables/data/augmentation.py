"""What follows crop and flip: random colours, by the law of torchvision's transforms."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
from torch import Tensor

from trainables.config import AugmentationName
from trainables.data.colour import gaussian_blur, jitter, on_rows, solarise, to_grey


@dataclass(frozen=True, kw_only=True)
class Augmentation:
    """Magnitudes of the jitter, and the share of views that each operation meets."""

    brightness: float = 0.4
    contrast: float = 0.4
    saturation: float = 0.4
    hue: float
    jittered: float = 0.8
    grey: float = 0.2
    blurred: float = 0.0
    blur_sigma: tuple[float, float] = (0.1, 2.0)
    solarised: float = 0.0

    def weakened(self, strength: float) -> Augmentation:
        """Every magnitude and share times ``strength``; a blur, where it meets a view, stays as strong."""
        scaled = ("brightness", "contrast", "saturation", "hue", "jittered", "grey", "blurred", "solarised")
        return replace(self, **{name: strength * getattr(self, name) for name in scaled})


AUGMENTATIONS: dict[AugmentationName, Augmentation | None] = {
    "emp_ssl": Augmentation(hue=0.2, blurred=0.1, solarised=0.1),
    "simclr": Augmentation(hue=0.1),
    "none": None,
}
"""The authors' two (softsys4ai/CF-AMC-SSL at ff36114), and crop and flip alone."""


class Colours(NamedTuple):
    """One batch's parameters: which views each operation meets (n,), and its parameters there."""

    jittered: Tensor
    factors: Tensor
    order: Tensor
    grey: Tensor
    blurred: Tensor
    sigma: Tensor
    solarised: Tensor


def sample_colours(count: int, augmentation: Augmentation, random: torch.Generator) -> Colours:
    """``count`` views' parameters as torchvision's ``RandomApply`` and ``ColorJitter`` draw them."""

    def uniform(*shape: int) -> Tensor:
        return torch.rand(*shape, generator=random, device=random.device)

    strengths = (augmentation.brightness, augmentation.contrast, augmentation.saturation, augmentation.hue)
    middles = (1, 1, 1, 0)
    sigma_low, sigma_high = augmentation.blur_sigma
    return Colours(
        jittered=uniform(count) < augmentation.jittered,
        # By numbers, not a tensor of strengths: sending one to a GPU would wait for it.
        factors=torch.stack([m + s * (2 * uniform(count) - 1) for m, s in zip(middles, strengths, strict=True)], dim=1),
        order=uniform(count, 4).argsort(1),
        grey=uniform(count) < augmentation.grey,
        blurred=uniform(count) < augmentation.blurred,
        sigma=sigma_low + (sigma_high - sigma_low) * uniform(count),
        solarised=uniform(count) < augmentation.solarised,
    )


def colour(views: Tensor, augmentation: Augmentation, colours: Colours) -> Tensor:
    """``views``, float (n, 3, h, w) in [0, 1], coloured; overwritten where they need no gradient."""
    views = on_rows(colours.jittered, jitter, views, colours.factors, colours.order)
    views = on_rows(colours.grey, to_grey, views)
    if augmentation.blurred > 0:
        views = on_rows(colours.blurred, gaussian_blur, views, colours.sigma)
    if augmentation.solarised > 0:
        views = on_rows(colours.solarised, solarise, views)
    return views
