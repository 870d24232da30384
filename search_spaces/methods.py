"""What a trainable is, as far as it decides which dimensions mean anything to it."""

from __future__ import annotations

from trainables.config import TrialConfig


def emp_ssl(config: TrialConfig) -> bool:
    return config.objective.name == "emp_ssl"


def contrastive(config: TrialConfig) -> bool:
    return config.objective.name in ("nt_xent", "sup_con", "acl")


def dual(config: TrialConfig) -> bool:
    """Clean and adversarial views have losses of their own."""
    return config.objective.name == "acl"


def projects(config: TrialConfig) -> bool:
    """A classifier's logits stand in the projector's place."""
    return config.objective.name != "cross_entropy"


def many_views(config: TrialConfig) -> bool:
    return config.objective.name in ("emp_ssl", "cross_entropy", "sup_con")


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
    from trainables.catalogue import find  # torch: late, as most uses of a space do without

    return find(config.trainable).pairing(config.faithful_to).passes == "branches"
