"""Supervised free adversarial training (arXiv 1904.12843; arXiv 2501.03507, Table 4)."""

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

NAME = "supervised_free"


def defaults(faithful_to: FaithfulTo) -> TrialConfig:
    """m = 3 at 8/255, as many epochs as its self-supervised twin.

    One padded and mirrored view without colour, batch 128, optimiser as the other methods' [A].
    ``objective.name`` may be ``sup_con`` (arXiv 2004.11362), which needs two views or more.
    """
    return TrialConfig(
        trainable=NAME,
        faithful_to=faithful_to,
        views=ViewsConfig(number=1, kind="padded", augmentation="none"),
        objective=ObjectiveConfig(name="cross_entropy"),
        adversary=AdversaryConfig(name="free", epsilon=8 / 255, replays=3),
        optimiser=OptimiserConfig(epochs=167, batch_size=128),
    )


TRAINABLE = Trainable(
    name=NAME,
    summary="cross-entropy with labels under free adversarial training",
    source="arXiv 1904.12843; arXiv 2501.03507, section 3.5",
    objectives=("cross_entropy", "sup_con"),
    adversary="free",
    defaults=defaults,
    pairing=lambda _: EVERY_VIEW,
)
