"""Recipes that a study begins with."""

from __future__ import annotations

from typing import Any

from search_spaces.space import SearchSpace
from study.config.settings import SWITCHES
from trainables.config import ConfigError, flatten
from trainables.recipes import recipe


def start_params(space: SearchSpace, name: str) -> dict[str, Any]:
    """The parameters at which a study of ``space`` begins with the recipe called ``name``.

    Settings that the study holds are the study's. Raises ``ConfigError`` where a searched dimension is out of range,
    or where the recipe would lose what makes it another method: its coreset, its kind of views.
    """
    config = recipe(name)
    params = space.params(config)
    theirs, ours = flatten(config), flatten(space.config(params))
    for path in SWITCHES:
        if theirs[path] != ours[path]:
            raise ConfigError(
                f"its {path} is {theirs[path]}, the study's {ours[path]}; set {path}: {theirs[path]}, or leave it out"
            )
    return params
