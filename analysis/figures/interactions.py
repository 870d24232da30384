"""Interactions: two searched dimensions against each other, coloured by each objective."""

from __future__ import annotations

import html
import itertools
from typing import Any, NamedTuple

import pandas as pd
from plotly import graph_objects as go
from plotly.subplots import make_subplots

from analysis.figures.coordinates import Coordinate
from analysis.figures.marks import explain, marks
from analysis.figures.slices import Axis, measured, placed, searched
from analysis.figures.style import (
    GREY,
    MENU_PX,
    SCALE,
    SCREEN_PX,
    Choice,
    Ticks,
    broken,
    even_ticks,
    fitted,
    fitting,
    menu,
    style,
    wrapped,
)
from analysis.reading.runs import Study
from analysis.searched.importance import ranking

_CHOSEN = 6
"""Dimensions whose pairs the menu offers: fifteen."""
_TICKS, _LETTERS = 4, 14
"""On an objective's scale, and letters of all of them that fit side by side."""
_SIDES, _LEAST = 95, 150
"""Widths in pixels: of both margins, of the narrowest panel."""
_PANEL, _GAP, _SCALE_PX, _LINE = 290, 160, 8, 18
"""Heights in pixels: of a panel on a screen, between two rows of them, between a panel and its scale, of a line of a
title beyond two."""
_SPACING, _TYPE = 0.06, 8
"""Of the plot's width between two panels; the width in pixels of a title's letter."""


class Interaction(NamedTuple):
    """One panel of one pair. ``points``: ``marks`` with ``x``, ``y`` and ``z``, the objective, and their words."""

    x: Axis
    y: Axis
    z: Axis
    points: pd.DataFrame


def interactions_figure(study: Study, width_px: float = SCREEN_PX) -> go.Figure | None:
    """A panel an objective for the two dimensions most important for the frontier, other pairs by a menu.

    ``None`` while fewer than two trials have two dimensions that vary, and an objective.
    """
    found = compute(study)
    return _draw(found, width_px) if found else None


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


def _draw(found: tuple[Interaction, ...], width_px: float) -> go.Figure:
    metrics = {one.z.name: one.z for one in found}
    pairs = list({_pair(one): one for one in found}.values())
    columns = fitting(width_px - _SIDES, _LEAST, len(metrics))
    rows = -(-len(metrics) // columns)
    across = (width_px - _SIDES) * (1 - _SPACING * (columns - 1)) / columns
    titles = [_title(axis, int((across + _SPACING * width_px / 2) / _TYPE)) for axis in metrics.values()]
    more = max(0, max(title.count("<br>") for title in titles) - 1) * _LINE
    gap = _GAP + more
    down = rows * (fitted(_PANEL, width_px) + gap) - gap
    figure = make_subplots(
        rows=rows, cols=columns, horizontal_spacing=_SPACING, vertical_spacing=gap / down if rows > 1 else 0
    )
    explain(figure, pd.concat([one.points for one in found]), {})
    owners = [""] * len(figure.data)
    for one in found:
        place = list(metrics).index(one.z.name)
        row, column = divmod(place, columns)
        figure.add_trace(_trace(one, place + 1), row=row + 1, col=column + 1)
        owners.append(_pair(one))
    for place, (axis, title) in enumerate(zip(metrics.values(), titles, strict=True), start=1):
        figure.update_layout({f"coloraxis{place}": _colour_axis(figure, axis, title, place, down)})
    for place in range(len(metrics), rows * columns):
        figure.update_layout({f"{letter}axis{place + 1}.visible": False for letter in "xy"})
    firsts = [place % columns == 0 for place in range(len(metrics))]
    return _finish(figure, pairs, owners, firsts, down, more)


def _title(axis: Axis, letters: int) -> str:
    """Over two lines, or over more of them where their ``letters`` would run into the next panel's."""
    title = broken(axis.coordinate.title)
    return title if max(map(len, title.split("<br>"))) <= letters else wrapped(axis.coordinate.title, letters)


def _finish(
    figure: go.Figure, pairs: list[Interaction], owners: list[str], firsts: list[bool], down: float, more: int
) -> go.Figure:
    """With the first pair shown, and a menu where there are several. ``firsts``: which panels begin a row; ``more``:
    pixels that the titles take beyond two lines."""
    names = [_pair(pair) for pair in pairs]
    offered = [
        Choice(name, [owner in ("", name) for owner in owners], _axes(pair, firsts))
        for name, pair in zip(names, pairs, strict=True)
    ]
    for trace, visible in zip(figure.data, offered[0].visible, strict=True):
        trace.visible = visible
    several = len(offered) > 1
    figure.update_layout(offered[0].layout, updatemenus=menu(offered, above=95 + more) if several else [])
    top = 110 + more + several * MENU_PX
    legend = {"orientation": "h", "x": 0, "y": -60 / down, "yanchor": "top"}
    style(figure, round(top + down + 110), legend=legend, margin={"l": 75, "r": 20, "t": top, "b": 110})
    return figure.update_xaxes(title_standoff=None)  # with one, plotly writes titles over ticks where scales are above


def _pair(one: Interaction) -> str:
    return f"{one.x.name} and {one.y.name}"


def _axes(pair: Interaction, firsts: list[bool]) -> dict[str, Any]:
    """Every panel's axes for a pair, as changes of a layout; the first of a row names what all of it share."""
    changes: dict[str, Any] = {}
    for letter, axis in (("x", pair.x.coordinate), ("y", pair.y.coordinate)):
        for panel, first in enumerate(firsts):
            told = letter == "x" or first
            title = html.escape(axis.title) if told else ""
            settings = {"title.text": title, "range": axis.range, "showticklabels": told, **axis.ticked}
            changes |= {f"{letter}axis{panel + 1 if panel else ''}.{key}": value for key, value in settings.items()}
    return changes


def _colour_axis(figure: go.Figure, axis: Axis, title: str, place: int, down: float) -> dict[str, Any]:
    """The objective's scale as the panel's head."""
    which = place if place > 1 else ""
    (left, right), (_, top) = (figure.layout[f"{letter}axis{which}"].domain for letter in "xy")
    bar = {
        "title": {"text": title, "side": "top"},
        "orientation": "h",
        **{"x": (left + right) / 2, "xanchor": "center", "len": right - left},
        **{"y": top + _SCALE_PX / down, "yanchor": "bottom", "thickness": 12, "outlinewidth": 0},
        **{"ypad": 0, "xpad": 0, "tickangle": 0, **_few(axis.coordinate).ticked},
    }
    low, high = min(axis.coordinate.values), max(axis.coordinate.values)
    return {"colorscale": SCALE, "colorbar": bar, "cmin": low, "cmax": high, "showscale": high > low}


def _few(coordinate: Coordinate) -> Coordinate:
    """With every other tick left out, or more, until they fit; with even ones where it has none."""
    found = coordinate.ticks if coordinate.ticks.values else even_ticks(coordinate.values)
    kept = (Ticks(found.values[::every], found.texts[::every]) for every in range(1, len(found.values)))
    fits = (ticks for ticks in kept if len(ticks.values) <= _TICKS and sum(map(len, ticks.texts)) <= _LETTERS)
    return coordinate._replace(ticks=next(fits, Ticks(found.values[:1], found.texts[:1])))


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
