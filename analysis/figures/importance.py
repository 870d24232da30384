"""Importances as bars with their intervals, a panel an objective and one for the frontier."""

from __future__ import annotations

import html
from collections.abc import Hashable, Sequence
from typing import Any, NamedTuple

import pandas as pd
from plotly import graph_objects as go
from plotly.subplots import make_subplots

from analysis import labels
from analysis.figures.style import (
    GREY,
    INK,
    MENU_PX,
    QUALITATIVE,
    SCREEN_PX,
    Choice,
    broken,
    fitting,
    inked,
    menu,
    style,
)
from analysis.reading.runs import Study
from analysis.searched.importance import FRONTIER, importances, objective_title

_BAR, _GAP, _BENEATH = 34, 100, 110
"""Heights in pixels: of a bar with its share of the gaps, between two rows of panels, of what is beneath the last."""
_SIDES, _LEAST, _TICKS, _TYPE = 140, 135, 40, 8
"""Widths in pixels: of both margins, of the narrowest panel, of ticks that two panels have between them, of a title's
letter."""


class Panel(NamedTuple):
    """One trainable's bars for one objective. ``rows``: of ``importances``, in percent, from the top down."""

    trainable: str
    objective: str
    rows: pd.DataFrame
    named: bool
    """Whether the legend and the axis speak of it: of a trainable's first objective alone."""


def importance_figure(study: Study, found: pd.DataFrame | None = None, width_px: float = SCREEN_PX) -> go.Figure | None:
    """Shares of importance; a menu of trainables where there are several; ``None`` where nothing has importances.

    ``found``: ``importances(study)`` where that is known already.
    """
    panels = compute(importances(study) if found is None else found)
    return _draw(study, panels, width_px) if panels else None


def compute(found: pd.DataFrame) -> tuple[Panel, ...]:
    """Every trainable's dimensions stand in the order of its first objective, the frontier where there is one."""
    panels = []
    for trainable, rows in found.groupby("trainable", sort=False):
        order = list(dict.fromkeys(rows["dimension"]))
        for place, (objective, its) in enumerate(rows.groupby("objective", sort=False)):
            placed = its.set_index("dimension").loc[order].reset_index()
            placed[["share", "low", "high"]] *= 100
            panels.append(Panel(str(trainable), str(objective), placed, named=place == 0))
    return tuple(panels)


def _draw(study: Study, panels: tuple[Panel, ...], width_px: float) -> go.Figure:
    objectives = [name for name in (FRONTIER, *study.objectives) if name in {panel.objective for panel in panels}]
    columns = fitting(width_px - _SIDES, _LEAST, len(objectives))
    letters = min(24, int((width_px - _SIDES) / columns / _TYPE))
    rows, height = -(-len(objectives) // columns), _BAR * max(len(panel.rows) for panel in panels)
    down = rows * (height + _GAP) - _GAP
    figure = make_subplots(
        rows=rows,
        cols=columns,
        shared_yaxes=True,
        subplot_titles=[broken(objective_title(name, study), letters) for name in objectives],
        horizontal_spacing=max(0.06, _TICKS / (width_px - _SIDES)) if columns > 1 else 0,
        vertical_spacing=_GAP / down if rows > 1 else 0,
    )
    for panel in panels:
        for trace in _traces(panel):
            trace.visible = panel.trainable == panels[0].trainable
            row, column = divmod(objectives.index(panel.objective), columns)
            figure.add_trace(trace, row=row + 1, col=column + 1)
    figure.update_annotations(font_size=14)
    figure.update_xaxes(range=[0, 104], title_text="Share (%)", tickvals=[0, 25, 50, 75, 100])
    figure.update_yaxes(ticks="outside", ticklen=6, tickcolor="rgba(0, 0, 0, 0)")
    return _finish(figure, panels, down)


def _finish(figure: go.Figure, panels: tuple[Panel, ...], down: float) -> go.Figure:
    firsts = {panel.trainable: panel for panel in panels if panel.named}
    owners = [panel.trainable for panel in panels for _ in _traces(panel)]
    axes = [axis.plotly_name for axis in figure.select_yaxes()]
    offered = [Choice(name, [owner == name for owner in owners], _axes(panel, axes)) for name, panel in firsts.items()]
    several = len(offered) > 1
    figure.update_layout(offered[0].layout, updatemenus=menu(offered, above=55) if several else [])
    top = 75 + several * MENU_PX
    legend = {"orientation": "h", "x": 0, "y": -60 / down, "yanchor": "top"}
    margin = {"l": 120, "r": 20, "t": top, "b": _BENEATH}
    return style(figure, round(top + down + _BENEATH), bargap=0.35, legend=legend, margin=margin)


def _axes(panel: Panel, axes: Sequence[str]) -> dict[str, object]:
    """The dimensions' places from the top, as changes of a layout."""
    names = [html.escape(str(name)) for name in panel.rows["dimension"]]
    settings = {"tickvals": list(range(len(names))), "ticktext": names, "range": [len(names) - 0.5, -0.5]}
    return {f"{axis}.{key}": value for axis in axes for key, value in settings.items()}


def _traces(panel: Panel) -> tuple[go.Bar, go.Scatter]:
    rows, count = panel.rows, len(panel.rows)
    bars = go.Bar(
        orientation="h",
        x=rows["share"],
        y=list(range(count)),
        showlegend=False,
        marker={"color": QUALITATIVE[1 if panel.objective == FRONTIER else 0], "opacity": 0.75},
        error_x=_whiskers(rows),
        meta=inked("error_x.color"),
        hovertext=[_hover(row) for row in rows.to_dict("records")],
        hoverinfo="text",
    )
    equal = go.Scatter(
        name="equal shares: what each had if none mattered more than another",
        mode="lines",
        x=[100 / count] * 2,
        y=[-0.5, count - 0.5],
        showlegend=panel.named,
        line={"color": GREY, "width": 1.5, "dash": "dot"},
        hoverinfo="skip",
    )
    return bars, equal


def _whiskers(rows: pd.DataFrame) -> dict[str, object]:
    ends = {"array": rows["high"] - rows["share"], "arrayminus": rows["share"] - rows["low"]}
    return {"type": "data", "symmetric": False, "color": INK, "thickness": 1.5, "width": 4, **ends}


def _hover(row: dict[Hashable, Any]) -> str:
    share = labels.percent_interval(*(row[name] / 100 for name in ("share", "low", "high")))
    return f"<b>{html.escape(str(row['dimension']))}</b><br>{share} %<br>{row['trials']} trials"
