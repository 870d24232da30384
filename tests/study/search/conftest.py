"""A folder for a study that a search is opened in."""

from __future__ import annotations

from pathlib import Path

import pytest

from analysis.layout import StudyPaths


@pytest.fixture
def paths(tmp_path: Path) -> StudyPaths:
    """A study's folder, empty."""
    paths = StudyPaths(tmp_path / "tiny")
    paths.root.mkdir()
    return paths
