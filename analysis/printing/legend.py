"""The legend under a printed plot: whole, in as many columns as keep it low."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import NamedTuple

from plotly import graph_objects as go

from analysis.printing.paper_type import LETTER_PX, TYPE_PX

_KEY_PX, _AROUND_PX = 45, 12
"""A symbol with the space around it, and what the legend's ends take; plotly's own, as are its lines."""
_LINE_PX, _LEAST_PX, _BETWEEN_PX = 1.3 * TYPE_PX, 16.0, 3.0
_COLUMNS = 6


class Legend(NamedTuple):
    """``names`` in lines that fit ``across_px`` each, in rows that take ``height_px`` together."""

    names: list[str]
    across_px: float
    height_px: float


def break_legend(figure: go.Figure, width_px: float) -> float:
    """Its names in lines and columns of ``width_px``; how many px it takes. What is not drawn has no name."""
    traces = [trace for trace in figure.data if trace.type != "parcoords" and trace.name]
    for trace in traces:
        if trace.visible not in (None, True):
            trace.showlegend = False
    named = [trace for trace in traces if trace.showlegend is not False]
    if not named:
        return 0
    found = legend([trace.name for trace in named], width_px)
    for trace, name in zip(named, found.names, strict=True):
        trace.name = name
    apart = {"traceorder": "normal", "entrywidth": found.across_px, "maxheight": 1}  # groups would have a column each
    figure.update_layout(legend={**apart, "font": {"size": TYPE_PX}})
    return found.height_px


def place_legend(figure: go.Figure, left: float, beneath: float) -> None:
    """Its corner ``left`` of and ``beneath`` the plot's, as shares of the plot: plotly lays one that is outside of the
    plot out from the corner to the plot's other side, one in the page's coordinates no wider than the plot."""
    place = {"x": -left, "xref": "paper", "xanchor": "left", "y": -beneath, "yref": "paper", "yanchor": "top"}
    figure.update_layout(legend={"orientation": "h", **place})


def legend(names: Sequence[str], width_px: float) -> Legend:
    """In the columns in which it is lowest; names that no column holds have a line each."""
    found = [_in_columns(names, width_px, columns) for columns in range(1, _COLUMNS + 1)]
    return min([found[0], *filter(_fits, found)], key=lambda one: one.height_px)


def _in_columns(names: Sequence[str], width_px: float, columns: int) -> Legend:
    across = (width_px - _AROUND_PX) / columns - _KEY_PX
    letters = max(1, int(across / LETTER_PX))
    lines = [textwrap.wrap(name, letters, break_long_words=False, break_on_hyphens=False) for name in names]
    rows = [max(map(len, lines[at : at + columns])) for at in range(0, len(lines), columns)]
    height = sum(max(_LEAST_PX, count * _LINE_PX) + _BETWEEN_PX for count in rows)
    return Legend(list(map("<br>".join, lines)), across, height + _AROUND_PX)


def _fits(one: Legend) -> bool:
    return all(len(line) * LETTER_PX <= one.across_px for name in one.names for line in name.split("<br>"))
