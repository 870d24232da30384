"""Supervised adversarial training with PGD (arXiv 1706.06083), the labelled yardstick."""

from __future__ import annotations

from trainables.config import (
    AdversaryConfig,
    FaithfulTo,
    ObjectiveConfig,
    OptimiserConfig,
    TrialConfig,
    ViewsConfig,
)
from trainables.method import Trainable
from trainables.pairing import EVERY_VIEW

NAME = "supervised_pgd"


def defaults(faithful_to: FaithfulTo) -> TrialConfig:
    """7 steps of 2/255 from a random start within 8/255.

    One padded and mirrored view without colour, batch 128, optimiser as the other methods' [A].
    ``objective.name`` may be ``sup_con`` (arXiv 2004.11362), which needs two views or more.
    """
    return TrialConfig(
        trainable=NAME,
        faithful_to=faithful_to,
        views=ViewsConfig(number=1, kind="padded", augmentation="none"),
        objective=ObjectiveConfig(name="cross_entropy"),
        adversary=AdversaryConfig(name="pgd", epsilon=8 / 255, step_size=2 / 255, steps=7, random_start=True),
        optimiser=OptimiserConfig(epochs=200, batch_size=128),
    )


TRAINABLE = Trainable(
    name=NAME,
    summary="cross-entropy with labels under PGD",
    source="arXiv 1706.06083",
    objectives=("cross_entropy", "sup_con"),
    adversary="pgd",
    defaults=defaults,
    pairing=lambda _: EVERY_VIEW,
)
