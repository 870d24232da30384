"""Supervised free adversarial training (arXiv 1904.12843; arXiv 2501.03507, Table 4)."""

from __future__ import annotations

from dataclasses import replace

from trainables import supervised_pgd
from trainables.config import AdversaryConfig, FaithfulTo, TrialConfig
from trainables.method import Trainable
from trainables.pairing import EVERY_VIEW

NAME = "supervised_free"


def defaults(faithful_to: FaithfulTo) -> TrialConfig:
    """As the supervised PGD method, but m = 3 at 8/255 and as many epochs as the self-supervised twin [A]."""
    base = supervised_pgd.defaults(faithful_to)
    return replace(
        base,
        trainable=NAME,
        adversary=AdversaryConfig(name="free", epsilon=8 / 255, replays=3),
        optimiser=replace(base.optimiser, epochs=167),
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
