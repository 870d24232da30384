"""Interactions: two searched dimensions against each other, coloured by each objective."""

from __future__ import annotations

import html
import itertools
import math
from typing import Any, NamedTuple

import pandas as pd
from plotly import graph_objects as go
from plotly.subplots import make_subplots

from analysis.figures.coordinates import Coordinate
from analysis.figures.marks import explain, marks
from analysis.figures.slices import Axis, measured, placed, searched
from analysis.figures.style import GREY, MENU_PX, SCALE, Choice, Ticks, broken, menu, style
from analysis.importance import ranking
from analysis.runs import Study

_CHOSEN = 6
"""Dimensions whose pairs the menu offers: fifteen."""
_TICKS = 4
"""That fit on an objective's scale."""


class Interaction(NamedTuple):
    """One panel of one pair. ``points``: ``marks`` with ``x``, ``y`` and ``z``, the objective, and their words."""

    x: Axis
    y: Axis
    z: Axis
    points: pd.DataFrame


def interactions_figure(study: Study) -> go.Figure | None:
    """A panel an objective for the two dimensions most important for the frontier, other pairs by a menu.

    ``None`` while fewer than two trials have two dimensions that vary, and an objective.
    """
    found = compute(study)
    return _draw(found) if found else None


def compute(study: Study) -> tuple[Interaction, ...]:
    """Pairs of the most important dimensions that trials share, the most important pair first; each with every
    objective."""
    shown, ranked, metrics = marks(study), _ranked(study), measured(study)
    pairs = sorted(itertools.combinations(range(len(ranked[:_CHOSEN])), 2), key=sum)
    found = [
        Interaction(ranked[first], ranked[second], z, placed(shown, x=ranked[first], y=ranked[second], z=z))
        for first, second in pairs
        for z in metrics
    ]
    return tuple(one for one in found if len(one.points) > 1)


def left_out(study: Study) -> str:
    """Which dimensions are in no pair, as a sentence; "" if all are in one."""
    names = [axis.name for axis in _ranked(study)[_CHOSEN:]]
    which = f"{_CHOSEN} settings, the most important ones where that is known"
    return f"Pairs are of {which}; in none is {', '.join(names)}." if names else ""


def _ranked(study: Study) -> list[Axis]:
    axes = {axis.name: axis for axis in searched(study)}
    return [axes[name] for name in ranking(study) if name in axes]


def _draw(found: tuple[Interaction, ...]) -> go.Figure:
    metrics = {one.z.name: one.z for one in found}
    pairs = list({_pair(one): one for one in found}.values())
    figure = make_subplots(cols=len(metrics), horizontal_spacing=0.07)
    explain(figure, pd.concat([one.points for one in found]), {})
    owners = [""] * len(figure.data)
    for one in found:
        place = list(metrics).index(one.z.name) + 1
        figure.add_trace(_trace(one, place), row=1, col=place)
        owners.append(_pair(one))
    for place, axis in enumerate(metrics.values(), start=1):
        figure.update_layout({f"coloraxis{place}": _colour_axis(figure, axis, place)})
    return _finish(figure, pairs, owners, len(metrics))


def _finish(figure: go.Figure, pairs: list[Interaction], owners: list[str], panels: int) -> go.Figure:
    """With the first pair shown, and a menu where there are several."""
    names = [_pair(pair) for pair in pairs]
    offered = [
        Choice(name, [owner in ("", name) for owner in owners], _axes(pair, panels))
        for name, pair in zip(names, pairs, strict=True)
    ]
    for trace, visible in zip(figure.data, offered[0].visible, strict=True):
        trace.visible = visible
    several = len(offered) > 1
    figure.update_layout(offered[0].layout, updatemenus=menu(offered, above=95) if several else [])
    top = 110 + several * MENU_PX
    legend = {"orientation": "h", "x": 0, "y": -0.2, "yanchor": "top"}
    style(figure, top + 400, legend=legend, margin={"l": 75, "r": 20, "t": top, "b": 110})
    return figure.update_xaxes(title_standoff=None)  # with one, plotly writes titles over ticks where scales are above


def _pair(one: Interaction) -> str:
    return f"{one.x.name} and {one.y.name}"


def _axes(pair: Interaction, panels: int) -> dict[str, Any]:
    """Every panel's axes for a pair, as changes of a layout."""
    changes: dict[str, Any] = {}
    for letter, axis in (("x", pair.x.coordinate), ("y", pair.y.coordinate)):
        for panel in range(panels):
            title = html.escape(axis.title) if letter == "x" or panel == 0 else ""
            settings = {"title.text": title, "range": axis.range, **axis.ticked}
            changes |= {f"{letter}axis{panel + 1 if panel else ''}.{key}": value for key, value in settings.items()}
    return changes


def _colour_axis(figure: go.Figure, axis: Axis, place: int) -> dict[str, Any]:
    """The objective's scale as the panel's head."""
    left, right = figure.layout[f"xaxis{place if place > 1 else ''}"].domain
    bar = {
        "title": {"text": broken(axis.coordinate.title), "side": "top"},
        "orientation": "h",
        **{"x": (left + right) / 2, "xanchor": "center", "len": right - left},
        **{"y": 1.02, "yanchor": "bottom", "thickness": 12, "outlinewidth": 0},
        **_few(axis.coordinate).ticked,
    }
    low, high = min(axis.coordinate.values), max(axis.coordinate.values)
    return {"colorscale": SCALE, "colorbar": bar, "cmin": low, "cmax": high, "showscale": high > low}


def _few(coordinate: Coordinate) -> Coordinate:
    """With every other tick left out, or more, until they fit."""
    values, texts = coordinate.ticks
    every = math.ceil(len(values) / _TICKS) or 1
    return coordinate._replace(ticks=Ticks(values[::every], texts[::every]))


def _trace(one: Interaction, place: int) -> go.Scatter:
    rows = one.points.sort_values("hollow", ascending=False)
    return go.Scatter(
        mode="markers",
        showlegend=False,
        x=rows["x"].astype("float32"),
        y=rows["y"].astype("float32"),
        marker={
            "symbol": rows["symbol"],
            "size": 10,
            "color": rows["z"].astype("float32"),
            "coloraxis": f"coloraxis{place}",
            "line": {"width": rows["hollow"].map({True: 1.5, False: 0.5}), "color": GREY},
        },
        hovertext=rows["text"],
        hoverinfo="text",
        ids=rows["number"],
    )
