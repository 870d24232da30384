"""What a user asks to be trained again under new seeds, and by what protocol it is then measured."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from study.choosing import attacks
from study.choosing.request import ChoiceError
from study.choosing.request import Request as ChoiceRequest
from trainables.config import TrialConfig, override

_ALL = ("data.train_images", "evaluation.images", "evaluation.head_images", "evaluation.auto_attack_images")
"""Numbers of images that ``None`` lifts."""
_DECIDED = ("evaluation.split", "evaluation.attacks")
"""Settings of which the command and ``--attack`` decide."""


@dataclass(frozen=True, kw_only=True)
class Request(ChoiceRequest, ABC):
    """Which of a study's configurations to train again, and how. Raises ``ChoiceError``."""

    seeds: int = 3
    """How many."""
    chance: float | None = None
    """In percent: also what stands on the frontier as probably as that."""

    IMAGES: ClassVar[str]
    """Which the command measures on."""
    SETTABLE: ClassVar[tuple[str, ...]]
    """How names of what ``settings`` may hold begin."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.chance is not None and self.trials:
            raise ChoiceError("--trials and --chance exclude each other; choose one")
        if self.chance is not None and not 0 < self.chance <= 100:
            raise ChoiceError(f"--chance {self.chance:g}: give percent, above 0 and up to 100")
        for path in self.settings:
            if not path.startswith(self.SETTABLE):
                may = "evaluation. settings" + "".join(f" and {one}" for one in self.SETTABLE[1:])
                raise ChoiceError(f"--set {path}: what was chosen is trained as it is; set only {may}")
            if path in _DECIDED:
                raise ChoiceError(f"--set {path}: to {self.VERB} is to attack {self.IMAGES}, by what --attack names")

    @property
    def share(self) -> float | None:
        """``chance`` as a share."""
        return None if self.chance is None else self.chance / 100

    @abstractmethod
    def again(self, config: TrialConfig, objectives: Iterable[str]) -> TrialConfig:
        """``config`` as it is trained and measured again, so that it has what ``objectives`` take."""


@dataclass(frozen=True, kw_only=True)
class Confirm(Request):
    """On all training images, measured on all test images, but for ``settings``."""

    attack: str = attacks.AUTO_ATTACK

    VERB: ClassVar[str] = "confirm"
    DONE: ClassVar[str] = "confirmed"
    IMAGES: ClassVar[str] = "test images"
    SETTABLE: ClassVar[tuple[str, ...]] = ("evaluation.", "data.train_images")

    def again(self, config: TrialConfig, objectives: Iterable[str]) -> TrialConfig:
        protocol = {
            **dict.fromkeys(_ALL),
            "data.validation_fraction": 0.0,
            "evaluation.split": "test",
            "evaluation.attacks": attacks.ran(self.attack, objectives),
        }
        return override(config, protocol | dict(self.settings))


@dataclass(frozen=True, kw_only=True)
class Reseed(Request):
    """On the images that the search trained and measured on, but for ``settings`` of the evaluation."""

    VERB: ClassVar[str] = "reseed"
    DONE: ClassVar[str] = "reseeded"
    IMAGES: ClassVar[str] = "the search's validation images"
    SETTABLE: ClassVar[tuple[str, ...]] = ("evaluation.",)

    def again(self, config: TrialConfig, objectives: Iterable[str]) -> TrialConfig:
        asked = {} if self.attack is None else {"evaluation.attacks": attacks.ran(self.attack, objectives)}
        return override(config, asked | dict(self.settings))
