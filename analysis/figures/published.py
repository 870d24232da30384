"""Published points by themselves: test figures, which no plot of validation figures may hold."""

from __future__ import annotations

from typing import NamedTuple

from plotly import graph_objects as go
from plotly.subplots import make_subplots

from analysis.figures.references import data_set, radius, text
from analysis.figures.style import QUALITATIVE, SYMBOLS, style
from analysis.papers.published import LEADERBOARD, POINTS, PublishedPoint
from analysis.reading.runs import Study

_SURE = 8.0
"""The radius in 1/255 that most work reports: shown where nothing is published at a study's own."""


class Group(NamedTuple):
    """The points of one table, all under one attack."""

    title: str
    attack: str
    points: tuple[PublishedPoint, ...]
    radius: float


def published_figure(study: Study) -> go.Figure | None:
    """Clean accuracy against robust accuracy on the study's data set, at its radius as far as that is published; a
    panel an attack. ``None`` where nothing is published of its data set."""
    data = data_set(study)
    return None if data is None else _draw(compute(study), data)


def compute(study: Study) -> tuple[Group, ...]:
    """In the tables' order; AutoAttack's last."""
    points = [point for point in POINTS if point.data == data_set(study)]
    level = radius(study)
    level = level if any(level in point.robust for point in points) else _SURE
    found: dict[tuple[str, str], list[PublishedPoint]] = {}
    for point in points:
        if level in point.robust:
            title = point.source if point.source == LEADERBOARD else f"{point.table}, {point.network}"
            found.setdefault((title, point.attack), []).append(point)
    return tuple(Group(title, attack, tuple(rows), level) for (title, attack), rows in found.items())


def _draw(groups: tuple[Group, ...], data: str) -> go.Figure:
    attacks = list(dict.fromkeys(group.attack for group in groups))
    figure = make_subplots(cols=len(attacks), horizontal_spacing=0.1)
    for index, group in enumerate(groups):
        column = attacks.index(group.attack) + 1
        figure.add_trace(_trace(group, index), row=1, col=column)
        figure.update_yaxes(title_text=f"{group.attack} at {group.radius:g}/255 (%)", row=1, col=column)
    figure.update_xaxes(title_text=f"Clean accuracy (%), {data} test images")
    legend = {"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"}
    return style(figure, 460, legend=legend)


def _trace(group: Group, index: int) -> go.Scatter:
    return go.Scatter(
        name=group.title,
        mode="markers",
        x=[point.clean for point in group.points],
        y=[point.robust[group.radius] for point in group.points],
        marker={"symbol": f"{SYMBOLS[index]}-open", "size": 11, "color": QUALITATIVE[index], "line": {"width": 2}},
        hovertext=[text(point, group.radius) for point in group.points],
        hoverinfo="text",
    )
