"""What a study file says of a confirmation: chosen configurations, whole, and the seeds to train each with."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated, Any, Self

from pydantic import AfterValidator, Field

from search_spaces.faults import Fault
from search_spaces.listed import SEED, ListedSpace
from search_spaces.space import Part
from study.config.sections import Section
from trainables.catalogue import check
from trainables.config import ConfigError, TrialConfig, flatten, override


def _distinct(seeds: list[int]) -> list[int]:
    if len(set(seeds)) < len(seeds):
        raise ValueError(f"seeds are {seeds}; name each once")
    return seeds


class Configuration(Section):
    """One chosen trial of the confirmed study."""

    trial: int = Field(ge=0)
    """Its number there."""
    params: dict[str, Any] = {}
    """What was searched, as it was found."""
    settings: dict[str, Any]
    """Leaves of its ``TrialConfig`` by dotted path, where the configurations differ."""


class Confirmation(Section):
    """Everything that the confirmed study decided, so that the confirmation does not depend on it afterwards."""

    study: str
    """Its name."""
    seeds: Annotated[list[Annotated[int, Field(ge=0)]], Field(min_length=1), AfterValidator(_distinct)]
    settings: dict[str, Any]
    """Leaves that all configurations share."""
    configurations: Annotated[list[Configuration], Field(min_length=1)]

    @classmethod
    def of(cls, study: str, seeds: Sequence[int], chosen: Sequence[tuple[int, Any, TrialConfig]]) -> Self:
        """Of ``chosen`` trials: number, searched parameters and the configuration to confirm; its seed is dropped."""
        leaves = [{path: leaf for path, leaf in flatten(config).items() if path != SEED} for _, _, config in chosen]
        shared = {path: leaf for path, leaf in leaves[0].items() if all(other[path] == leaf for other in leaves)}
        configurations = [
            Configuration(
                trial=number,
                params=dict(params),
                settings={path: leaf for path, leaf in own.items() if path not in shared},
            )
            for (number, params, _), own in zip(chosen, leaves, strict=True)
        ]
        return cls(study=study, seeds=list(seeds), settings=shared, configurations=configurations)

    @property
    def trials(self) -> list[int]:
        """The confirmed trials' numbers."""
        return [configuration.trial for configuration in self.configurations]

    @property
    def trainables(self) -> list[str]:
        return list(dict.fromkeys(config.trainable for config in self.configs()))

    @property
    def trainings(self) -> int:
        return len(self.configurations) * len(self.seeds)

    def configs(self) -> list[TrialConfig]:
        """The configurations, their seeds aside, in the order of ``trials``. Raises ``ConfigError``."""
        return [self._config(configuration) for configuration in self.configurations]

    def space(self) -> ListedSpace:
        """Every configuration under every seed. Raises ``ConfigError``."""
        parts = tuple(Part(config, (), ()) for config in self.configs())
        return ListedSpace(parts, tuple(self.trials), tuple(self.seeds))

    def faults(self) -> Iterator[Fault]:
        """What no trial could run with."""
        if len(set(self.trials)) < len(self.trials):
            yield Fault(("configurations",), f"trials are {self.trials}; name each once")
        for index, configuration in enumerate(self.configurations):
            try:
                split = self._config(configuration).evaluation.split
            except ConfigError as error:
                yield Fault(("configurations", index), str(error))
                continue
            if split != "test":
                yield Fault(("settings",), f"evaluation.split is {split}; what was chosen is confirmed on test images")

    def _config(self, configuration: Configuration) -> TrialConfig:
        leaves = self.settings | configuration.settings
        config = override(TrialConfig(trainable=str(leaves.get("trainable", ""))), leaves)
        check(config)
        return config
