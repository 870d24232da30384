"""Attainment surfaces as staircases and a band."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from plotly import graph_objects as go

from analysis.figures.axis import Axis
from analysis.figures.style import GREY, INK, inked
from analysis.figures.views import MARGIN
from analysis.frontier.attainment import LEVELS, Attainment

_BAND = "rgba(128, 134, 145, 0.22)"
_DASHES = dict(zip(LEVELS, ("dot", "solid", "dash"), strict=True))


def edges(found: Attainment, points: pd.DataFrame, x: Axis, y: Axis) -> dict[int, NDArray[np.float64]]:
    """By level, the surface as a staircase (n, 2) down to a little worse than all that is shown; percent."""
    factors = np.array([x.factor, y.factor])
    corners = {level: rows * factors for level, rows in found.surfaces.items() if len(rows)}
    shown = np.concatenate([points[["x", "y"]].to_numpy(dtype=float), *corners.values()])
    worst = np.array([_worst(values, axis) for values, axis in zip(shown.T, (x, y), strict=True)])
    return {level: _staircase(rows, worst, _signs(x, y)) for level, rows in corners.items()}


def _worst(values: NDArray[np.float64], axis: Axis) -> float:
    """A little worse than all that is shown, and nothing impossible."""
    margin = MARGIN * (float(np.ptp(values)) or abs(float(values[0])) or 1.0)
    return max(0.0, float(values.min()) - margin) if axis.direction == "maximize" else float(values.max()) + margin


def _signs(x: Axis, y: Axis) -> NDArray[np.float64]:
    return np.array([1.0 if axis.direction == "maximize" else -1.0 for axis in (x, y)])


def _staircase(
    corners: NDArray[np.float64], worst: NDArray[np.float64], signs: NDArray[np.float64]
) -> NDArray[np.float64]:
    """The edge (2n + 1, 2) of what is no better than any of ``corners`` (n, 2), from the worst x to the worst y."""
    gains = corners * signs
    gains = gains[np.argsort(gains[:, 0])]
    far, low = worst * signs
    across = np.concatenate([[far], np.repeat(gains[:, 0], 2)])
    down = np.concatenate([np.repeat(gains[:, 1], 2), [low]])
    return np.asarray(np.column_stack([across, down]) * signs)


def draw_surfaces(figure: go.Figure, attained: Attainment, edges: dict[int, NDArray[np.float64]]) -> None:
    """Lines, and a band between the outermost and the innermost."""
    outer, inner = (edges.get(level) for level in (min(LEVELS), max(LEVELS)))
    if outer is not None and inner is not None:
        band = np.concatenate([outer, inner[::-1]])
        figure.add_scatter(
            showlegend=False,
            legendgroup="surfaces",
            mode="lines",
            x=band[:, 0],
            y=band[:, 1],
            fill="toself",
            fillcolor=_BAND,
            line={"width": 0},
            hoverinfo="skip",
        )
    for level, edge in edges.items():
        middle = level == LEVELS[1]
        figure.add_scatter(
            name=attained.words(level),
            legendgroup="surfaces",
            mode="lines",
            x=edge[:, 0],
            y=edge[:, 1],
            line={"color": INK if middle else GREY, "width": 2 if middle else 1.2, "dash": _DASHES[level]},
            meta=inked("line.color") if middle else None,
            hoverinfo="skip",
        )
