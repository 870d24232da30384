"""EMP-SSL without an adversary (arXiv 2304.03977; arXiv 2501.03507, section 2.1.2 and Table 2)."""

from __future__ import annotations

from trainables.config import (
    AdversaryConfig,
    FaithfulTo,
    OptimiserConfig,
    TrialConfig,
    ViewsConfig,
)
from trainables.method import Trainable
from trainables.pairing import EVERY_VIEW

NAME = "emp_ssl"


def defaults(faithful_to: FaithfulTo) -> TrialConfig:
    """Fixed-scale patches, 30 epochs [P]; 64 of them, batch 128 [C]."""
    return TrialConfig(
        trainable=NAME,
        faithful_to=faithful_to,
        views=ViewsConfig(number=64, kind="patches"),
        adversary=AdversaryConfig(name="none"),
        optimiser=OptimiserConfig(epochs=30, batch_size=128),
    )


TRAINABLE = Trainable(
    name=NAME,
    summary="EMP-SSL over many patches or crops, no adversary",
    source="arXiv 2304.03977; softsys4ai/CF-AMC-SSL at ff36114, main_empssl.py",
    objectives=("emp_ssl",),
    adversary="none",
    defaults=defaults,
    pairing=lambda _: EVERY_VIEW,
)
