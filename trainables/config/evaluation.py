"""How a pre-trained encoder is measured: heads, attacks, checks."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, get_args

from trainables.config.checks import at_least, one_of, positive, require
from trainables.config.compute import AttackPrecision, Precision
from trainables.config.data import check_source

SplitName = Literal["validation", "test"]
AttackName = Literal["pgd", "fgsm", "margin_pgd", "auto_attack", "torchattacks_10_steps"]
"""The platform's own; packages bring others, which ``trainables.evaluation.attack`` finds."""

HEADS = ("clean", "robust", "n_crops_N", "robust_n_crops_N", "slf", "alf", "aff", "own")
"""Evaluation protocols by name; N is a number of crops, 32 or 64 in the paper."""
_HEAD = re.compile(r"clean|robust|(robust_)?n_crops_[1-9]\d*|slf|alf|aff|own")


@dataclass(frozen=True, kw_only=True)
class EvaluationConfig:
    """Heads on the frozen encoder and the attacks against them.

    ``clean`` head: linear, trained on clean ``pre_feature``; ``robust`` (r-LE): each batch replaced by PGD against
    encoder and head; ``n_crops_N``: on the mean embedding of N views; ``slf``, ``alf``, ``aff``: standard and
    adversarial linear and adversarial full finetuning as RobustSSL has them; ``own``: a supervised network's own.
    Every accuracy of one point on a frontier comes from ``head``.
    """

    source: str | None = None
    """Train and measure the heads on another data set than pre-training's; ``None``: on the same."""
    heads: tuple[str, ...] = ("robust",)
    """Which are trained and attacked."""
    head: str = "robust"
    """The head whose accuracies are the study's objectives; one of ``heads``."""
    split: SplitName = "validation"
    """Searches measure on ``validation`` images, confirmations on ``test`` images."""
    images: int | None = None
    """Evaluate on so many images of the split; ``None``: all."""
    head_epochs: int = 20
    """Of ``clean``, ``robust`` and ``robust_n_crops`` heads."""
    head_batch_size: int = 256
    """Of ``clean`` and ``robust`` heads."""
    head_learning_rate: float = 3e-4
    """Adam's, of ``clean`` and ``robust`` heads."""
    head_epsilon: float = 8 / 255
    """Radius of the PGD that ``robust``, ``robust_n_crops``, ``alf`` and ``aff`` heads are trained on."""
    head_attack_steps: int = 5
    """Steps of that PGD for ``robust`` and ``robust_n_crops`` heads."""
    head_images: int | None = None
    """Train the heads on so many training images; ``None``: all."""
    crops_epochs: int = 100
    """Epochs of an ``n_crops`` head."""
    finetune_epochs: int = 25
    """Epochs of ``slf``, ``alf`` and ``aff``; the rate falls tenfold at 2/5 (``aff``: 3/5) and at 4/5 of them."""
    attacks: tuple[str, ...] = ("pgd",)
    """What is run against every head; ``pgd`` always is. Of the platform's own, or a package's by its name."""
    attack_epsilons: tuple[float, ...] = (4 / 255, 8 / 255, 16 / 255)
    """Radii of PGD, FGSM and margin PGD."""
    epsilon: float = 8 / 255
    """The radius of ``pgd_accuracy`` and of AutoAttack; one of ``attack_epsilons``. Never a searched dimension."""
    attack_steps: int = 20
    """Of PGD."""
    attack_step_size: float = 1e-2
    """Of PGD."""
    attack_restarts: int = 1
    """Random starts of PGD beside the zero start."""
    attack_precision: Precision = "float32"
    """What PGD, FGSM and packages' attacks ascend in, those on the batches of a ``robust`` or ``robust_n_crops`` head
    among them; what is right after them is judged in float32 in any case."""
    attack_batch_size: int = 500
    """Images that PGD attacks at once, and packages' attacks."""
    auto_attack_images: int | None = None
    """AutoAttack runs on so many of the evaluated images; ``None``: all."""
    auto_attack_batch_size: int = 250
    """Images that AutoAttack attacks at once."""
    auto_attack_precision: AttackPrecision = "float32"
    """What AutoAttack looks for examples in; float32 judges them in any case. ``bfloat16``: a first pass whose broken
    images float32 confirms; the others are attacked again."""
    check_images: int = 128
    """Evaluated images on which the sanity checks run; 0: no checks, and no verdict."""

    def __post_init__(self) -> None:
        for name in ("heads", "attacks", "attack_epsilons"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        if self.source is not None:
            check_source("evaluation.source", self.source)
        require(len(self.heads) > 0, "evaluation.heads is empty; name one at least")
        for head in self.heads:
            require(
                _HEAD.fullmatch(head) is not None, f"evaluation.heads holds {head!r}; choose from {', '.join(HEADS)}"
            )
        for name in ("heads", "attacks", "attack_epsilons"):
            values = getattr(self, name)
            require(len(set(values)) == len(values), f"evaluation.{name} is {values}; name each once")
        one_of("evaluation.split", self.split, SplitName)
        one_of("evaluation.attack_precision", self.attack_precision, Precision)
        one_of("evaluation.auto_attack_precision", self.auto_attack_precision, AttackPrecision)
        require("pgd" in self.attacks, f"evaluation.attacks is {self.attacks}; pgd must be among them")
        require(
            self.head in self.heads, f"evaluation.head is {self.head!r}; choose one of evaluation.heads {self.heads}"
        )
        require(
            any(abs(self.epsilon - value) < 1e-9 for value in self.attack_epsilons),
            f"evaluation.epsilon is {self.epsilon}; choose one of evaluation.attack_epsilons {self.attack_epsilons}",
        )
        require(
            all(0 < value <= 1 for value in (*self.attack_epsilons, self.head_epsilon)),
            f"evaluation.attack_epsilons, head_epsilon are {self.attack_epsilons}, {self.head_epsilon}; "
            "each must lie in (0, 1]",
        )
        counts = ("head_epochs", "head_batch_size", "head_attack_steps", "crops_epochs", "finetune_epochs")
        at_least(self, "evaluation", 1, *counts, "attack_steps", "attack_restarts", "attack_batch_size")
        at_least(self, "evaluation", 1, "images", "head_images", "auto_attack_images", "auto_attack_batch_size")
        at_least(self, "evaluation", 0, "check_images")
        positive(self, "evaluation", "head_learning_rate", "attack_step_size")

    @property
    def own_attacks(self) -> tuple[str, ...]:
        """Those of ``attacks`` that are not the platform's own."""
        return tuple(attack for attack in self.attacks if attack not in get_args(AttackName))
