"""Random views of a batch, made where the images are: no Pillow, no worker processes, no loop over images.

b: images; n = v * b: views, crop-major: rows ``i * b`` to ``(i + 1) * b`` hold view ``i`` of every image, in order.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

import torch
from torch import Tensor

from trainables.config import ViewsConfig
from trainables.data.augmentation import AUGMENTATIONS, Colours, colour, sample_colours
from trainables.data.crops import Crops, cut, move, sample_crops, sample_moves
from trainables.parallel import ALONE, World


class ViewParameters(NamedTuple):
    """How n views are cut and coloured; ``colours`` is ``None`` where nothing follows crop and flip."""

    crops: Crops
    colours: Colours | None


def sample_views(
    count: int, height: int, width: int, config: ViewsConfig, random: torch.Generator, strength: float = 1.0
) -> ViewParameters:
    """Parameters of ``count`` views of ``height`` by ``width`` pixels, on the device of ``random``.

    ``strength`` s as DynACL has it (arXiv 2303.01289; get_transform in DynACL_RCS.py, GodXuxilie/Efficient_ACL_via_RCS
    at 6fc9aef): smallest area 1 - (1 - scale_min) s, jitter's magnitudes and all shares times s; the flip, and how far
    a ``padded`` image moves, stay.
    """
    if config.kind == "padded":
        crops = sample_moves(count, height, width, random)
    else:
        crops = sample_crops(count, height, width, _weakened(config, strength), random)
    augmentation = AUGMENTATIONS[config.augmentation]
    if augmentation is None:
        return ViewParameters(crops, None)
    return ViewParameters(crops, sample_colours(count, augmentation.weakened(strength), random))


def apply_views(images: Tensor, parameters: ViewParameters, config: ViewsConfig) -> Tensor:
    """The views of ``images`` that ``parameters`` describe; differentiable in ``images``, which stay as they are.

    ``images``: float (b, 3, h, w) in [0, 1]; ``parameters`` of n = v * b views. Returns (n, 3, h, w), crop-major.
    """
    crops = Crops(*_like(images, parameters.crops))
    repeated = images.repeat(len(crops.top) // len(images), 1, 1, 1)
    views = move(repeated, crops) if config.kind == "padded" else cut(repeated, crops)
    augmentation = AUGMENTATIONS[config.augmentation]
    if augmentation is None or parameters.colours is None:
        return views
    return colour(views, augmentation, Colours(*_like(images, parameters.colours)))


Apply = Callable[[Tensor, ViewParameters, ViewsConfig], Tensor]


def make_views(
    images: Tensor,
    config: ViewsConfig,
    random: torch.Generator,
    strength: float = 1.0,
    world: World = ALONE,
    apply: Apply = apply_views,
) -> Tensor:
    """``config.number`` random views of each image, on the images' device.

    ``images``: uint8 (b, 3, h, w). Returns float32 (number * b, 3, h, w) in [0, 1], crop-major. All randomness comes
    from ``random``, on its own device, best the images'; the same state gives the same views.
    ``strength``: 1 for the augmentation as configured, towards 0 weaker. ``world``: parameters are drawn for the images
    of all its ranks, of which these are one's own. ``apply``: ``apply_views``, or what it was compiled to.
    """
    height, width = images.shape[-2:]
    parameters = sample_views(config.number * len(images) * world.size, height, width, config, random, strength)
    return apply(images.float().div_(255), _own(parameters, config.number, world), config)


def of_first(count: int) -> Apply:
    """``apply_views`` to the first ``count`` images of a batch alone: the views that the whole batch gives of them."""

    def apply(images: Tensor, parameters: ViewParameters, config: ViewsConfig) -> Tensor:
        chosen = _taken(parameters, config.number, lambda values: values[:, :count])
        return apply_views(images[:count], chosen, config)

    return apply


def strength(config: ViewsConfig, epoch: int, epochs: int) -> float:
    """Of the augmentation in ``epoch``, 1 to ``epochs``: 1, and less by ``strength_period / epochs`` every period.

    DynACL (arXiv 2303.01289): 1 - floor((epoch - 1) / period) * period / epochs; 1 throughout without a period.
    """
    period = config.strength_period
    return 1.0 if period is None else 1 - (epoch - 1) // period * period / epochs


def _own(parameters: ViewParameters, views: int, world: World) -> ViewParameters:
    """Those of one rank's images."""
    return parameters if world.alone else _taken(parameters, views, lambda values: world.own(values, dim=1))


def _taken(parameters: ViewParameters, views: int, take: Callable[[Tensor], Tensor]) -> ViewParameters:
    """Those of the images that ``take`` takes from a whole batch's, (v, b, ...)."""

    def taken(values: Tensor) -> Tensor:
        return take(values.unflatten(0, (views, -1))).flatten(0, 1)

    crops = Crops(*map(taken, parameters.crops))
    if parameters.colours is None:
        return ViewParameters(crops, None)
    return ViewParameters(crops, Colours(*map(taken, parameters.colours)))


def _weakened(config: ViewsConfig, strength: float) -> ViewsConfig:
    # In a form that leaves strength 1, and a bound of 1, exactly as they are.
    low, high = (bound + (1 - bound) * (1 - strength) for bound in config.scale)
    return replace(config, scale_min=low, scale_max=high)


def _like(images: Tensor, parameters: tuple[Tensor, ...]) -> list[Tensor]:
    """``parameters`` on the images' device, real ones in the images' precision."""
    return [values.to(images if values.is_floating_point() else images.device) for values in parameters]
