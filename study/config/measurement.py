"""What a study file says of trained networks that are measured again: which, under what settings, what they cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated, Any, Self

from pydantic import Field

from search_spaces.listed import ListedSpace
from study.config.listed import Configuration, Listed, divided
from study.config.sections import Positive, Section
from trainables.config import TrialConfig
from trainables.metrics import Pretrained


class Known(Section):
    """``Pretrained``, as a study file has it."""

    weights: str = Field(pattern="^[0-9a-f]{64}$")
    forward_equivalents: int = Field(ge=0)
    minutes: float = Field(ge=0, allow_inf_nan=False)
    gpu_share: Positive

    @property
    def pretrained(self) -> Pretrained:
        return Pretrained(**self.model_dump())


class Network(Configuration):
    """One trained network, of the trial ``trial``."""

    known: Known
    """What tells it from others, and what its training cost."""


class BestCase(Section):
    """The most that the figures of trial ``trial`` can come to."""

    trial: int = Field(ge=0)
    values: dict[str, Annotated[float, Field(allow_inf_nan=False)]]
    """By objective."""


class Lost(Section):
    """The trial ``trial``, whose network may stand on the frontier and cannot be measured."""

    trial: int = Field(ge=0)
    reason: str


class Measurement(Listed[Network]):
    """Networks of the measured study, each with the configuration that it was trained by and is measured by now."""

    best_cases: list[BestCase] = []
    """Where the frontier is to be that of all its trusted trials, of each of them: ``analysis.frontier.settled``."""

    lost: list[Lost] = []
    """Those among them that were to be measured and could not be."""

    @classmethod
    def of(
        cls,
        study: str,
        chosen: Sequence[tuple[int, Any, TrialConfig, Pretrained]],
        best_cases: Sequence[BestCase] = (),
        lost: Sequence[Lost] = (),
    ) -> Self:
        """Of ``chosen`` trials: number, searched parameters, the configuration to measure by, what was trained."""
        shared, own = divided([config for _, _, config, _ in chosen])
        networks = [
            Network(trial=number, params=dict(params), settings=settings, known=Known(**asdict(pretrained)))
            for (number, params, _, pretrained), settings in zip(chosen, own, strict=True)
        ]
        return cls(study=study, settings=shared, configurations=networks, best_cases=list(best_cases), lost=list(lost))

    @property
    def runs(self) -> int:
        return len(self.configurations)

    @property
    def more(self) -> str:
        return "more trials to `study measure`"

    def space(self) -> ListedSpace:
        """Every network once."""
        return ListedSpace(self._parts(), tuple(self.trials))
