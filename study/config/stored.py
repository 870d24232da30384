"""The file of a study that has begun."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from analysis.layout import StudyPaths
from study.config.study import StudyConfig
from study.packages import check_installed


def load_stored(paths: StudyPaths, overrides: Mapping[str, Any] | None = None) -> StudyConfig:
    """The study in ``paths`` as its file says, with ``overrides`` by dotted path.

    Raises ``UserError`` that names the packages which it needs and which are not installed, and as ``StudyConfig.load``
    does.
    """
    check_installed(paths)
    return StudyConfig.load(paths.study_file, overrides)
