"""The packaged study: a search on scikit-learn's digits, and the confirmation of what it found."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import as_file, files
from typing import Any

from analysis.layout import StudyPaths
from study.config import StudyConfig
from study.confirming.request import Confirm
from study.execution.executor import Backend
from study.launch import launch

SEEDS = 2
CONFIGURATIONS = 2
AUTO_ATTACK_IMAGES = 20
"""Of the 359 test images, a stratified draw, two a digit: on all of them it would take longer than the search."""


def search(overrides: Mapping[str, Any], *, backend: Backend) -> StudyPaths:
    """Run the preset with ``overrides`` by dotted path."""
    with as_file(files("study") / "presets" / "demo.yaml") as preset:
        config = StudyConfig.load(preset, overrides)
    return launch(config, backend=backend)


def confirmation(study: str) -> Confirm:
    """At most ``CONFIGURATIONS`` of the frontier, with ``SEEDS`` seeds, on the test images."""
    settings = {"evaluation.auto_attack_images": AUTO_ATTACK_IMAGES}
    return Confirm(study=study, seeds=SEEDS, limit=CONFIGURATIONS, settings=settings)
