"""The papers' rows by name, each a complete ``TrialConfig``. Needs neither YAML nor a command line.

recipe("table1/cf_amc_ssl"), recipe("table5/cf_amc_ssl_m7", data="cifar100", faithful_to="released_code")
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from trainables.config import ConfigError, FaithfulTo, TrialConfig
from trainables.recipes import ablations, rcs, table1, table2, table3, table4, table5, table6
from trainables.recipes.recipe import Recipe, Table
from trainables.recipes.scale import SCALES, Scale, tiny

__all__ = ["RECIPES", "SCALES", "TABLES", "Recipe", "Scale", "Table", "find_table", "recipe", "tiny"]

_NUMBERED = (table1, table2, table3, table4, table5, table6)
TABLES: Mapping[str, Table] = MappingProxyType(
    {table.name: table for table in (*(module.TABLE for module in _NUMBERED), *ablations.TABLES, rcs.TABLE)}
)


def _by_name(recipes: Iterable[Recipe]) -> Mapping[str, Recipe]:
    named: dict[str, Recipe] = {}
    for one in recipes:
        if one.name in named:
            raise ValueError(f"two recipes are called {one.name!r}")
        named[one.name] = one
    return MappingProxyType(named)


RECIPES: Mapping[str, Recipe] = _by_name(row for table in TABLES.values() for row in table.rows)


def recipe(name: str, data: str = "cifar10", faithful_to: FaithfulTo = "paper") -> TrialConfig:
    """The named row's config; ``ConfigError`` names the valid ones."""
    if name not in RECIPES:
        raise ConfigError(f"unknown recipe {name!r}; choose one of {', '.join(RECIPES)}")
    return RECIPES[name].config(data, faithful_to)


def find_table(name: str) -> Table:
    """The table of that name; ``ConfigError`` names the valid ones."""
    if name not in TABLES:
        raise ConfigError(f"unknown table {name!r}; choose one of {', '.join(TABLES)}")
    return TABLES[name]
