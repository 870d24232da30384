"""What is descended, what is ascended, by which optimiser and on which of the images.

Provenance: [P] paper text, [C] the authors' code (softsys4ai/CF-AMC-SSL at ff36114), [R] the coreset paper's code
(GodXuxilie/Efficient_ACL_via_RCS at 6fc9aef).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from trainables.config.checks import at_least, one_of, positive, require

AdversaryName = Literal["none", "pgd", "free"]
LarsForm = Literal["clipped", "scaled"]
CoresetName = Literal["none", "random", "rcs"]
DivergenceName = Literal["kl", "js"]


@dataclass(frozen=True, kw_only=True)
class ObjectiveConfig:
    """The loss and its weights. ``cross_entropy`` and ``sup_con`` read labels, the others none."""

    name: str = "emp_ssl"
    """The trainable's own, or one that its source offers beside."""
    invariance_weight: float = 200.0
    """``emp_ssl``: of the invariance term."""
    tcr_weight: float = 1.0
    """``emp_ssl``: of the total coding rate."""
    tcr_eps: float = 0.2
    """``emp_ssl``: distortion in the total coding rate."""
    temperature: float = 0.07
    """Of ``nt_xent``, ``sup_con`` and ``acl``."""
    reweighting: float = 0.0
    """``acl``: how far the adversarial half outweighs the clean one as augmentation weakens; 2/3 in DynACL [R]."""
    weights: Mapping[str, float] = field(default_factory=dict, hash=False)
    """A weight of the objective's own, as packages' objectives have them."""

    def __post_init__(self) -> None:
        at_least(self, "objective", 0, "invariance_weight", "tcr_weight")
        positive(self, "objective", "tcr_eps", "temperature")
        require(
            0 <= self.reweighting <= 1, f"objective.reweighting is {self.reweighting}; it must lie in [0, 1], 2/3 say"
        )
        object.__setattr__(self, "weights", dict(self.weights))  # nobody else's to change
        for name, value in self.weights.items():
            require(math.isfinite(value), f"objective.weights.{name} is {value}; it must be a finite number")


@dataclass(frozen=True, kw_only=True)
class AdversaryConfig:
    """L-infinity perturbation of the training views; lengths are in pixel units of [0, 1]."""

    name: AdversaryName = "free"
    """The trainable's own, or ``none`` for its clean twin."""
    epsilon: float = 8 / 255
    """Radius of the perturbation."""
    step_size: float | None = None
    """``None``: epsilon for ``free`` (paper, Algorithm 1), 1e-2 for ``pgd`` and for ``free`` in the released code."""
    steps: int = 5
    """Gradient steps of ``pgd``."""
    replays: int = 3
    """m: how often ``free`` replays a batch, each time one update of weights and perturbation."""
    random_start: bool | None = None
    """``None``: as the trainable's source has it."""

    def __post_init__(self) -> None:
        one_of("adversary.name", self.name, AdversaryName)
        require(0 < self.epsilon <= 1, f"adversary.epsilon is {self.epsilon}; it must lie in (0, 1], 8/255 say")
        positive(self, "adversary", "step_size")
        at_least(self, "adversary", 1, "steps", "replays")


@dataclass(frozen=True, kw_only=True)
class OptimiserConfig:
    """SGD under LARS, cosine to 0 over the real number of updates."""

    epochs: int = 10
    """Passes over the data loader; a ``free`` pass makes ``replays`` gradient passes."""
    warmup_epochs: int = 0
    """The rate climbs from 0 over so many epochs before the cosine begins."""
    batch_size: int = 100
    """Images in a batch, each with all its views."""
    micro_batches: int = 1
    """Groups of images that a batch is cut into, to need less memory: each has a loss, an adversary and a backward pass
    to itself, and one update follows their mean. Another method than the batch as a whole wherever images of a batch
    meet: in BatchNorm's statistics, in TCR, among the negatives of NT-Xent and SupCon."""
    learning_rate: float = 0.3
    """At the peak, where the cosine begins."""
    momentum: float = 0.9
    """Of SGD."""
    nesterov: bool = True
    """Whether momentum is Nesterov's."""
    weight_decay: float = 1e-4
    """L2, added to the gradient."""
    lars: LarsForm = "clipped"
    """``clipped``: at most the plain rate, one-dimensional parameters exempt [C]; ``scaled``: all parameters [R]."""
    lars_eta: float = 0.005
    """LARS's trust coefficient."""

    def __post_init__(self) -> None:
        one_of("optimiser.lars", self.lars, LarsForm)
        at_least(self, "optimiser", 1, "epochs", "micro_batches")
        at_least(self, "optimiser", 2, "batch_size")
        at_least(self, "optimiser", 0, "warmup_epochs", "weight_decay")
        positive(self, "optimiser", "learning_rate", "lars_eta")
        require(0 <= self.momentum < 1, f"optimiser.momentum is {self.momentum}; it must lie in [0, 1)")
        require(
            self.warmup_epochs < self.epochs or self.warmup_epochs == 0,
            f"optimiser.warmup_epochs is {self.warmup_epochs} of {self.epochs} epochs; make it smaller",
        )
        require(
            self.batch_size % self.micro_batches == 0 and self.batch_size >= 2 * self.micro_batches,
            f"optimiser.micro_batches is {self.micro_batches}, which does not cut optimiser.batch_size "
            f"{self.batch_size} into equal groups of at least 2 images; choose a divisor",
        )


@dataclass(frozen=True, kw_only=True)
class CoresetConfig:
    """Which share of the training images an epoch sees, after arXiv 2302.03857 [R]."""

    name: CoresetName = "none"
    """``rcs``: the minibatches that most reduce the representational divergence; ``random``: as many, drawn blindly."""
    fraction: float = 0.2
    """Share of the minibatches that train after the warm-up."""
    warmup_epochs: int = 100
    """Epochs on all images before the first selection."""
    interval: int = 20
    """Epochs from one selection to the next."""
    divergence: DivergenceName = "kl"
    """``rcs``: between representations of an image and of its adversary."""
    validation_fraction: float = 0.01
    """Share of the training images that selection alone sees; ``random`` does without the same ones."""
    validation_steps: int = 3
    """PGD steps up the divergence; each is (10/255) / steps."""
    batch_steps: int = 5
    """PGD steps up the loss of each candidate minibatch."""
    learning_rate: float = 0.01
    """Of the step that the projector takes, in thought, for every minibatch chosen."""

    def __post_init__(self) -> None:
        one_of("coreset.name", self.name, CoresetName)
        one_of("coreset.divergence", self.divergence, DivergenceName)
        require(0 < self.fraction <= 1, f"coreset.fraction is {self.fraction}; it must lie in (0, 1], 0.2 say")
        require(
            0 < self.validation_fraction < 1,
            f"coreset.validation_fraction is {self.validation_fraction}; it must lie in (0, 1), 0.01 say",
        )
        at_least(self, "coreset", 0, "warmup_epochs")
        at_least(self, "coreset", 1, "interval", "validation_steps", "batch_steps")
        positive(self, "coreset", "learning_rate")
