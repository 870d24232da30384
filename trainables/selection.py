"""Which training images an epoch sees: all, or the minibatches of a coreset (arXiv 2302.03857)."""

from __future__ import annotations

import torch
from torch import Tensor

from trainables import adversaries, cost
from trainables.adversaries import Attack
from trainables.config import ConfigError, TrialConfig
from trainables.coresets import minibatches, random_subset, rcs
from trainables.data import ImageSet, divide, generator, make_views, pixels, strength
from trainables.losses import Losses

STEP_SHARE = 1.25
"""Steps of a candidate minibatch's adversary cross this many radii together: (10/255) / steps within 8/255 [R]."""


def select_rows(
    config: TrialConfig, losses: Losses, images: ImageSet, held_out: ImageSet, epoch: int, device: torch.device
) -> Tensor:
    """Rows of ``images`` that train from ``epoch`` to the next selection: whole minibatches; int64, on the CPU.

    ``held_out``: the images on which robustness-aware selection measures the representational divergence.
    """
    size = config.optimiser.batch_size
    random = generator(config.seed, "coreset", epoch)
    count = len(images) // size
    order = torch.randperm(len(images), generator=random)[: count * size].view(count, size)
    budget = minibatches(len(images), size, config.coreset.fraction)
    if config.coreset.name == "random":
        return order[random_subset(count, budget, random)].flatten()
    chosen = rcs.select(
        losses.model,
        pixels(held_out.images.to(device)),
        Candidates(config, losses, images, order, epoch, device),
        count=count,
        budget=budget,
        config=config.coreset,
        epsilon=config.adversary.epsilon,
        random=generator(config.seed, "coreset attack", epoch, device=device),
        batch_size=size,
    )
    return order[chosen].flatten()


class Candidates:
    """The training loss of each minibatch that might be taken, under PGD; the same on every call."""

    def __init__(
        self, config: TrialConfig, losses: Losses, images: ImageSet, order: Tensor, epoch: int, device: torch.device
    ) -> None:
        self._config, self._losses, self._images, self._order = config, losses, images, order
        self._epoch, self._device = epoch, device
        self._strength = strength(config.views, epoch, config.optimiser.epochs)
        steps, epsilon = config.coreset.batch_steps, config.adversary.epsilon
        self._attack = Attack(epsilon=epsilon, step_size=STEP_SHARE * epsilon / steps, steps=steps, random_start=True)

    def __call__(self, index: int) -> Tensor:
        """Scalar, with a gradient to whatever parameters take one."""
        random = generator(self._config.seed, "coreset views", self._epoch, index, device=self._device)
        rows = self._order[index]
        batch = self._images.subset(rows).to(self._device)
        views = make_views(batch.images, self._config.views, random, self._strength)
        views = views.view(self._config.views.number, len(batch), *views.shape[1:])
        groups = self._config.optimiser.micro_batches
        starts = adversaries.start(self._losses.pairing.perturbed(views), self._attack, random)
        parts = zip(views.chunk(groups, 1), batch.labels.chunk(groups), starts.chunk(groups, 1), strict=True)
        return torch.stack([self._loss(*part) for part in parts]).mean()

    def _loss(self, views: Tensor, labels: Tensor, start: Tensor) -> Tensor:
        if self._config.adversary.name == "none":
            return self._losses.clean(views, labels).total
        return self._losses.trained(views, self._losses.perturb(views, labels, self._attack, start), labels).total


def check_coreset(config: TrialConfig, images: int) -> None:
    """``ConfigError`` where selection would have no image of its own."""
    if config.coreset.name != "none" and cost.selection_images(config, images) == 0:
        raise ConfigError(
            f"coreset.validation_fraction is {config.coreset.validation_fraction} of {images} images, "
            "which is none; make it larger"
        )


def candidates_and_held_out(config: TrialConfig, images: ImageSet) -> tuple[ImageSet, ImageSet]:
    """The images that may train, and those that coreset selection keeps to itself."""
    check_coreset(config, len(images))
    if config.coreset.name == "none":
        return images, images.subset(torch.arange(0))
    return divide(images, config.coreset.validation_fraction, "coreset")
