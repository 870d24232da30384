"""SimCLR under a PGD adversary (arXiv 2501.03507, section 2.2.1 and rows 3, 4 of Table 1)."""

from __future__ import annotations

from trainables.config import (
    AdversaryConfig,
    FaithfulTo,
    NetworkConfig,
    ObjectiveConfig,
    OptimiserConfig,
    TrialConfig,
    ViewsConfig,
)
from trainables.method import Trainable
from trainables.pairing import CLEAN_AND_ADVERSARIES, SECOND_VIEW, Pairing

NAME = "robust_simclr"


def defaults(faithful_to: FaithfulTo) -> TrialConfig:
    """500 epochs [P], batch 512, tau 0.07, z of 128, 5 steps of 1e-2 within 8/255 [C]."""
    return TrialConfig(
        trainable=NAME,
        faithful_to=faithful_to,
        views=ViewsConfig(number=2, augmentation="simclr"),
        network=NetworkConfig(embedding=128),
        objective=ObjectiveConfig(name="nt_xent", temperature=0.07),
        adversary=AdversaryConfig(name="pgd", epsilon=8 / 255, steps=5),
        optimiser=OptimiserConfig(epochs=500, batch_size=512),
    )


def pairing(faithful_to: FaithfulTo) -> Pairing:
    return CLEAN_AND_ADVERSARIES if faithful_to == "paper" else SECOND_VIEW


TRAINABLE = Trainable(
    name=NAME,
    summary="NT-Xent over two views and their PGD adversaries",
    source="arXiv 2501.03507, section 2.2.1; softsys4ai/CF-AMC-SSL at ff36114, main_simclr_adv.py",
    objectives=("nt_xent",),
    adversary="pgd",
    defaults=defaults,
    pairing=pairing,
    views=2,
)
