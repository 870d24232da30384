"""Importances as bars with their intervals, a panel an objective and one for the frontier."""

from __future__ import annotations

import html
from collections.abc import Iterator
from typing import NamedTuple

import pandas as pd
from plotly import graph_objects as go
from plotly.subplots import make_subplots

from analysis import labels
from analysis.figures.style import GREY, INK, QUALITATIVE, broken, inked, menu, style
from analysis.importance import FRONTIER, importances, objective_title
from analysis.runs import Study

_BAR = 34
"""Height in pixels, with its share of the gaps."""


class Panel(NamedTuple):
    """One trainable's bars in one objective's panel. ``rows``: of ``importances``, in percent, in the menu's order."""

    trainable: str
    objective: str
    rows: pd.DataFrame


def importance_figure(study: Study, found: pd.DataFrame | None = None) -> go.Figure | None:
    """Shares of importance; a menu of trainables where there are several; ``None`` where nothing has importances.

    ``found``: ``importances(study)`` where that is known already.
    """
    panels = compute(importances(study) if found is None else found)
    return _draw(study, panels) if panels else None


def compute(found: pd.DataFrame) -> tuple[Panel, ...]:
    """Every trainable's dimensions stand in the order of its first objective, the frontier where there is one."""
    panels = []
    for trainable, rows in found.groupby("trainable", sort=False):
        order = list(dict.fromkeys(rows["dimension"]))
        for objective, its in rows.groupby("objective", sort=False):
            placed = its.set_index("dimension").loc[order].reset_index()
            placed[["share", "low", "high"]] *= 100
            panels.append(Panel(str(trainable), str(objective), placed))
    return tuple(panels)


def _draw(study: Study, panels: tuple[Panel, ...]) -> go.Figure:
    objectives = [name for name in (FRONTIER, *study.objectives) if name in {panel.objective for panel in panels}]
    titles = [broken(objective_title(name, study)) for name in objectives]
    figure = make_subplots(cols=len(objectives), shared_yaxes=True, subplot_titles=titles, horizontal_spacing=0.03)
    first, owners = panels[0].trainable, []
    for panel in panels:
        for trace in _traces(panel):
            trace.visible = panel.trainable == first
            figure.add_trace(trace, row=1, col=objectives.index(panel.objective) + 1)
            owners.append(panel.trainable)
    figure.update_annotations(font_size=14)
    figure.update_xaxes(range=[0, 104], title_text="Share (%)", tickvals=[0, 25, 50, 75, 100])
    figure.update_yaxes(autorange="reversed", ticks="outside", ticklen=6, tickcolor="rgba(0, 0, 0, 0)")
    return _finish(figure, owners, rows=max(len(panel.rows) for panel in panels))


def _finish(figure: go.Figure, owners: list[str], rows: int) -> go.Figure:
    trainables = list(dict.fromkeys(owners))
    if len(trainables) > 1:
        choices = [(html.escape(name), [owner == name for owner in owners]) for name in trainables]
        figure.update_layout(updatemenus=menu(choices, above=55))
    top = 130 if len(trainables) > 1 else 75
    legend = {"orientation": "h", "x": 0, "y": -60 / (_BAR * rows), "yanchor": "top"}
    return style(
        figure, top + 110 + _BAR * rows, bargap=0.35, legend=legend, margin={"l": 120, "r": 20, "t": top, "b": 110}
    )


def _traces(panel: Panel) -> Iterator[go.Bar | go.Scatter]:
    rows, named = panel.rows, panel.objective == FRONTIER
    names = [html.escape(str(name)) for name in rows["dimension"]]
    yield go.Bar(
        orientation="h",
        x=rows["share"],
        y=names,
        showlegend=False,
        marker={"color": QUALITATIVE[1] if named else QUALITATIVE[0], "opacity": 0.75},
        error_x=_whiskers(rows),
        meta=inked("error_x.color"),
        hovertext=[_hover(panel, row) for row in rows.to_dict("records")],
        hoverinfo="text",
    )
    yield go.Scatter(
        name="equal shares: what each had if none mattered more than another",
        mode="lines",
        x=[100 / len(names)] * len(names),
        y=names,
        showlegend=named,
        line={"color": GREY, "width": 1.5, "dash": "dot"},
        hoverinfo="skip",
    )


def _whiskers(rows: pd.DataFrame) -> dict[str, object]:
    ends = {"array": rows["high"] - rows["share"], "arrayminus": rows["share"] - rows["low"]}
    return {"type": "data", "symmetric": False, "color": INK, "thickness": 1.5, "width": 4, **ends}


def _hover(panel: Panel, row: dict[object, object]) -> str:
    share = labels.percent_interval(*(float(str(row[name])) / 100 for name in ("share", "low", "high")))
    return f"<b>{html.escape(str(row['dimension']))}</b><br>{share} %<br>{row['trials']} trials"
