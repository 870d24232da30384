"""SimCLR under free adversarial training (arXiv 2501.03507, row 6 of Table 1)."""

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
from trainables.pairing import SECOND_VIEW

NAME = "simclr_free"


def defaults(faithful_to: FaithfulTo) -> TrialConfig:
    """m = 3, 167 epochs, 8/255 [P], batch 512, tau 0.07, z of 128 [C]; the step is epsilon [P] or 1e-2 [C]."""
    return TrialConfig(
        trainable=NAME,
        faithful_to=faithful_to,
        views=ViewsConfig(number=2, augmentation="simclr"),
        network=NetworkConfig(embedding=128),
        objective=ObjectiveConfig(name="nt_xent", temperature=0.07),
        adversary=AdversaryConfig(name="free", epsilon=8 / 255, replays=3),
        optimiser=OptimiserConfig(epochs=167, batch_size=512),
    )


TRAINABLE = Trainable(
    name=NAME,
    summary="NT-Xent of one view and the other's perturbation, kept across m replays of each batch",
    source="arXiv 2501.03507, section 3.5; softsys4ai/CF-AMC-SSL at ff36114, main_simclr_free_adv.py",
    objectives=("nt_xent",),
    adversary="free",
    defaults=defaults,
    pairing=lambda _: SECOND_VIEW,
    views=2,
)
