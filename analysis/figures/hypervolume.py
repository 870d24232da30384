"""What the search had found when: hypervolume against trials, GPU-hours and wall time."""

from __future__ import annotations

import html
from typing import NamedTuple

import numpy as np
import pandas as pd
from plotly import graph_objects as go

from analysis import labels
from analysis.figures.style import INK, MENU_PX, QUALITATIVE, TITLE_PX, Choice, broken, inked, menu, style
from analysis.frontier.history import GPU_HOURS, HYPERVOLUME, WALL_HOURS, history, words
from analysis.frontier.measured import searches
from analysis.reading.runs import Study

_AXES = {
    "trials": ("against trials", "Trials that have ended, each line its own"),
    GPU_HOURS: ("against GPU-hours", "GPU-hours of trials that have ended, each line its own"),
    WALL_HOURS: ("against wall time", "Hours of wall time without pauses"),
}
_MARK, _PLOT = 6, 330
"""Pixels: a mark's diameter, the plot's height."""
_LETTERS = 30
"""Of an axis's title that fit beneath the plot on a phone."""


class Line(NamedTuple):
    """``rows``: as ``history`` gives them, hypervolumes in percent."""

    title: str
    colour: str
    """Empty for all trainables together."""
    rows: pd.DataFrame


def hypervolume_figure(study: Study) -> go.Figure | None:
    """Steps of all trials together and of each trainable alone, the x axis by menu.

    ``None`` before a trial has ended, for a study of costs alone, and for one that searches nothing, as a confirmation.
    """
    lines = compute(study)
    return _draw(lines, words(study)) if lines else None


def compute(study: Study) -> tuple[Line, ...]:
    """All together, then each trainable where there are several."""
    whole = history(study)
    if whole.empty or not searches(study):
        return ()
    names = sorted(set(whole["trainable"])) if whole["trainable"].nunique() > 1 else []
    colours = [QUALITATIVE[index % len(QUALITATIVE)] for index in range(len(names))]
    each = [Line(name, colour, _rows(history(study, name))) for name, colour in zip(names, colours, strict=True)]
    return (Line("all trials", "", _rows(whole)), *each)


def _rows(path: pd.DataFrame) -> pd.DataFrame:
    return path.assign(**{name: path[name] * 100 for name in (HYPERVOLUME, "gain")}, text=_texts(path))


def _texts(path: pd.DataFrame) -> list[str]:
    return [
        f"trial {labels.trial_number(row['number'])} {html.escape(row['trainable'])} {row['status']}: "
        f"+{labels.percent(row['gain'])}"
        for row in path.to_dict("records")
    ]


def _draw(lines: tuple[Line, ...], title: str) -> go.Figure:
    figure = go.Figure()
    owners = [(line, axis) for axis in _AXES for line in lines]
    for line, axis in owners:
        figure.add_trace(_trace(line, axis, shown=axis == next(iter(_AXES))))
    offered = [
        Choice(text, [axis == chosen for _, axis in owners], {"xaxis.title.text": broken(label, _LETTERS)})
        for chosen, (text, label) in _AXES.items()
    ]
    figure.update_layout(offered[0].layout)
    figure.update_xaxes(rangemode="tozero", tickformat=",~g")
    figure.update_yaxes(title_text="Hypervolume (%)")
    text = ";<br>".join(map(html.escape, title.split("; ", 1)))
    heading = {"text": text, "font": {"size": 14}, "x": 0, "xref": "paper"}
    legend = {"orientation": "h", "x": 0, "y": -80 / _PLOT, "yanchor": "top"}
    margin = {"l": 70, "r": 20, "t": 40 + TITLE_PX + MENU_PX, "b": 110}
    height = _PLOT + margin["t"] + margin["b"]
    return style(figure, height, title=heading, updatemenus=menu(offered, above=10), legend=legend, margin=margin)


def _trace(line: Line, axis: str, *, shown: bool) -> go.Scatter:
    gained = np.where(line.rows["gain"] > 0, _MARK, 0)
    return go.Scatter(
        name=html.escape(line.title) or "unknown trainable",
        legendgroup=html.escape(line.title),
        visible=shown,
        mode="lines+markers",
        x=line.rows[axis],
        y=line.rows[HYPERVOLUME],
        line={"shape": "hv", "color": line.colour or INK, "width": 1.5 if line.colour else 2.5},
        marker={"size": gained, "opacity": 1, "line": {"width": 0}},
        meta=None if line.colour else inked("line.color"),
        hovertext=line.rows["text"],
        hovertemplate="%{hovertext}<br>%{y:.2f} % at %{x:.4g}<extra></extra>",
    )
