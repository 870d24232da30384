"""What a user asks of trials that a study has: which of them, under what settings, as a study of which name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from trainables.config import UserError


class ChoiceError(UserError):
    """What is asked for cannot be chosen, or cannot be done with what is."""


@dataclass(frozen=True, kw_only=True)
class Request:
    """Which trials of a study, and how. Raises ``ChoiceError``."""

    study: str
    trials: tuple[int, ...] = ()
    """Numbers of finished trials; empty: the frontier."""
    limit: int | None = None
    """Only so many of the frontier, by the rule ``analysis.frontier.choice.SPREAD``."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """Leaves of the trials' configurations that are set anew."""
    name: str | None = None
    tracking_uri: str | None = None
    offline: bool = False

    VERB: ClassVar[str]
    DONE: ClassVar[str]
    """Its participle, which ends the name of the study that comes of it."""

    def __post_init__(self) -> None:
        if self.trials and self.limit is not None:
            raise ChoiceError("--trials and --limit exclude each other; choose one")

    @property
    def child(self) -> str:
        """Name of the study that comes of it."""
        return self.name or f"{self.study}-{self.DONE}"
