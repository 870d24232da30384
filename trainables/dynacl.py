"""DynACL: ACL whose augmentation weakens while its adversarial half gains weight (arXiv 2303.01289)."""

from __future__ import annotations

from dataclasses import replace

from trainables import acl
from trainables.config import FaithfulTo, TrialConfig

NAME = "dynacl"


def defaults(faithful_to: FaithfulTo) -> TrialConfig:
    """ACL's constants; strength 1 - floor((e - 1) / 50) 50 / E and w = 2/3 (1 - strength), as in DynACL_RCS.py."""
    base = acl.defaults(faithful_to)
    return replace(
        base,
        trainable=NAME,
        views=replace(base.views, strength_period=50),
        objective=replace(base.objective, reweighting=2 / 3),
    )


TRAINABLE = replace(
    acl.TRAINABLE,
    name=NAME,
    summary="ACL on a schedule from strong to weak augmentation, its adversarial half outweighing the clean one",
    source="arXiv 2303.01289; GodXuxilie/Efficient_ACL_via_RCS at 6fc9aef, DynACL_RCS.py",
    defaults=defaults,
)
