"""What a study's parent run says of it in MLflow: how it stands, its frontier with links, how to read on."""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping
from typing import NamedTuple

import pandas as pd

from analysis import labels, schema
from analysis.frontier.confirmed import confirms
from analysis.frontier.pareto import frontier
from analysis.pages import run_page, trials_page
from analysis.reading.runs import PARAM, Study
from analysis.report import facts
from analysis.tables.table import Table
from analysis.tables.trials import headline_table, why_nothing_found
from study.tracking.view import description
from trainables.metrics import AUTO_ATTACK_ACCURACY, CLEAN_ACCURACY, FORWARD_EQUIVALENTS, GPU_MINUTES, PGD_ACCURACY

LONGEST = 8000
"""Letters of a tag, beyond which MLflow cuts it."""


_SHORT = {
    CLEAN_ACCURACY: "Clean, %",
    PGD_ACCURACY: "PGD, %",
    AUTO_ATTACK_ACCURACY: "AutoAttack, %",
    FORWARD_EQUIVALENTS: "Work",
    GPU_MINUTES: "GPU-min",
}
"""Headings, for a narrow page; the caption has radii and images."""


class Place(NamedTuple):
    """Where a study's runs are: pages have no address of a server, so that they hold under any."""

    experiment_id: str
    parent: str
    runs: Mapping[int, str]
    """Run ids by trial."""

    def run(self, number: int, text: str) -> str:
        """A link; ``text`` alone where the trial has no run."""
        run = self.runs.get(number)
        return f"[{text}]({run_page(self.experiment_id, run)})" if run else text

    def artifact(self, name: str) -> str:
        return f"[`{name}`]({run_page(self.experiment_id, self.parent, f'/artifacts/{name}')})"


def note(study: Study, place: Place, *, report: bool) -> str:
    """Markdown of at most ``LONGEST`` letters: rows that do not fit are in the artifact beside it.

    MLflow folds it after a few lines, so what is looked for comes first. ``report``: whether there is one.
    """
    found = headline_table(study)
    rows = _rows(study, found, place)
    before = f"**{study.name}**: {counts(study)} {_links(study.name, place, report)}"
    after = f"{_cell(found.caption)}\n{description(study.name, study.manifest).partition(chr(10))[2]}"
    shown, body = len(rows.lines), why_nothing_found(study, found)
    while shown and len(body := rows.first(shown)) > LONGEST - len(before) - len(after) - 4:
        shown -= 1
    return f"{before}\n\n{body}\n\n{after}"[:LONGEST]


def on_frontier(study: Study) -> set[int] | None:
    """Numbers of the trials on a search's frontier; ``None`` for a confirmation, whose trials are single seeds."""
    return None if confirms(study) else set(frontier(study)["number"])


def counts(study: Study) -> str:
    """``12 finished, 1 failed of 16 trials.``"""
    stands = ", ".join(f"{count} {status}" for status, count in facts.counts(study))
    budget = study.manifest.get("budget")
    asked = budget.get("trials") if isinstance(budget, dict) else None
    return f"{stands or 'No trial yet'}{' of ' + labels.counted(asked, 'trial') if asked else ''}."


class _Rows(NamedTuple):
    head: tuple[str, str]
    lines: tuple[str, ...]

    def first(self, shown: int) -> str:
        left = len(self.lines) - shown
        more = f"\n\n{left} more are in the artifact `{schema.FRONTIER_ARTIFACT}`." if left else ""
        return "\n".join([*self.head, *self.lines[:shown]]) + more


def _rows(study: Study, table: Table, place: Place) -> _Rows:
    titles = [_SHORT.get(column.sources[0], _cell(column.title)) for column in table.columns]
    cells = [list(map(_cell, row)) for row in table.rows]
    if confirms(study):
        titles.append("Runs")
        for row, configuration in zip(cells, table.values["configuration"], strict=True):
            row.append(_seeds(study, str(configuration), place))
    else:
        for row, number in zip(cells, table.values["number"], strict=True):
            row[0] = place.run(int(number), row[0])
    aligned = [*("---:" if column.numeric else "---" for column in table.columns), "---"][: len(titles)]
    return _Rows((_line(titles), _line(aligned)), tuple(map(_line, cells)))


def _seeds(study: Study, configuration: str, place: Place) -> str:
    """Links to a configuration's runs, each named by its seed."""
    number, column = float(configuration.rpartition("/")[2]), f"{PARAM}configuration"
    if column not in study.trials:
        return ""
    theirs = study.trials[pd.to_numeric(study.trials[column], errors="coerce") == number]
    seeds = zip(theirs["number"], theirs["seed"], strict=True)
    return ", ".join(place.run(int(trial), f"seed {seed:g}") for trial, seed in seeds)


def _links(name: str, place: Place, report: bool) -> str:
    written = place.artifact(schema.REPORT_ARTIFACT) if report else f"`study report {name}` writes one"
    frontier_file = place.artifact(schema.FRONTIER_ARTIFACT)
    trials = f"[table of trials]({trials_page(place.experiment_id)})"
    return f"Report: {written}. Frontier: {frontier_file}. All: {trials}."


def _cell(text: str) -> str:
    return " ".join(html.escape(text, quote=False).replace("|", "\\|").split())


def _line(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cells) + " |"
