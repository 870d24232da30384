"""VICReg under the platform's adversaries."""

from __future__ import annotations

from dataclasses import replace

from trainables.config import (
    AdversaryConfig,
    FaithfulTo,
    ObjectiveConfig,
    OptimiserConfig,
    TrialConfig,
    ViewsConfig,
)
from trainables.method import Trainable
from trainables.pairing import CLEAN_AND_ADVERSARIES, EVERY_VIEW


def defaults_pgd(faithful_to: FaithfulTo) -> TrialConfig:
    return TrialConfig(
        trainable="vicreg_pgd",
        faithful_to=faithful_to,
        views=ViewsConfig(number=2, augmentation="simclr"),
        objective=ObjectiveConfig(name="vicreg"),
        adversary=AdversaryConfig(name="pgd", epsilon=8 / 255, step_size=2 / 255, steps=5),
        optimiser=OptimiserConfig(epochs=100, batch_size=256),
    )


def defaults_free(faithful_to: FaithfulTo) -> TrialConfig:
    free = AdversaryConfig(name="free", epsilon=8 / 255, replays=3)
    return replace(defaults_pgd(faithful_to), trainable="vicreg_free", adversary=free)


VICREG_PGD = Trainable(
    name="vicreg_pgd",
    summary="VICReg of perturbed views under PGD",
    source="arXiv 2105.04906, 1706.06083",
    objectives=("vicreg",),
    adversary="pgd",
    defaults=defaults_pgd,
    pairing=lambda _: EVERY_VIEW,
)
VICREG_FREE = Trainable(
    name="vicreg_free",
    summary="VICReg of views and their adversaries; each gradient moves weights and perturbation",
    source="arXiv 2105.04906, 1904.12843",
    objectives=("vicreg",),
    adversary="free",
    defaults=defaults_free,
    pairing=lambda _: CLEAN_AND_ADVERSARIES,
)
