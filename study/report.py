"""Writes a study's report beside what was asked for, which must not be lost with it."""

from __future__ import annotations

from collections.abc import Callable

from analysis.layout import StudyPaths


def write_report(paths: StudyPaths, say: Callable[[str], None]) -> None:
    """The report in the study's folder; what keeps it from being written is said in a line, and never raised."""
    try:
        from analysis.reading.runs import read_study
        from analysis.report import page

        page.write_report(read_study(paths), paths.report)
    except Exception as error:
        say(f"no report was written ({type(error).__name__}: {error}); try: study report {paths.name}")
