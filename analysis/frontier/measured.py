"""Studies that measure again what another study has trained: what they measure, and that they search nothing."""

from __future__ import annotations

from typing import Any

from analysis.frontier.confirmed import confirms, studies_of
from analysis.layout import StudyPaths
from analysis.reading.runs import Study


def measures(study: Study) -> dict[str, Any]:
    """What ``study`` measures, ``study`` and ``configurations``; empty for any other."""
    found = study.manifest.get("measures")
    return found if isinstance(found, dict) else {}


def searches(study: Study) -> bool:
    """Whether its trials are drawn, and not given by another study's."""
    return not confirms(study) and not measures(study)


def measurements_of(paths: StudyPaths) -> list[str]:
    """Names of the studies beside ``paths`` that measure its networks."""
    return list(studies_of(paths, "measures"))
