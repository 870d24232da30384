"""What makes a trainable: an objective under an adversary, how views meet, and its source's constants."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import get_args

from trainables import objectives, packages
from trainables.config import AdversaryName, AttackName, ConfigError, FaithfulTo, TrialConfig
from trainables.config.checks import one_of, require
from trainables.objectives import Objective
from trainables.pairing import Pairing


@dataclass(frozen=True, kw_only=True)
class Trainable:
    """One named method; everything else about a trial is in its config."""

    name: str
    summary: str
    source: str
    objectives: tuple[str, ...]
    """What it may descend; the first is its own, the others options of its source."""
    adversary: AdversaryName
    defaults: Callable[[FaithfulTo], TrialConfig]
    """The source's constants, as the text or as the released code has them."""
    pairing: Callable[[FaithfulTo], Pairing]
    needs_adversary: bool = False
    """Without its adversary it is nothing: it has no clean twin."""

    def __post_init__(self) -> None:
        names = self.objectives
        require(
            isinstance(names, tuple) and len(names) > 0 and all(isinstance(name, str) for name in names),
            f'{self.name}: objectives is {names!r}; it must be a tuple of names, ("emp_ssl",) say',
        )
        one_of(f"{self.name}: adversary", self.adversary, AdversaryName)

    def check(self, config: TrialConfig) -> None:
        """``ConfigError`` where ``config`` asks for what this method is not."""
        if config.objective.name not in self.objectives:
            raise ConfigError(
                f"objective.name is {config.objective.name!r}; {self.name} is defined by {_listed(self.objectives)}"
            )
        allowed = (self.adversary,) if self.needs_adversary else tuple(dict.fromkeys((self.adversary, "none")))
        if config.adversary.name not in allowed:
            raise ConfigError(f"adversary.name is {config.adversary.name!r}; {self.name} takes {_listed(allowed)}")
        objective = objectives.find(config.objective.name)
        objective.check(config.objective.weights)
        self._check_views(config.views.number, objective)
        branches = self.pairing(config.faithful_to).passes == "branches"
        if config.network.dual_batch_norm and not branches:
            raise ConfigError(f"network.dual_batch_norm is true; {self.name} has no clean branch, set it to false")
        self._check_heads(config, objective)
        _check_attacks(config.evaluation.attacks)
        _check_schedule(config)

    def _check_views(self, number: int, objective: Objective) -> None:
        if objective.views not in (None, number):
            raise ConfigError(f"views.number is {number}; {self.name} pairs exactly {objective.views} views")
        if number < objective.fewest_views:
            least = objective.fewest_views
            raise ConfigError(
                f"views.number is {number}; {objective.name} contrasts at least {least} views of an image"
            )

    def _check_heads(self, config: TrialConfig, objective: Objective) -> None:
        if "own" not in config.evaluation.heads:
            return
        if objective.embeddings != "logits":
            raise ConfigError(
                f"evaluation.heads holds 'own'; {self.name} under {objective.name} has no classifier of its own"
            )
        if config.evaluation.source is not None:
            raise ConfigError(
                f"evaluation.source is {config.evaluation.source!r}, but the network's own head knows the classes of "
                "pre-training alone; take another head"
            )


def _check_attacks(attacks: tuple[str, ...]) -> None:
    """``ConfigError`` for one that is unknown, or that its package cannot bring."""
    for name in attacks:
        if packages.entry_point("attack", name, get_args(AttackName)) is not None:
            from trainables.evaluation.attack import find  # a second, which most configs need not wait for

            find(name)


def _check_schedule(config: TrialConfig) -> None:
    """Schedules that would never come to what they are for."""
    epochs, coreset, period = config.optimiser.epochs, config.coreset, config.views.strength_period
    if coreset.name != "none" and coreset.warmup_epochs >= epochs:
        raise ConfigError(
            f"coreset.warmup_epochs is {coreset.warmup_epochs} of {epochs} epochs, so that no coreset would ever be "
            "chosen; make it smaller"
        )
    if period is not None and period >= epochs:
        raise ConfigError(
            f"views.strength_period is {period} of {epochs} epochs, so that augmentation would never weaken; make it "
            "smaller"
        )


def _listed(names: tuple[str, ...]) -> str:
    return " or ".join(repr(name) if name != "none" else name for name in names)
