"""Draws that keep the classes' shares."""

from __future__ import annotations

import torch
from torch import Tensor

from trainables.config import DataConfig
from trainables.data.images import DataError, ImageSet
from trainables.data.rng import generator

_SEED = 0
"""Not the trial's: every trial of every study validates on the same images."""


def stratified_order(labels: Tensor, random: torch.Generator) -> Tensor:
    """A random order of all indices in which every prefix holds the classes in proportion.

    ``labels``: int64 (n,) on the CPU; returns int64 (n,). Prefixes are therefore nested stratified draws: with
    equally frequent classes the counts in a prefix differ by at most one.
    """
    shuffled = torch.randperm(len(labels), generator=random)
    position = torch.empty(len(labels), dtype=torch.float64)
    for label in labels.unique():
        members = (labels[shuffled] == label).nonzero().squeeze(1)
        position[members] = (torch.arange(len(members), dtype=torch.float64) + 0.5) / len(members)
    return shuffled[position.argsort(stable=True)]


def draw(images: ImageSet, count: int | None) -> ImageSet:
    """A stratified draw of at most ``count`` images, always the same and nested; ``None``: all of them."""
    if count is None or count >= len(images):
        return images
    return images.subset(draw_rows(images.labels, count))


def draw_rows(labels: Tensor, count: int | None) -> Tensor:
    """Which images ``draw`` takes, in rising order; int64, on the CPU."""
    if count is None or count >= len(labels):
        return torch.arange(len(labels))
    return stratified_order(labels.cpu(), generator(_SEED, "draw"))[:count].sort().values


def divide(images: ImageSet, share: float, purpose: str) -> tuple[ImageSet, ImageSet]:
    """``images`` without, and with only, a stratified ``share`` of them; always the same for one ``purpose``."""
    order = stratified_order(images.labels, generator(_SEED, purpose))
    taken = round(share * len(images))
    if taken == 0:
        return images, images.subset(order[:0])
    return images.subset(order[taken:].sort().values), images.subset(order[:taken].sort().values)


def train_and_validation(images: ImageSet, config: DataConfig) -> tuple[ImageSet, ImageSet]:
    """The training and the validation images that ``config`` wants of a source's training ``images``.

    ``config.train_images`` caps what validation leaves; a smaller cap takes a subset of a larger one.
    """
    train, validation = divide(images, config.validation_fraction, "validation")
    if len(train) == 0:
        raise DataError(
            f"data.validation_fraction is {config.validation_fraction}; it takes all {len(images)} training images"
        )
    if config.train_images is None:
        return train, validation
    if config.train_images > len(train):
        raise DataError(f"data.train_images is {config.train_images}, but validation leaves {len(train)}; lower it")
    order = stratified_order(train.labels, generator(_SEED, "train_images"))
    return train.subset(order[: config.train_images].sort().values), validation
