"""What a user asks of a confirmation, and the full protocol that it measures by."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from study.config import StudyConfig
from trainables.config import AttackName, TrialConfig, UserError, override
from trainables.metrics import AUTO_ATTACK_ACCURACY, PGD_ACCURACY

Attack = Literal["autoattack", "pgd"]

_ATTACKS: dict[Attack, tuple[AttackName, ...]] = {"autoattack": ("pgd", "auto_attack"), "pgd": ("pgd",)}
_ROBUST = {"autoattack": AUTO_ATTACK_ACCURACY, "pgd": PGD_ACCURACY}
_ALL = ("data.train_images", "evaluation.images", "evaluation.head_images", "evaluation.auto_attack_images")
"""Numbers of images that ``None`` lifts."""
_SETTABLE = ("evaluation.", "data.train_images")
"""What may be set anew: how it is measured, and what training may cost where all images are too many."""


class ConfirmError(UserError):
    """What is asked for cannot be confirmed."""


@dataclass(frozen=True, kw_only=True)
class Request:
    """Which of a study's configurations to confirm, and how. Raises ``ConfirmError``."""

    study: str
    seeds: int = 3
    """How many."""
    attack: Attack = "autoattack"
    trials: tuple[int, ...] = ()
    """Numbers of finished trials; empty: the frontier."""
    limit: int | None = None
    """Only so many of the frontier, by the rule ``analysis.choice.SPREAD``."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """Leaves of ``evaluation``, and ``data.train_images``, that replace the full protocol's."""
    name: str | None = None
    tracking_uri: str | None = None
    offline: bool = False

    def __post_init__(self) -> None:
        if self.trials and self.limit is not None:
            raise ConfirmError("--trials and --limit exclude each other; choose one")
        for path in self.settings:
            if not path.startswith(_SETTABLE):
                raise ConfirmError(
                    f"--set {path}: a confirmation keeps what was chosen; set only evaluation. settings "
                    "and data.train_images"
                )
            if path in ("evaluation.split", "evaluation.attacks"):
                raise ConfirmError(f"--set {path}: a confirmation attacks test images, by what --attack names")

    @property
    def child(self) -> str:
        """Name of the study that confirms."""
        return self.name or f"{self.study}-confirmed"

    def fully_evaluated(self, config: TrialConfig) -> TrialConfig:
        """``config`` trained on all training images and measured on all test images, but for ``settings``."""
        protocol = {
            **dict.fromkeys(_ALL),
            "data.validation_fraction": 0.0,
            "evaluation.split": "test",
            "evaluation.attacks": _ATTACKS[self.attack],
        }
        return override(config, protocol | dict(self.settings))

    def objectives(self, searched: StudyConfig) -> list[str]:
        """Those of the study, with accuracy under the attack in place of that under another."""
        robust = (PGD_ACCURACY, AUTO_ATTACK_ACCURACY)
        return list(dict.fromkeys(_ROBUST[self.attack] if name in robust else name for name in searched.objectives))
