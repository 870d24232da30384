"""SimCLR under free adversarial training (arXiv 2501.03507, row 6 of Table 1)."""

from __future__ import annotations

from dataclasses import replace

from trainables import simclr
from trainables.config import AdversaryConfig, FaithfulTo, TrialConfig
from trainables.method import Trainable
from trainables.pairing import SECOND_VIEW

NAME = "simclr_free"


def defaults(faithful_to: FaithfulTo) -> TrialConfig:
    """SimCLR's constants; m = 3, 167 epochs, 8/255 [P]; the step is epsilon [P] or 1e-2 [C]."""
    base = simclr.defaults(faithful_to)
    return replace(
        base,
        trainable=NAME,
        adversary=AdversaryConfig(name="free", epsilon=8 / 255, replays=3),
        optimiser=replace(base.optimiser, epochs=167),
    )


TRAINABLE = Trainable(
    name=NAME,
    summary="NT-Xent of one view and the other's perturbation, kept across m replays of each batch",
    source="arXiv 2501.03507, section 3.5; softsys4ai/CF-AMC-SSL at ff36114, main_simclr_free_adv.py",
    objectives=("nt_xent",),
    adversary="free",
    defaults=defaults,
    pairing=lambda _: SECOND_VIEW,
)
