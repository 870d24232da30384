"""Hypervolume against GPU-minutes, a panel a scenario, a line with its band a scheduler."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from plotly import graph_objects as go
from plotly.subplots import make_subplots

from analysis.comparison import Comparison, interval
from analysis.figures.style import QUALITATIVE, style
from analysis.layout import write_atomically

_COLUMNS = 2
_PANEL = 320
"""Height in pixels."""


class Band(NamedTuple):
    """One scheduler's mean and interval at each moment."""

    panel: str
    scheduler: str
    minutes: NDArray[np.float64]
    mean: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]


def comparison_figure(comparison: Comparison) -> go.Figure:
    """Mean over the seeds and Student's 95 % interval of it; the bands of paired seeds may overlap where the paired
    differences, which the table has, are sure."""
    return _draw(compute(comparison))


def write_comparison(comparison: Comparison, path: Path) -> None:
    """The figure as one HTML file that needs no network."""
    write_atomically(path, comparison_figure(comparison).to_html(include_plotlyjs=True))


def compute(comparison: Comparison) -> tuple[Band, ...]:
    """A band a series, in the comparison's order."""
    bands = []
    for one in comparison.series:
        found = np.array([interval(moment) for moment in zip(*one.hypervolume, strict=True)]).T
        minutes = np.array(comparison.minutes[one.scenario])
        bands.append(Band(f"{one.scenario}, {one.sampler}", one.scheduler, minutes, *found))
    return tuple(bands)


def _draw(bands: tuple[Band, ...]) -> go.Figure:
    panels = list(dict.fromkeys(band.panel for band in bands))
    names = list(dict.fromkeys(band.scheduler for band in bands))
    colours = {name: QUALITATIVE[index % len(QUALITATIVE)] for index, name in enumerate(names)}
    rows = -(-len(panels) // _COLUMNS)
    figure = make_subplots(
        rows=rows, cols=_COLUMNS, subplot_titles=panels, vertical_spacing=0.3 / rows, horizontal_spacing=0.1
    )
    for band in bands:
        row, column = divmod(panels.index(band.panel), _COLUMNS)
        for trace in _traces(band, colours[band.scheduler], named=band.panel == panels[0]):
            figure.add_trace(trace, row=row + 1, col=column + 1)
    figure.update_xaxes(title_text="GPU-minutes")
    figure.update_yaxes(title_text="Hypervolume", tickformat=".2f")
    return style(figure, _PANEL * rows + 100, legend={"orientation": "h", "x": 0, "y": -0.12 / rows, "yanchor": "top"})


def _traces(band: Band, colour: str, *, named: bool) -> tuple[go.Scatter, go.Scatter]:
    outline = go.Scatter(
        x=np.concatenate([band.minutes, band.minutes[::-1]]),
        y=np.concatenate([band.high, band.low[::-1]]),
        fill="toself",
        fillcolor=colour,
        opacity=0.15,
        line={"width": 0},
        hoverinfo="skip",
        legendgroup=band.scheduler,
        showlegend=False,
    )
    line = go.Scatter(
        x=band.minutes,
        y=band.mean,
        name=band.scheduler,
        legendgroup=band.scheduler,
        showlegend=named,
        line={"color": colour, "width": 2},
        hovertemplate=f"{band.scheduler}<br>%{{x:.0f}} GPU-minutes: %{{y:.4f}}<extra></extra>",
    )
    return outline, line
