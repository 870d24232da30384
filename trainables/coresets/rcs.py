"""Robustness-aware coreset selection (arXiv 2302.03857).

The released script (GodXuxilie/Efficient_ACL_via_RCS at 6fc9aef, ACL_RCS/small_scale_datasets/RCS.py) cannot run as
published; constants, coordinates and the order of the divergence's arguments are its.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from trainables.adversaries import Attack, pgd
from trainables.config import ConfigError, CoresetConfig
from trainables.coresets.divergence import js_softmax, kl_min_max
from trainables.coresets.greedy import greedy
from trainables.coresets.projector import Projector
from trainables.coresets.untouched import untouched
from trainables.models import Encoder, branch

PATH = 10 / 255
"""Length of all PGD steps up the divergence together."""
DIVERGENCES = {"kl": kl_min_max, "js": js_softmax}


def select(
    model: Encoder,
    validation: Tensor,
    batch_loss: Callable[[int], Tensor],
    *,
    count: int,
    budget: int,
    config: CoresetConfig,
    epsilon: float,
    random: torch.Generator,
    batch_size: int,
) -> list[int]:
    """The ``budget`` of ``count`` minibatches that most reduce the representational divergence, in order of choice.

    ``validation``: (n, 3, h, w) in [0, 1], attacked in batches of ``batch_size`` within ``epsilon`` from ``random``
    starts, anew for every pick. ``batch_loss(index)``: scalar training loss of a minibatch with its adversary applied,
    through the projector and the same on every call; it is called in evaluation mode, once for every minibatch and
    again for the chosen. The model and the global random state are left as they were, also when a loss raises.
    ``ConfigError`` if there are no validation images; ``ValueError`` unless 0 <= budget <= count.
    """
    if len(validation) == 0:
        raise ConfigError(f"coreset.validation_fraction is {config.validation_fraction}, which is no image; raise it")
    divergence = Divergence(model, validation.split(batch_size), config, epsilon, random)
    with untouched(model):
        projector = Projector(model.projector, config.learning_rate)
        _train_alone(projector.parameters, model)
        candidates = torch.stack([projector.coordinates(batch_loss(index)) for index in range(count)])
        return greedy(
            candidates,
            lambda: divergence.gradient(projector),
            lambda index: projector.step(lambda: batch_loss(index)),
            budget,
        )


class Divergence:
    """How far PGD drives the representation of validation images: the mean over all elements of the projector's output.

    Clean images pass the clean BatchNorms, adversarial ones the others, where a model has both.
    """

    def __init__(
        self,
        model: Encoder,
        batches: tuple[Tensor, ...],
        config: CoresetConfig,
        epsilon: float,
        random: torch.Generator,
    ) -> None:
        self._model, self._batches, self._random = model, batches, random
        steps = config.validation_steps
        self._attack = Attack(epsilon=epsilon, step_size=PATH / steps, steps=steps, random_start=True)
        self._between = DIVERGENCES[config.divergence]

    def gradient(self, projector: Projector) -> Tensor:
        """With respect to the projector at the adversarial images, in its coordinates; (p,)."""
        images = sum(map(len, self._batches))
        parts = [projector.coordinates(self._of(batch)) * (len(batch) / images) for batch in self._batches]
        return torch.stack(parts).sum(dim=0)

    def _of(self, images: Tensor) -> Tensor:
        """Of one batch, after its attack; scalar."""
        with branch(self._model, "clean"):
            clean = self._model.project(images)
        target = clean.detach()
        delta = pgd(lambda perturbed: self._from(target, perturbed), images, self._attack, self._random)
        return self._from(clean, images + delta)

    def _from(self, clean: Tensor, perturbed: Tensor) -> Tensor:
        with branch(self._model, "adversarial"):
            adversarial = self._model.project(perturbed)
        # The released calls pass the adversarial representation first: KL(adversarial || clean).
        return self._between(adversarial, clean)


def _train_alone(parameters: list[nn.Parameter], model: nn.Module) -> None:
    """Evaluation mode, and gradients to nothing but ``parameters``."""
    model.eval().requires_grad_(False)
    for parameter in parameters:
        parameter.requires_grad_()
