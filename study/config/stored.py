"""The file of a study that has begun."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from analysis.layout import StudyPaths, read_json
from study.config.study import StudyConfig
from study.packages import missing
from trainables.config import UserError


def load_stored(paths: StudyPaths, overrides: Mapping[str, Any] | None = None) -> StudyConfig:
    """The study in ``paths`` as its file says, with ``overrides`` by dotted path.

    Raises ``UserError`` that names the packages which it needs and which are not installed, and as ``StudyConfig.load``
    does.
    """
    if lacking := missing(read_json(paths.manifest)):
        remedy = "install what is missing, on a cluster on every node, and try again"
        raise UserError(f"study {paths.name} needs {', '.join(lacking)}; {remedy}")
    return StudyConfig.load(paths.study_file, overrides)
