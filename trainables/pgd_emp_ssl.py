"""EMP-SSL under a PGD adversary (arXiv 2501.03507, section 2.2.2 and rows 1, 2 of Table 1)."""

from __future__ import annotations

from trainables.config import AdversaryConfig, FaithfulTo, OptimiserConfig, TrialConfig
from trainables.method import Trainable
from trainables.pairing import EVERY_VIEW

NAME = "pgd_emp_ssl"


def defaults(faithful_to: FaithfulTo) -> TrialConfig:
    """16 views, 30 epochs [P], batch 128, 5 steps of 1e-2 within 8/255 from zero [C]."""
    return TrialConfig(
        trainable=NAME,
        faithful_to=faithful_to,
        adversary=AdversaryConfig(name="pgd", epsilon=8 / 255, steps=5),
        optimiser=OptimiserConfig(epochs=30, batch_size=128),
    )


TRAINABLE = Trainable(
    name=NAME,
    summary="EMP-SSL over many views, each perturbed by PGD through the joint loss",
    source="arXiv 2501.03507, section 2.2.2; softsys4ai/CF-AMC-SSL at ff36114, main_empssl_adv.py",
    objectives=("emp_ssl",),
    adversary="pgd",
    defaults=defaults,
    pairing=lambda _: EVERY_VIEW,
)
