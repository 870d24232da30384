"""The papers' rows by name, each a complete ``TrialConfig``. Needs neither YAML nor a command line."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from trainables.config import ConfigError, TrialConfig
from trainables.recipes import table1

RECIPES: Mapping[str, Callable[[], TrialConfig]] = MappingProxyType(
    {f"table1/{row}": build for row, build in table1.ROWS.items()}
)


def recipe(name: str) -> TrialConfig:
    """The named row's config; ``ConfigError`` names the valid ones."""
    if name not in RECIPES:
        raise ConfigError(f"unknown recipe {name!r}; choose one of {', '.join(RECIPES)}")
    return RECIPES[name]()
