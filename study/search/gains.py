"""Whether a search still gains enough to go on, as its trials' folders tell it."""

from __future__ import annotations

from collections.abc import Mapping

from analysis.frontier.levelling import checks, levelled
from analysis.layout import StudyPaths
from analysis.reading.runs import read_study


class Gains:
    """Reads the study only as often as the answer may differ: at a check, and when other trials are excluded."""

    def __init__(self, paths: StudyPaths, least: float | None) -> None:
        self._paths = paths
        self._least = least
        self._known: tuple[object, str | None] | None = None

    def too_little(self, ended: int, excluded: Mapping[int, str]) -> str | None:
        """Why no other trial is worth it, so many having ``ended``; ``None`` if one is, or nobody asks."""
        if self._least is None or len(done := checks(ended)) < 2:
            return None
        asked = (len(done), tuple(sorted(excluded)))
        if self._known is None or self._known[0] != asked:
            self._known = asked, levelled(read_study(self._paths), self._least)
        return self._known[1]
