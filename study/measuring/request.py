"""What a user asks to be measured again of what a study has trained, and how."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, ClassVar

from analysis.reading.runs import Study
from study.choosing import attacks
from study.choosing.request import ChoiceError
from study.choosing.request import Request as ChoiceRequest
from study.config import StudyConfig
from trainables.checkpoint import FREE_TO_CHANGE
from trainables.config import TrialConfig, override

_ATTACKS = "evaluation.attacks"


@dataclass(frozen=True, kw_only=True)
class Request(ChoiceRequest):
    """Which of a study's trained networks to measure, and how. Raises ``ChoiceError``.

    ``settings``: leaves of ``evaluation``, and what changes no figure; all others stay as the networks were trained by.
    They may name attacks in the place of ``attack``.
    """

    VERB: ClassVar[str] = "measure"
    DONE: ClassVar[str] = "measured"

    def __post_init__(self) -> None:
        super().__post_init__()
        for path in self.settings:
            if not path.startswith("evaluation.") and path not in FREE_TO_CHANGE:
                raise ChoiceError(
                    f"--set {path}: a network that is trained stays what it is; set only evaluation. settings and "
                    f"{', '.join(FREE_TO_CHANGE)}"
                )
        if self.attack is not None and _ATTACKS in self.settings:
            raise ChoiceError(f"--attack and --set {_ATTACKS} exclude each other; choose one")

    @property
    def changes(self) -> dict[str, Any]:
        """The leaves that are set anew."""
        return dict(self.settings) | ({} if self.attack is None else {_ATTACKS: attacks.run(self.attack)})

    @property
    def settles(self) -> bool:
        """Whether the whole frontier under AutoAttack is asked for."""
        chosen = bool(self.trials) or self.limit is not None
        return not chosen and "auto_attack" in self.changes.get(_ATTACKS, ())

    def measured(self, config: TrialConfig, objectives: Iterable[str] = ()) -> TrialConfig:
        """``config`` with its network as it is, and measured as is asked for and as ``objectives`` take."""
        more = {} if self.attack is None else {_ATTACKS: attacks.ran(self.attack, objectives)}
        return override(config, self.changes | more)

    def objectives(self, searched: StudyConfig, parent: Study) -> list[str]:
        """Those of the study; where other attacks are asked for, with accuracy under the strongest of them."""
        if (asked := self.settings.get(_ATTACKS)) is None:
            return super().objectives(searched, parent)
        return self._under(attacks.AUTO_ATTACK if "auto_attack" in asked else attacks.PGD, searched, parent)
