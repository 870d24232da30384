"""A study that takes seconds: digits, a network of a few thousand weights, one or two epochs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from study.config import StudyConfig

TINY_SETTINGS = {
    "device": "cpu",
    "data.source": "digits",
    "data.image_size": 8,
    "data.train_images": 200,
    "views.number": 2,
    "network.width": 4,
    "network.depth": 10,
    "network.pre_feature": 32,
    "network.projector_hidden": 32,
    "network.embedding": 16,
    "optimiser.epochs": 1,
    "optimiser.batch_size": 64,
    "evaluation.images": 50,
    "evaluation.head_epochs": 1,
    "evaluation.head_attack_steps": 2,
    "evaluation.attack_steps": 2,
    "evaluation.check_images": 0,
}


@pytest.fixture
def studies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that holds this test's studies."""
    monkeypatch.setenv("ROBUST_SSL_STUDIES", str(tmp_path))
    return tmp_path


@pytest.fixture
def tiny() -> Callable[..., StudyConfig]:
    """Builds a tiny study; ``settings`` are added to the tiny ones, other keys replace the study's."""

    def build(settings: dict[str, Any] | None = None, **keys: Any) -> StudyConfig:
        values: dict[str, Any] = {
            "name": "tiny",
            "trainables": ["cf_amc_ssl"],
            "settings": TINY_SETTINGS | (settings or {}),
            "space": {"unlisted": "fixed", "learning_rate": {"low": 0.05, "high": 1.0}, "m": [1, 2]},
            "sampler": "random",
            "budget": {"trials": 3},
            "tracking": {"offline": True},
        }
        return StudyConfig.model_validate(values | keys)

    return build
