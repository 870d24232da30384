"""That a study's space holds nothing more to try: what its driver found at its end, for whoever looks at the study.

Which draws the driver refused or would repeat is known to nobody else.
"""

from __future__ import annotations

from analysis.layout import StudyPaths, exclusions, read_json, write_json


def record(paths: StudyPaths, why: str) -> None:
    write_json(paths.covered, {"why": why, "of": _trials(paths)})


def covered(paths: StudyPaths) -> str | None:
    """Why no trial need run any more; ``None`` if one may, as where another was begun, excluded or taken in since."""
    found = read_json(paths.covered)
    return str(found["why"]) if "why" in found and found.get("of") == _trials(paths) else None


def forget(paths: StudyPaths) -> None:
    """The study is about to search otherwise."""
    paths.covered.unlink(missing_ok=True)


def _trials(paths: StudyPaths) -> list[int]:
    """The numbers of those that count."""
    excluded = exclusions(paths)
    return [trial.number for trial in paths.each_trial() if trial.number not in excluded]
