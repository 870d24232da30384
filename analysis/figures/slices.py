"""Slices: each searched dimension against each objective, a mark a finished trial."""

from __future__ import annotations

import html
import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from plotly import graph_objects as go
from plotly.subplots import make_subplots

from analysis import labels
from analysis.figures.coordinates import Coordinate, metric, setting
from analysis.figures.marks import colours, explain, marks
from analysis.figures.style import INK, SCREEN_PX, fitted, fitting, inked, style, wrapped
from analysis.reading.runs import Study
from analysis.reading.titles import metric_title
from analysis.searched.dimensions import dimensions, is_choice, is_log
from trainables.metrics import is_accuracy

_COLUMNS = 4
_SIDES, _LEAST, _TYPE = 95, 150, 8
"""Widths in pixels: of both margins, of the narrowest panel, of a title's letter."""
_PANEL, _LEGEND, _TITLE = 190, 55, 65
"""Heights in pixels."""
_GAP, _GAP_WITH_TITLES = 32, 92
_BEYOND = 10
"""Pixels that an objective's name may be longer than its panel is high."""
_LETTERS = 20
"""Of categories that fit side by side under a panel, on paper too; more stand upright, clear of the next panel's."""
_WIDTH = 0.6
"""Of a category, of the distance to the next."""
_BASES = (2, 3, 5)


class Axis(NamedTuple):
    """A dimension or an objective over all finished trials that have it. ``places``: by the index of the trials."""

    name: str
    title: str
    """Without the unit, which ``words`` have."""
    coordinate: Coordinate
    places: pd.Series[float]
    words: pd.Series[str]


class Slice(NamedTuple):
    """One panel. ``points``: ``marks`` with ``x``, ``y`` and, in words, ``value`` and ``figure``."""

    x: Axis
    y: Axis
    points: pd.DataFrame


def slices_figure(study: Study, width_px: float = SCREEN_PX) -> go.Figure | None:
    """A panel for each dimension that varies and each objective; ``None`` while no two trials can be compared."""
    slices = compute(study)
    return _draw(slices, width_px) if slices else None


def compute(study: Study) -> tuple[Slice, ...]:
    """Of the finished trials, hollow ones too; an objective's slices one after the other."""
    shown, settings = marks(study), searched(study)
    pairs = [(x, y) for y in measured(study) for x in settings]
    slices = (Slice(x, y, placed(shown, x=x, y=y)) for x, y in pairs)
    return tuple(one for one in slices if len(one.points) > 1)


def searched(study: Study) -> list[Axis]:
    """The dimensions that vary among the finished trials, as searched."""
    values = dimensions(study).loc[study.finished.index]
    found = []
    for name in map(str, values):
        known = values[name].dropna().infer_objects()
        if known.nunique() > 1:
            coordinate = setting(name, known, choices=is_choice(study, name), log=is_log(study, name))
            found.append(_axis(name, name, coordinate, known.map(lambda one, name=name: labels.param(name, one))))
    return found


def measured(study: Study) -> list[Axis]:
    """The objectives that finished trials have."""
    found = []
    for name in study.objectives:
        known = study.finished[name][np.isfinite(study.finished[name])]
        if len(known):
            words = known.map(lambda one, name=name: _figure(name, one))
            found.append(_axis(name, metric_title(name, study), metric(study, name, known), words))
    return found


def placed(shown: pd.DataFrame, **axes: Axis) -> pd.DataFrame:
    """The ``marks`` that all ``axes`` have a place for, as columns of the axes' keywords, words as ``KEY_words``.

    Within a category each trial has a place of its own, so that none hides another: of two axes a Halton sequence's.
    """
    columns = {
        key: axis.places + _within(axis, base) for base, (key, axis) in zip(_BASES, axes.items(), strict=False)
    } | {f"{key}_words": axis.words for key, axis in axes.items()}
    return shown.join(pd.DataFrame(columns), how="inner").dropna(subset=list(axes))


def _within(axis: Axis, base: int) -> pd.Series[float] | float:
    """How far from the middle of its category each trial stands, by its index."""
    if not axis.coordinate.spaced:
        return 0.0
    places = pd.Series([_radical_inverse(int(index) + 1, base) for index in axis.places.index], axis.places.index)
    return (places - 0.5) * _WIDTH


def _radical_inverse(number: int, base: int) -> float:
    """``number`` in ``base`` mirrored at the point (van der Corput 1935): as many lie in one half as in the other."""
    found, share = 0.0, 1.0
    while number:
        number, digit = divmod(number, base)
        share /= base
        found += digit * share
    return found


def _axis(name: str, title: str, coordinate: Coordinate, words: pd.Series[str]) -> Axis:
    return Axis(name, title, coordinate, pd.Series(coordinate.values, index=words.index), words)


def _figure(name: str, value: float) -> str:
    return f"{labels.metric(name, value)} %" if is_accuracy(name) else labels.metric(name, value)


def _draw(slices: tuple[Slice, ...], width_px: float) -> go.Figure:
    names = list(dict.fromkeys(one.x.name for one in slices))
    metrics = list(dict.fromkeys(one.y.name for one in slices))
    figure, columns = _panels(len(names), len(metrics), width_px)
    letters = int((fitted(_PANEL, width_px) + _BEYOND) / _TYPE)
    everything = pd.concat([one.points for one in slices])
    colour = colours(everything)
    explain(figure, everything, colour)
    for one in slices:
        band, column = divmod(names.index(one.x.name), columns)
        row = band * len(metrics) + metrics.index(one.y.name)
        for trace in _traces(one, colour):
            figure.add_trace(trace, row=row + 1, col=column + 1)
        _label(figure, one, row + 1, column + 1, last=one.y.name == metrics[-1], letters=letters)
    return figure


def _panels(dimensions: int, metrics: int, width_px: float) -> tuple[go.Figure, int]:
    """Bands of as many dimensions, in each a row a metric; and how many dimensions there are in a band."""
    bands = math.ceil(dimensions / fitting(width_px - _SIDES, _LEAST, _COLUMNS))
    columns, rows = math.ceil(dimensions / bands), bands * metrics
    panel = fitted(_PANEL, width_px)
    tops = [row * (panel + _GAP) + row // metrics * (_GAP_WITH_TITLES - _GAP) for row in range(rows)]
    inner = tops[-1] + panel
    figure = make_subplots(rows=rows, cols=columns, vertical_spacing=0, horizontal_spacing=0.025)
    for row, top in enumerate(tops, start=1):
        figure.update_yaxes(row=row, domain=[1 - (top + panel) / inner if row < rows else 0, 1 - top / inner])
    legend = {"orientation": "h", "x": 0, "y": 1 + 12 / inner, "yanchor": "bottom"}
    margin = {"l": 75, "r": 20, "t": _LEGEND, "b": _TITLE}
    return style(figure, round(inner + _LEGEND + _TITLE), legend=legend, margin=margin), columns


def _label(figure: go.Figure, one: Slice, row: int, column: int, *, last: bool, letters: int) -> None:
    """An objective is named at the left, a dimension below its last panel."""
    x, y, first = one.x.coordinate, one.y.coordinate, column == 1
    upright = x.spaced and sum(map(len, x.ticks.texts)) > _LETTERS
    ticks = x.ticked | ({"tickangle": 90} if upright else {})
    figure.update_xaxes(row=row, col=column, range=x.range, showticklabels=last, **ticks)
    figure.update_yaxes(row=row, col=column, range=y.range, showticklabels=first, **y.ticked)
    if last:
        figure.update_xaxes(row=row, col=column, title_text=html.escape(x.title))
    if first:
        figure.update_yaxes(row=row, col=column, title_text=wrapped(y.title, letters))


def _traces(one: Slice, colour: dict[str, str]) -> Iterator[go.Scatter]:
    """The frontier's trials last, over the others and outlined."""
    for (best, hollow, trainable), group in one.points.groupby(["best", "hollow", "trainable"]):
        own = colour[str(trainable)]
        yield go.Scatter(
            mode="markers",
            showlegend=False,
            x=group["x"].astype("float32"),
            y=group["y"].astype("float32"),
            marker={
                "symbol": group["symbol"].iloc[0],
                "color": own,
                "size": 10 if best else 7,
                "opacity": 1.0 if best else 0.6,
                "line": {"width": 1.5 if best or hollow else 0.5, "color": INK if best else own},
            },
            **_hover(one, group),
            cliponaxis=False,  # a mark at an end is wider than the room there of a small panel
            ids=group["number"],
            meta=inked("marker.line.color") if best else None,
        )


def _hover(one: Slice, group: pd.DataFrame) -> dict[str, Any]:
    """Who a point is and where it lies; by a template as far as can be, for there may be tens of thousands."""
    words, figure = group["x_words"].map(html.escape), f"<br>{one.y.title}: %{{y:.1f}} %"
    if not is_accuracy(one.y.name):
        words, figure = words + f"<br>{one.y.title}: " + group["y_words"], ""
    who = f"<b>Trial %{{text}}</b>  {html.escape(str(group['trainable'].iloc[0]))}"
    line = f"{who}<br>{html.escape(one.x.title)}: %{{hovertext}}{figure}<extra></extra>"
    return {"text": group["number"], "hovertext": words, "hovertemplate": line}
