"""What a user asks of trials that a study has: which of them, under what settings, as a study of which name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from analysis.reading.runs import Study
from search_spaces.faults import nearest
from study.choosing import attacks
from study.config import StudyConfig
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
    attack: str | None = None
    """The strongest, by one of ``attacks.words``; ``None``: those that the study ran."""
    name: str | None = None
    tracking_uri: str | None = None
    offline: bool = False

    VERB: ClassVar[str]
    DONE: ClassVar[str]
    """Its participle, which ends the name of the study that comes of it."""

    def __post_init__(self) -> None:
        if self.trials and self.limit is not None:
            raise ChoiceError("--trials and --limit exclude each other; choose one")
        if self.attack is not None and self.attack not in (valid := attacks.words()):
            remedy = f"{nearest(self.attack, valid)}, or install the package that brings it"
            raise ChoiceError(f"--attack {self.attack} is unknown; {remedy}")

    @property
    def child(self) -> str:
        """Name of the study that comes of it."""
        return self.name or f"{self.study}-{self.DONE}"

    def objectives(self, searched: StudyConfig, parent: Study) -> list[str]:
        """Those of the study; under an attack that is asked for, with accuracy under that in place of another's."""
        return searched.objectives if self.attack is None else self._under(self.attack, searched, parent)

    def _under(self, attack: str, searched: StudyConfig, parent: Study) -> list[str]:
        head = self.settings.get("evaluation.head") or parent.evaluation.get("head")
        return attacks.objectives(searched, attack, str(head))
