"""Which views an adversary perturbs, which its loss sees, and which the training loss sees.

Views are (v, b, 3, h, w); ``adversarial`` holds the perturbed ones, in the same order.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

Compose = Callable[[Tensor, Tensor], Tensor]
"""(clean views, adversarial views) -> the views that enter a loss."""

Passes = Literal["joint", "alone", "branches"]


@dataclass(frozen=True, kw_only=True)
class Pairing:
    """How clean and perturbed views meet in a method's losses."""

    perturbs_all: bool
    """All views are perturbed, or the last alone."""
    attack: Compose
    """The views whose loss the PGD adversary ascends."""
    train: Compose
    """The views whose loss the weights descend."""
    passes: Passes = "joint"
    """``joint``: views share one forward pass and so its batch statistics; ``alone``: each has its own; ``branches``:
    the clean half passes the clean BatchNorms, the adversarial half, and all that an attack sees, the others."""
    attacks_in_eval: bool = False
    """PGD sees the network in evaluation mode; else in training mode, its passes moving the running statistics."""

    def perturbed(self, views: Tensor) -> Tensor:
        """The clean views that get a perturbation."""
        return views if self.perturbs_all else views[-1:]

    def counts(self, views: int) -> tuple[int, int]:
        """How many views an image has that are attacked with and trained on.

        An attack's gradient goes back through all that it sees, the clean ones beside the perturbed too.
        """
        clean = torch.empty(views, 0)
        adversarial = self.perturbed(clean)
        return len(self.attack(clean, adversarial)), len(self.train(clean, adversarial))


def _adversarial(_clean: Tensor, adversarial: Tensor) -> Tensor:
    return adversarial


def _both(clean: Tensor, adversarial: Tensor) -> Tensor:
    return torch.cat([clean, adversarial])


def _last_and_its_adversary(clean: Tensor, adversarial: Tensor) -> Tensor:
    return torch.cat([clean[-1:], adversarial])


def _first_and_adversary(clean: Tensor, adversarial: Tensor) -> Tensor:
    return torch.cat([clean[:1], adversarial])


EVERY_VIEW = Pairing(perturbs_all=True, attack=_adversarial, train=_adversarial)
"""EMP-SSL: every view is perturbed and no clean view is seen (arXiv 2501.03507, section 2.2.2 and Algorithm 1)."""

CLEAN_AND_ADVERSARIES = Pairing(perturbs_all=True, attack=_adversarial, train=_both)
"""Robust SimCLR after the text (section 2.2.1). The attack ascends NT-Xent of the pair (x1 + d1, x2 + d2), both
perturbations jointly. Training sees x1, x2, x1 + d1, x2 + d2; each one's positives are the other three."""

SECOND_VIEW = Pairing(perturbs_all=False, attack=_last_and_its_adversary, train=_first_and_adversary, passes="alone")
"""Robust SimCLR as released (main_simclr_adv.py, main_simclr_free_adv.py at ff36114): the attack ascends NT-Xent of
(x2, x2 + d), training pairs x1 with x2 + d, and each view passes the network alone."""

DUAL = Pairing(perturbs_all=True, attack=_adversarial, train=_both, passes="branches", attacks_in_eval=True)
"""ACL with dual BatchNorm (arXiv 2010.13337): the attack ascends NT-Xent of the adversarial pair through the
adversarial BatchNorms in evaluation mode; training sees the clean pair and the adversarial pair, each through its own
(GodXuxilie/Efficient_ACL_via_RCS at 6fc9aef, ACL_RCS.py)."""
