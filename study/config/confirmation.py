"""What a study file says of what is trained again: chosen configurations, and the seeds to train each with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Annotated, Any, Self

from pydantic import AfterValidator, Field

from search_spaces.listed import SEED, ListedSpace
from study.config.listed import Configuration, Listed, divided
from trainables.config import TrialConfig


def _distinct(seeds: list[int]) -> list[int]:
    if len(set(seeds)) < len(seeds):
        raise ValueError(f"seeds are {seeds}; name each once")
    return seeds


class Confirmation(Listed[Configuration]):
    """Configurations of the other study, their seeds aside."""

    seeds: Annotated[list[Annotated[int, Field(ge=0)]], Field(min_length=1), AfterValidator(_distinct)]

    @classmethod
    def of(
        cls,
        study: str,
        seeds: Sequence[int],
        chosen: Sequence[tuple[int, Any, TrialConfig]],
        figures: Mapping[int, Mapping[str, float]] = MappingProxyType({}),
    ) -> Self:
        """Of ``chosen`` trials: number, searched parameters and the configuration to train; its seed is dropped.

        ``figures``: of their numbers, what the study measured on the same images.
        """
        shared, own = divided([config for _, _, config in chosen], without={SEED})
        configurations = [
            Configuration(trial=number, params=dict(params), settings=settings, figures=dict(figures.get(number, {})))
            for (number, params, _), settings in zip(chosen, own, strict=True)
        ]
        return cls(study=study, seeds=list(seeds), settings=shared, configurations=configurations)

    @property
    def runs(self) -> int:
        return len(self.configurations) * len(self.seeds)

    @property
    def on_test_images(self) -> bool:
        """Whether what was chosen is confirmed; else it is reseeded, on the images of the search."""
        return {config.evaluation.split for config in self.configs()} == {"test"}

    @property
    def more(self) -> str:
        return f"more seeds to `study {'confirm' if self.on_test_images else 'reseed'}`"

    def space(self) -> ListedSpace:
        """Every configuration under every seed."""
        return ListedSpace(self._parts(), tuple(self.trials), tuple(self.seeds))
