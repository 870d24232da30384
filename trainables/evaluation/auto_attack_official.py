"""The four attacks of the official AutoAttack (pyautoattack), and the network as they see it.

Croce & Hein, arXiv 2003.01690. Nothing of the attacks is written anew here: only how long they run, and on what.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol

import torch
from torch import Tensor, nn

from trainables.config import AttackPrecision, ConfigError
from trainables.cost import FORWARD, TO_INPUTS
from trainables.precision import in_precision

Version = Literal["standard", "torchattacks_10_steps"]

ATTACKS = ("apgd-ce", "apgd-t", "fab-t", "square")
"""In the order in which the standard version runs them."""
FEWEST_CLASSES = 4
"""The targeted DLR loss of ``apgd-t`` reads the fourth largest logit."""


@dataclass(frozen=True, kw_only=True)
class Strength:
    """How long the attacks run; the defaults are the standard version's."""

    apgd_steps: int = 100
    fab_steps: int = 100
    square_queries: int = 5000
    target_classes: int | None = 9
    """Of ``apgd-t`` and ``fab-t``; fewer where the data set has not so many wrong classes; ``None``: all of these."""

    def targets(self, classes: int) -> int:
        """Target classes among ``classes``; ``ConfigError`` where there are too few for AutoAttack."""
        if classes < FEWEST_CLASSES:
            raise ConfigError(
                f"evaluation.attacks asks for AutoAttack but the classifier has {classes} classes, and its targeted "
                f"DLR loss needs {FEWEST_CLASSES}; leave it out of evaluation.attacks"
            )
        wrong = classes - 1
        return wrong if self.target_classes is None else min(self.target_classes, wrong)


STRENGTHS: dict[Version, Strength] = {
    "standard": Strength(),
    "torchattacks_10_steps": Strength(apgd_steps=10, fab_steps=10, target_classes=None),
}
"""``torchattacks_10_steps`` only explains the paper's Table 6: torchattacks 3.5.1 stops APGD and FAB that early and
aims them at every wrong class."""


class Victim:
    """``classifier`` in one precision, counting its work; (b, 3, h, w) in [0, 1] -> float32 logits (b, classes)."""

    def __init__(self, classifier: nn.Module, precision: AttackPrecision) -> None:
        self._classifier = in_precision(classifier, precision)
        self.classes = 0
        self.forward_equivalents = 0

    def __call__(self, images: Tensor) -> Tensor:
        differentiated = torch.is_grad_enabled() and images.requires_grad
        self.forward_equivalents += len(images) * (FORWARD + TO_INPUTS * differentiated)
        logits = self._classifier(images)
        self.classes = logits.shape[1]
        return logits


class OfficialAttack(Protocol):
    """One attack of pyautoattack. ``perturb`` seeds torch's global generators and reads them."""

    def perturb(self, x: Tensor, y: Tensor) -> Tensor:
        """x float32 (b, 3, h, w) in [0, 1], y int64 (b,) -> images like x, those it failed on as they were."""


def official_attack(
    name: str, victim: Callable[[Tensor], Tensor], strength: Strength, targets: int, epsilon: float, seed: int
) -> OfficialAttack:
    """The attack called ``name`` as ``AutoAttack(version="standard", norm="Linf")`` sets it up, but for ``strength``.

    ``targets`` as ``strength.targets`` says. It works on the device of the images that it is given and says nothing.
    """
    from pyautoattack.autopgd_base import APGDAttack, APGDAttack_targeted
    from pyautoattack.fab_pt import FABAttack_PT
    from pyautoattack.square import SquareAttack

    common = {"norm": "Linf", "eps": epsilon, "seed": seed, "n_restarts": 1, "verbose": False}
    apgd = common | {"n_iter": strength.apgd_steps, "eot_iter": 1, "rho": 0.75, "logger": _silent_logger()}
    targeted = {"n_target_classes": targets}
    attack: OfficialAttack
    if name == "apgd-ce":
        attack = APGDAttack(victim, loss="ce", **apgd)
    elif name == "apgd-t":
        attack = APGDAttack_targeted(victim, **apgd, **targeted)
    elif name == "fab-t":
        attack = FABAttack_PT(victim, n_iter=strength.fab_steps, targeted=True, **common, **targeted)
    else:
        attack = SquareAttack(victim, n_queries=strength.square_queries, p_init=0.8, resc_schedule=False, **common)
    return attack


def _silent_logger() -> logging.Logger:
    """Without a logger of its own APGD raises Python warnings about vanished gradients."""
    logger = logging.Logger("auto-attack")
    logger.disabled = True
    return logger
