"""SimCLR without an adversary (arXiv 2002.05709; arXiv 2501.03507, section 2.1.1 and Table 2)."""

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

NAME = "simclr"


def defaults(faithful_to: FaithfulTo) -> TrialConfig:
    """500 epochs [P], batch 512, tau 0.07, z of 128 [C]."""
    return TrialConfig(
        trainable=NAME,
        faithful_to=faithful_to,
        views=ViewsConfig(number=2, augmentation="simclr"),
        network=NetworkConfig(embedding=128),
        objective=ObjectiveConfig(name="nt_xent", temperature=0.07),
        adversary=AdversaryConfig(name="none"),
        optimiser=OptimiserConfig(epochs=500, batch_size=512),
    )


def pairing(faithful_to: FaithfulTo) -> Pairing:
    """Also of the robust method. Without an adversary it decides only how views pass the network: together [P], or
    each alone as released (main_simclr.py)."""
    return CLEAN_AND_ADVERSARIES if faithful_to == "paper" else SECOND_VIEW


TRAINABLE = Trainable(
    name=NAME,
    summary="NT-Xent over two views, no adversary",
    source="arXiv 2002.05709; softsys4ai/CF-AMC-SSL at ff36114, main_simclr.py",
    objectives=("nt_xent",),
    adversary="none",
    defaults=defaults,
    pairing=pairing,
)
