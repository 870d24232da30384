"""L-infinity adversaries. The sign-step loop exists once; what varies is the loss it ascends, start, step and radius.

Perturbations are in pixel units of [0, 1]. The caller's images are (..., 3, h, w) in [0, 1].
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from trainables import objectives
from trainables.config import AdversaryConfig, FaithfulTo
from trainables.parallel import ALONE, World

LossOfImages = Callable[[Tensor], Tensor]
"""From perturbed images to the scalar that the adversary ascends."""


@dataclass(frozen=True, kw_only=True)
class Attack:
    """How far, in what steps and from where a perturbation goes."""

    epsilon: float
    step_size: float
    steps: int
    random_start: bool = False
    leaks_weight_gradients: bool = False
    """Backward passes also accumulate into the weights' gradients, as in the released PGD scripts."""


def resolve(config: AdversaryConfig, objective: str, faithful_to: FaithfulTo) -> Attack:
    """``config`` with its open fields closed as paper or code have them."""
    released = faithful_to == "released_code"
    step_size = config.step_size
    if step_size is None:
        step_size = config.epsilon if config.name == "free" and not released else 1e-2
    random_start = config.random_start
    if random_start is None:
        random_start = config.name == "pgd" and objectives.find(objective).random_start and not released
    return Attack(
        epsilon=config.epsilon,
        step_size=step_size,
        steps=config.steps,
        random_start=random_start,
        leaks_weight_gradients=leaks_weight_gradients(config, objective, faithful_to),
    )


def leaks_weight_gradients(config: AdversaryConfig, objective: str, faithful_to: FaithfulTo) -> bool:
    """Whether PGD's backward passes enter the update: so in main_empssl_adv.py and main_simclr_adv.py (ff36114)."""
    return faithful_to == "released_code" and config.name == "pgd" and objective in ("emp_ssl", "nt_xent")


def project(delta: Tensor, images: Tensor, epsilon: float) -> Tensor:
    """The nearest perturbation within ``epsilon`` that keeps ``images + delta`` in [0, 1]."""
    return (images + delta.clamp(-epsilon, epsilon)).clamp(0, 1) - images


def ascend(delta: Tensor, gradient: Tensor, images: Tensor, attack: Attack) -> Tensor:
    """One sign step up the loss, projected."""
    return project(delta + attack.step_size * gradient.sign(), images, attack.epsilon)


def start(images: Tensor, attack: Attack, generator: torch.Generator | None = None, world: World = ALONE) -> Tensor:
    """Where a perturbation begins: zero, or uniform within the ball; drawn for the images of the whole ``world``."""
    if not attack.random_start:
        return torch.zeros_like(images)
    dim = images.ndim - 4
    drawn = images.new_empty(world.shape_of_whole(images, dim))
    drawn.uniform_(-attack.epsilon, attack.epsilon, generator=generator)
    return project(world.own(drawn, dim), images, attack.epsilon)


def pgd(loss: LossOfImages, images: Tensor, attack: Attack, generator: torch.Generator | None = None) -> Tensor:
    """The perturbation after ``attack.steps`` sign steps up ``loss``; images (..., 3, h, w) -> same shape.

    The model's mode and its running statistics are the caller's business, so is judging success.
    """
    return climb(loss, images, attack, start(images, attack, generator))


def climb(loss: LossOfImages, images: Tensor, attack: Attack, delta: Tensor) -> Tensor:
    """PGD from where ``delta`` begins."""
    for _ in range(attack.steps):
        delta.requires_grad_()
        value = loss(images + delta)
        gradient = _gradient(value, delta, leaks=attack.leaks_weight_gradients)
        delta = ascend(delta.detach(), gradient, images, attack)
    return delta


def _gradient(value: Tensor, delta: Tensor, *, leaks: bool) -> Tensor:
    if not leaks:
        return torch.autograd.grad(value, delta)[0]
    value.backward()
    assert delta.grad is not None
    return delta.grad


class FreePerturbation:
    """A perturbation kept across replays, batches and epochs (arXiv 2501.03507, Algorithm 1; arXiv 1904.12843).

    Shaped like a batch of views, it starts at zero. Each training gradient moves it one sign step.
    """

    def __init__(self, attack: Attack, *, projects_onto_new_images: bool) -> None:
        self._attack = attack
        self._projects = projects_onto_new_images
        self.delta: Tensor | None = None

    def onto(self, images: Tensor) -> Tensor:
        """The perturbation for a new batch; the released code leaves it as the last batch's images allowed it."""
        if self.delta is None:
            self.delta = torch.zeros_like(images)
        elif self._projects:
            self.delta = project(self.delta, images, self._attack.epsilon)
        return self.delta

    def ascend(self, gradient: Tensor, images: Tensor) -> None:
        """Move by the gradient of the loss with respect to the perturbation."""
        assert self.delta is not None
        self.delta = ascend(self.delta, gradient, images, self._attack)
