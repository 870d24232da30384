"""A trial small enough for a test, for every trainable."""

from __future__ import annotations

from typing import Any

import pytest

from trainables.catalogue import TRAINABLES, default_config
from trainables.config import TrialConfig, override

TINY: dict[str, Any] = {
    "data.source": "digits",
    "data.image_size": 8,
    "data.train_images": 80,
    "device": "cpu",
    "network.width": 4,
    "network.depth": 10,
    "network.projector_hidden": 32,
    "network.embedding": 16,
    "optimiser.epochs": 2,
    "optimiser.warmup_epochs": 0,
    "optimiser.batch_size": 40,
    "evaluation.images": 60,
    "evaluation.head_epochs": 1,
    "evaluation.head_attack_steps": 1,
    "evaluation.attack_steps": 2,
    "evaluation.check_images": 0,
}


def tiny(name: str, faithful_to: Any = "paper", **changes: Any) -> TrialConfig:
    """The named trainable's defaults at a size that trains in about a second."""
    config = override(default_config(name, faithful_to), TINY)
    if config.network.pre_feature is not None:
        config = override(config, {"network.pre_feature": 32})
    if config.views.strength_period is not None:
        config = override(config, {"views.strength_period": 1})
    if config.objective.name == "emp_ssl":
        config = override(config, {"views.number": 3})
    return override(config, {path.replace("__", "."): value for path, value in changes.items()})


@pytest.fixture(params=sorted(TRAINABLES))
def trainable(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="session")
def tiny_config() -> Any:
    return tiny
