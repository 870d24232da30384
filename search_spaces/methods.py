"""What a trainable is, as far as it decides which dimensions mean anything to it."""

from __future__ import annotations

from collections.abc import Callable

from trainables import catalogue
from trainables.config import TrialConfig
from trainables.objectives import Objective, find


def objective(config: TrialConfig) -> Objective:
    return find(config.objective.name)


def reads(setting: str) -> Callable[[TrialConfig], bool]:
    """Whether the objective does, of ``ObjectiveConfig``."""
    return lambda config: setting in objective(config).settings


def projects(config: TrialConfig) -> bool:
    """A classifier's logits stand in the projector's place."""
    return objective(config).embeddings != "logits"


def many_views(config: TrialConfig) -> bool:
    return objective(config).views is None


def cuts(config: TrialConfig) -> bool:
    return config.views.kind != "padded"


def selects(config: TrialConfig) -> bool:
    return config.coreset.name != "none"


def selects_by_robustness(config: TrialConfig) -> bool:
    return config.coreset.name == "rcs"


def free(config: TrialConfig) -> bool:
    return config.adversary.name == "free"


def pgd(config: TrialConfig) -> bool:
    return config.adversary.name == "pgd"


def attacked(config: TrialConfig) -> bool:
    return config.adversary.name != "none"


def branches(config: TrialConfig) -> bool:
    """Clean views may pass BatchNorms of their own."""
    return catalogue.find(config.trainable).pairing(config.faithful_to).passes == "branches"
