"""What makes a trainable: an objective under an adversary, how views meet, and its source's constants."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from trainables.config import AdversaryName, ConfigError, FaithfulTo, ObjectiveName, TrialConfig
from trainables.pairing import Pairing


@dataclass(frozen=True, kw_only=True)
class Trainable:
    """One named method; everything else about a trial is in its config."""

    name: str
    summary: str
    source: str
    objective: ObjectiveName
    adversary: AdversaryName
    defaults: Callable[[FaithfulTo], TrialConfig]
    """The source's constants, as the text or as the released code has them."""
    pairing: Callable[[FaithfulTo], Pairing]
    views: int | None = None
    """The number of views if the objective fixes it."""

    def check(self, config: TrialConfig) -> None:
        """``ConfigError`` where ``config`` asks for what this method is not."""
        if config.objective.name != self.objective:
            raise ConfigError(
                f"objective.name is {config.objective.name!r}; {self.name} is defined by {self.objective!r}"
            )
        if config.adversary.name not in (self.adversary, "none"):
            raise ConfigError(
                f"adversary.name is {config.adversary.name!r}; {self.name} takes {self.adversary!r} or none"
            )
        if self.views is not None and config.views.number != self.views:
            raise ConfigError(f"views.number is {config.views.number}; {self.name} pairs exactly {self.views} views")
