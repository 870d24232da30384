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
from analysis.figures.style import GREY, SCALE, Ticks, broken, menu, style
from analysis.importance import ranking
from analysis.runs import Study

_CHOSEN = 4
"""Dimensions whose pairs the menu offers."""
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
    shown, axes = marks(study), {axis.name: axis for axis in searched(study)}
    ranked = [axes[name] for name in ranking(study) if name in axes]
    pairs = sorted(itertools.combinations(range(len(ranked[:_CHOSEN])), 2), key=sum)
    found = [
        Interaction(ranked[first], ranked[second], z, placed(shown, x=ranked[first], y=ranked[second], z=z))
        for first, second in pairs
        for z in measured(study)
    ]
    return tuple(one for one in found if len(one.points) > 1)


def _draw(found: tuple[Interaction, ...]) -> go.Figure:
    metrics = list({one.z.name: one.z for one in found}.values())
    places = {axis.name: place + 1 for place, axis in enumerate(metrics)}
    pairs = list({(one.x.name, one.y.name): one for one in found}.values())
    figure = make_subplots(cols=len(metrics), horizontal_spacing=0.07)
    everything = pd.concat([one.points for one in found])
    explain(figure, everything, {})
    owners = [""] * len(figure.data)
    for one in found:
        figure.add_trace(_trace(one, places[one.z.name]), row=1, col=places[one.z.name])
        figure.data[-1].visible = _pair(one) == _pair(pairs[0])
        owners.append(_pair(one))
    for axis in metrics:
        figure.update_layout({f"coloraxis{places[axis.name]}": _colour_axis(figure, axis, places[axis.name])})
    figure.update_layout(_axes(pairs[0], len(metrics)))
    if len(pairs) > 1:
        figure.update_layout(updatemenus=_menu(pairs, owners, len(metrics)))
    legend = {"orientation": "h", "x": 0, "y": -0.2, "yanchor": "top"}
    top = 165 if len(pairs) > 1 else 110
    style(figure, top + 400, legend=legend, margin={"l": 75, "r": 20, "t": top, "b": 110})
    return figure.update_xaxes(
        title_standoff=None
    )  # with it plotly writes titles over ticks, once scales moved a margin


def _pair(one: Interaction) -> str:
    return html.escape(f"{one.x.name} and {one.y.name}")


def _menu(pairs: list[Interaction], owners: list[str], panels: int) -> list[dict[str, Any]]:
    """A pair's traces, and its axes."""
    choices = [(_pair(pair), [owner in ("", _pair(pair)) for owner in owners]) for pair in pairs]
    (found,) = menu(choices, above=95)
    for button, pair in zip(found["buttons"], pairs, strict=True):
        button |= {"method": "update", "args": [*button["args"], _axes(pair, panels)]}
    return [found]


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
    every = math.ceil(len(coordinate.ticks.values) / _TICKS) or 1
    return coordinate._replace(ticks=Ticks(*(list(some[::every]) for some in coordinate.ticks)))


def _trace(one: Interaction, place: int) -> go.Scatter:
    rows = one.points.sort_values("hollow", ascending=False)
    return go.Scatter(
        mode="markers",
        showlegend=False,
        x=rows["x"],
        y=rows["y"],
        marker={
            "symbol": rows["symbol"],
            "size": 10,
            "color": rows["z"],
            "coloraxis": f"coloraxis{place}",
            "line": {"width": 0.5, "color": GREY},
        },
        hovertext=[
            f"{row.text}<br>{html.escape(f'{one.x.name} = {row.x_words}')}<br>"
            f"{html.escape(f'{one.y.name} = {row.y_words}')}<br>{row.z_words}"
            for row in rows.itertuples()
        ],
        hoverinfo="text",
        customdata=rows["url"],
    )
