"""Adversarial contrastive learning with dual BatchNorm (arXiv 2010.13337, ACL(DS))."""

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
from trainables.pairing import DUAL

NAME = "acl"


def defaults(faithful_to: FaithfulTo) -> TrialConfig:
    """Constants of GodXuxilie/Efficient_ACL_via_RCS at 6fc9aef, ACL_RCS.py; heads read the 512-d backbone.

    1000 epochs, batch 512, LARS at 5 after 10 epochs of warm-up, PGD-5 of 2/255 from a random start, tau 0.5. Two
    departures: that code normalises its input and its last projector layer, and cuts views bicubically.
    """
    return TrialConfig(
        trainable=NAME,
        faithful_to=faithful_to,
        views=ViewsConfig(number=2, scale_min=0.1, augmentation="simclr"),
        network=NetworkConfig(
            dual_batch_norm=True, pre_feature=None, projector_hidden=512, projector_layers=3, embedding=512
        ),
        objective=ObjectiveConfig(name="acl", temperature=0.5),
        adversary=AdversaryConfig(name="pgd", epsilon=8 / 255, step_size=2 / 255, steps=5, random_start=True),
        optimiser=OptimiserConfig(
            epochs=1000,
            warmup_epochs=10,
            batch_size=512,
            learning_rate=5.0,
            nesterov=False,
            weight_decay=1e-6,
            lars="scaled",
            lars_eta=0.001,
        ),
    )


TRAINABLE = Trainable(
    name=NAME,
    summary="NT-Xent of two clean views and of their PGD adversaries, each through BatchNorms of its own",
    source="arXiv 2010.13337; GodXuxilie/Efficient_ACL_via_RCS at 6fc9aef, ACL_RCS.py",
    objectives=("acl",),
    adversary="pgd",
    defaults=defaults,
    pairing=lambda _: DUAL,
    needs_adversary=True,
)
