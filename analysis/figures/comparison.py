"""What schedulers gain in hypervolume over GPU-minutes, a panel a scenario, a line with its band a scheduler."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from plotly import graph_objects as go
from plotly.subplots import make_subplots

from analysis.comparing.comparison import REFERENCE, Comparison, Series
from analysis.figures.style import QUALITATIVE, style
from analysis.frontier.uncertainty import Interval, paired, student
from analysis.layout import write_atomically

_COLUMNS = 2
_PANEL = 320
"""Height in pixels."""
_LEGEND = 40
"""Likewise; there is as much room above it."""


class Band(NamedTuple):
    """One scheduler's mean and interval at each moment."""

    panel: str
    scheduler: str
    minutes: NDArray[np.float64]
    mean: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]


def comparison_figure(comparison: Comparison) -> go.Figure:
    """Mean over the seeds and Student's 95 % interval of it.

    Of the paired differences from the searches that stop nobody where there are such, for seeds differ more than
    schedulers do; of the hypervolume itself where there are none.
    """
    paired = any(one.scheduler == REFERENCE for one in comparison.series)
    title, sign = ("Hypervolume above none, %", "+") if paired else ("Hypervolume, %", "")
    return _draw(compute(comparison), title, sign)


def write_comparison(comparison: Comparison, path: Path) -> None:
    """The figure as one HTML file that needs no network."""
    write_atomically(path, comparison_figure(comparison).to_html(include_plotlyjs=True))


def compute(comparison: Comparison) -> tuple[Band, ...]:
    """A band a series, in the comparison's order; none for the reference of the others."""
    bands = []
    for one in comparison.series:
        reference = comparison.rivals(one).get(REFERENCE)
        if reference is not one:
            found = 100 * np.array(_moments(one, reference)).T
            minutes = np.array(comparison.minutes[one.scenario])
            bands.append(Band(f"{one.scenario}, {one.sampler}", one.scheduler, minutes, *found))
    return tuple(bands)


def _moments(one: Series, reference: Series | None) -> list[Interval]:
    found = list(zip(*one.hypervolume, strict=True))
    if reference is None:
        return [student(moment) for moment in found]
    return [paired(*pair) for pair in zip(found, zip(*reference.hypervolume, strict=True), strict=True)]


def _draw(bands: tuple[Band, ...], title: str, sign: str) -> go.Figure:
    panels = list(dict.fromkeys(band.panel for band in bands))
    names = list(dict.fromkeys(band.scheduler for band in bands))
    colours = {name: QUALITATIVE[index % len(QUALITATIVE)] for index, name in enumerate(names)}
    columns = min(_COLUMNS, len(panels))
    rows = -(-len(panels) // columns)
    height = _PANEL * rows + 2 * _LEGEND
    figure = make_subplots(
        rows=rows, cols=columns, subplot_titles=panels, vertical_spacing=0.25 / rows, horizontal_spacing=0.1
    )
    for band in bands:
        row, column = divmod(panels.index(band.panel), columns)
        for trace in _traces(band, colours[band.scheduler], sign, named=band.panel == panels[0]):
            figure.add_trace(trace, row=row + 1, col=column + 1)
    figure.update_xaxes(title_text="GPU-minutes", tickformat=",~g")
    figure.update_yaxes(title_text=title, tickformat=f"{sign}.1f", zeroline=True)
    return style(figure, height, legend={"orientation": "h", "x": 0, "y": -2 * _LEGEND / height, "yanchor": "top"})


def _traces(band: Band, colour: str, sign: str, *, named: bool) -> tuple[go.Scatter, go.Scatter]:
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
        hovertemplate=f"{band.scheduler}<br>%{{x:.0f}} GPU-minutes: %{{y:{sign}.2f}}<extra></extra>",
    )
    return outline, line
