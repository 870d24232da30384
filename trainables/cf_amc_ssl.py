"""CF-AMC-SSL: EMP-SSL under free adversarial training (arXiv 2501.03507, Algorithm 1 and row 7 of Table 1)."""

from __future__ import annotations

from trainables.config import AdversaryConfig, FaithfulTo, OptimiserConfig, TrialConfig
from trainables.method import Trainable
from trainables.pairing import EVERY_VIEW

NAME = "cf_amc_ssl"


def defaults(faithful_to: FaithfulTo) -> TrialConfig:
    """16 crops, m = 3, 10 epochs, 8/255 [P], batch 100 [C]; the step is epsilon [P] or 1e-2 [C]."""
    return TrialConfig(
        trainable=NAME,
        faithful_to=faithful_to,
        adversary=AdversaryConfig(name="free", epsilon=8 / 255, replays=3),
        optimiser=OptimiserConfig(epochs=10, batch_size=100),
    )


TRAINABLE = Trainable(
    name=NAME,
    summary="EMP-SSL over many crops; each batch replayed m times, each gradient moves weights and perturbation",
    source="arXiv 2501.03507, Algorithm 1; softsys4ai/CF-AMC-SSL at ff36114, main_empssl_free_adv.py",
    objectives=("emp_ssl",),
    adversary="free",
    defaults=defaults,
    pairing=lambda _: EVERY_VIEW,
)
