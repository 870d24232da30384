"""SimCLR under a PGD adversary (arXiv 2501.03507, section 2.2.1 and rows 3, 4 of Table 1)."""

from __future__ import annotations

from dataclasses import replace

from trainables import simclr
from trainables.config import AdversaryConfig, FaithfulTo, TrialConfig
from trainables.method import Trainable

NAME = "robust_simclr"


def defaults(faithful_to: FaithfulTo) -> TrialConfig:
    """SimCLR's constants under 5 steps of 1e-2 within 8/255 [C]; 500 epochs [P]."""
    base = simclr.defaults(faithful_to)
    return replace(
        base,
        trainable=NAME,
        adversary=AdversaryConfig(name="pgd", epsilon=8 / 255, steps=5),
    )


TRAINABLE = Trainable(
    name=NAME,
    summary="NT-Xent over two views and their PGD adversaries",
    source="arXiv 2501.03507, section 2.2.1; softsys4ai/CF-AMC-SSL at ff36114, main_simclr_adv.py",
    objectives=("nt_xent",),
    adversary="pgd",
    defaults=defaults,
    pairing=simclr.pairing,
)
