"""What a study file says of chosen trials of another study: their configurations, whole, in the place of a search."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sequence, Set
from typing import Annotated, Any, Generic, TypeVar

from pydantic import Field

from analysis.labels import trial_number
from search_spaces.faults import Fault
from search_spaces.listed import ListedSpace
from search_spaces.space import Part
from study.config.sections import Section
from trainables.catalogue import check
from trainables.config import ConfigError, TrialConfig, flatten, override


class Configuration(Section):
    """One chosen trial of the other study."""

    trial: int = Field(ge=0)
    """Its number there."""
    params: dict[str, Any] = {}
    """What was searched, as it was found."""
    figures: dict[str, float] = {}
    """Accuracies that the other study measured of it, where these compare."""
    settings: dict[str, Any]
    """Leaves of its ``TrialConfig`` by dotted path, where the configurations differ."""


Chosen = TypeVar("Chosen", bound=Configuration)


class Listed(Section, Generic[Chosen]):
    """Everything that the other study decided, so that this one does not depend on it afterwards."""

    study: str
    """Its name."""
    settings: dict[str, Any]
    """Leaves that all configurations share."""
    configurations: Annotated[list[Chosen], Field(min_length=1)]

    @property
    def trials(self) -> list[int]:
        """The chosen trials' numbers."""
        return [configuration.trial for configuration in self.configurations]

    @property
    def trainables(self) -> list[str]:
        return list(dict.fromkeys(config.trainable for config in self.configs()))

    @property
    @abstractmethod
    def runs(self) -> int:
        """How many trials the list comes to."""

    @property
    @abstractmethod
    def more(self) -> str:
        """What to ask of which command for more trials."""

    @abstractmethod
    def space(self) -> ListedSpace:
        """Everything that is to be run. Raises ``ConfigError``."""

    def origin(self, configuration: Configuration) -> str:
        """The id of the chosen trial."""
        return f"{self.study}/{trial_number(configuration.trial)}"

    def configs(self) -> list[TrialConfig]:
        """The configurations in the order of ``trials``. Raises ``ConfigError``."""
        return [self._config(configuration) for configuration in self.configurations]

    def faults(self) -> Iterator[Fault]:
        """What no trial could run with."""
        if len(set(self.trials)) < len(self.trials):
            yield Fault(("configurations",), f"trials are {self.trials}; name each once")
        for index, configuration in enumerate(self.configurations):
            try:
                self._config(configuration)
            except ConfigError as error:
                yield Fault(("configurations", index), str(error))

    def _parts(self) -> tuple[Part, ...]:
        return tuple(Part(config, (), ()) for config in self.configs())

    def _config(self, configuration: Configuration) -> TrialConfig:
        leaves = self.settings | configuration.settings
        config = override(TrialConfig(trainable=str(leaves.get("trainable", ""))), leaves)
        check(config)
        return config


def divided(
    configs: Sequence[TrialConfig], without: Set[str] = frozenset()
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The leaves that all of ``configs`` share, and of each its own; those ``without`` in neither."""
    leaves = [{path: leaf for path, leaf in flatten(config).items() if path not in without} for config in configs]
    shared = {
        path: leaf for path, leaf in leaves[0].items() if all(path in other and other[path] == leaf for other in leaves)
    }
    return shared, [{path: leaf for path, leaf in each.items() if path not in shared} for each in leaves]
