"""A trial small enough for a test, for every trainable."""

from __future__ import annotations

from typing import Any

import pytest

from trainables.catalogue import TRAINABLES, default_config
from trainables.config import TrialConfig, override
from trainables.contract import small


def tiny(name: str, faithful_to: Any = "paper", **changes: Any) -> TrialConfig:
    """The named trainable's defaults at a size that trains in about a second."""
    config = small(default_config(name, faithful_to))
    return override(config, {path.replace("__", "."): value for path, value in changes.items()})


@pytest.fixture(params=sorted(TRAINABLES))
def trainable(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="session")
def tiny_config() -> Any:
    return tiny
