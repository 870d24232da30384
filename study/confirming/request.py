"""What a user asks of a confirmation, and the full protocol that it measures by."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from study.choosing import attacks
from study.choosing.attacks import ATTACKS, Attack
from study.choosing.request import ChoiceError
from study.choosing.request import Request as ChoiceRequest
from study.config import StudyConfig
from trainables.config import TrialConfig, override

_ALL = ("data.train_images", "evaluation.images", "evaluation.head_images", "evaluation.auto_attack_images")
"""Numbers of images that ``None`` lifts."""
_SETTABLE = ("evaluation.", "data.train_images")
"""What may be set anew: how it is measured, and what training may cost where all images are too many."""


@dataclass(frozen=True, kw_only=True)
class Request(ChoiceRequest):
    """Which of a study's configurations to confirm, and how. Raises ``ChoiceError``.

    ``settings`` replace the full protocol's: leaves of ``evaluation``, and ``data.train_images``.
    """

    seeds: int = 3
    """How many."""
    attack: Attack = "autoattack"

    VERB: ClassVar[str] = "confirm"
    DONE: ClassVar[str] = "confirmed"

    def __post_init__(self) -> None:
        super().__post_init__()
        for path in self.settings:
            if not path.startswith(_SETTABLE):
                raise ChoiceError(
                    f"--set {path}: a confirmation keeps what was chosen; set only evaluation. settings "
                    "and data.train_images"
                )
            if path in ("evaluation.split", "evaluation.attacks"):
                raise ChoiceError(f"--set {path}: a confirmation attacks test images, by what --attack names")

    def fully_evaluated(self, config: TrialConfig) -> TrialConfig:
        """``config`` trained on all training images and measured on all test images, but for ``settings``."""
        protocol = {
            **dict.fromkeys(_ALL),
            "data.validation_fraction": 0.0,
            "evaluation.split": "test",
            "evaluation.attacks": ATTACKS[self.attack],
        }
        return override(config, protocol | dict(self.settings))

    def objectives(self, searched: StudyConfig) -> list[str]:
        """Those of the study, with accuracy under the attack in place of that under another."""
        return attacks.objectives(searched, ATTACKS[self.attack])
