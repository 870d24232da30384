"""A search that others train again."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console

from analysis.layout import StudyPaths
from study.config import StudyConfig
from study.launch import launch

Tiny = Callable[..., StudyConfig]
Once = Callable[[str, Callable[[], object]], StudyPaths]


@pytest.fixture
def parent(once: Once, studies: Path, tiny: Tiny) -> StudyPaths:
    """A finished search of three trials, all with seed 4."""
    config = tiny({"seed": 4, "optimiser.batch_size": 128})
    console = Console(file=io.StringIO(), width=400)
    return once("tiny", lambda: launch(config, backend="inline", console=console))
