"""The frontier with its uncertainty: attainment surfaces, and how surely each point stands on it."""

from __future__ import annotations

import html
import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from plotly import graph_objects as go

from analysis import labels
from analysis.figures import pareto
from analysis.figures.axis import Axis, bars, ends, ticks_of
from analysis.figures.means import means
from analysis.figures.style import GREY, QUALITATIVE, SYMBOLS, legend_entry, style
from analysis.figures.surfaces import draw_surfaces, edges
from analysis.figures.views import EVERYTHING, ranges, with_views
from analysis.frontier.attainment import Attainment, attainment
from analysis.frontier.confirmed import confirms
from analysis.frontier.dominance import chances
from analysis.reading.runs import Study

_LEAST, _MOST = 6.0, 20.0
"""Diameters in pixels of what is never and of what is always on the frontier; areas go with the chance."""
_NEAR = 0.01
"""The least chance that makes a point worth showing near the frontier."""


class AttainmentPlot(NamedTuple):
    """What is drawn.

    ``points``: a row a finished trial, of a confirmation a row a configuration, with ``axis.positions``, ``trainable``,
    ``chance`` that no other dominates it in x and y (NaN where it does not compete), ``hollow`` (flagged, or beyond the
    study's bounds), ``text`` and ``trials``, the numbers that it stands for. ``seeds``: the same of a confirmation's
    trials. ``edges``: by level, the surface's staircase (n, 2) down to what is shown.
    """

    x: Axis
    y: Axis
    points: pd.DataFrame
    seeds: pd.DataFrame
    attained: Attainment | None
    edges: dict[int, NDArray[np.float64]]


def attainment_figure(
    study: Study, metrics: tuple[str, str] | None = None, chances: Mapping[str, float] | None = None
) -> go.Figure | None:
    """Surfaces at ``LEVELS`` as a band, points by their chance; over ``metrics``, or the study's first two objectives,
    accuracies first. ``None`` while nothing has finished.

    ``chances``: ``dominance.chances(study)`` where that is known already.
    """
    plot = compute(study, metrics, chances)
    return None if plot.points.empty else _draw(plot)


def compute(
    study: Study, metrics: tuple[str, str] | None = None, known: Mapping[str, float] | None = None
) -> AttainmentPlot:
    x, y = (Axis.of(study, metrics[0]), Axis.of(study, metrics[1])) if metrics else pareto.plane(study)
    trials = pareto.compute(study, (x, y)).points
    points = means(study, x, y) if confirms(study) else _trials(study, trials)
    points = _with_chances(study, points, (x.metric, y.metric), chances(study) if known is None else known)
    found = attainment(study, (x.metric, y.metric))
    return AttainmentPlot(
        x=x,
        y=y,
        points=points,
        seeds=_trials(study, trials if confirms(study) else trials[:0]),
        attained=found,
        edges=edges(found, points, x, y) if found else {},
    )


def _trials(study: Study, trials: pd.DataFrame) -> pd.DataFrame:
    ids = study.trials.set_index("number")["id"]
    return trials.assign(name=trials["number"].map(ids), trials=trials["number"].map(labels.trial_number))


def _with_chances(
    study: Study, points: pd.DataFrame, metrics: tuple[str, str], everywhere: Mapping[str, float]
) -> pd.DataFrame:
    """The chance, and the same in words at the end of the text; over all objectives too where they are others."""
    alike = set(study.objectives) == set(metrics)
    here = points["name"].map(everywhere if alike else chances(study, metrics)).astype("float64")
    texts = [text + _odds(chance, "of these two") for text, chance in zip(points["text"], here, strict=True)]
    if not alike:
        overall = [everywhere.get(name, math.nan) for name in points["name"]]
        texts = [text + _odds(chance, "of all objectives") for text, chance in zip(texts, overall, strict=True)]
    return points.assign(chance=here, text=texts)


def _odds(chance: float, where: str) -> str:
    if not np.isfinite(chance):
        return f"<br>not on the frontier {where}: flagged, beyond the study's bounds or not measured"
    return f"<br>on the frontier {where}: {labels.percent(chance)} % of draws"


def _draw(plot: AttainmentPlot) -> go.Figure:
    figure = go.Figure()
    if plot.attained:
        draw_surfaces(figure, plot.attained, plot.edges)
    for index, name in enumerate(sorted(set(plot.points["trainable"]) | set(plot.seeds["trainable"]))):
        _draw_trainable(figure, plot, str(name), index)
    _explain(figure, plot)
    for axis, name in ((plot.x, "x"), (plot.y, "y")):
        figure.update_layout({f"{name}axis": axis.layout(plot.points[name])})
    legend = {"orientation": "h", "x": 0, "y": -0.12, "yanchor": "top", "tracegroupgap": 0}
    margin = {"l": 70, "r": 20, "t": 70, "b": 150}
    return style(with_views(figure, _views(plot)), 680, legend=legend, margin=margin)


def _draw_trainable(figure: go.Figure, plot: AttainmentPlot, name: str, index: int) -> None:
    colour, symbol = QUALITATIVE[index % len(QUALITATIVE)], SYMBOLS[index % len(SYMBOLS)]
    title = html.escape(name) or "unknown trainable"
    shared = {"legendgroup": title, "mode": "markers"}
    legend_entry(figure, title, symbol, colour, legendgroup=title)
    seeds = plot.seeds[plot.seeds["trainable"] == name]
    if len(seeds):
        mark = {"symbol": f"{symbol}-open", "color": colour, "size": 5, "opacity": 0.7}
        texts = {"hovertext": seeds["text"], "hoverinfo": "text", "ids": seeds["trials"]}
        figure.add_scatter(showlegend=False, x=seeds["x"], y=seeds["y"], marker=mark, **texts, **shared)
    for hollow, group in plot.points[plot.points["trainable"] == name].groupby("hollow"):
        figure.add_scatter(
            showlegend=False,
            x=group["x"],
            y=group["y"],
            marker={
                "symbol": f"{symbol}-open" if hollow else symbol,
                "color": colour,
                "size": diameters(group["chance"].to_numpy(dtype=float)),
                "opacity": 0.8,
                "line": {"width": 1.5 if hollow else 0.5, "color": colour if hollow else GREY},
            },
            ids=group["trials"],
            hovertext=group["text"],
            hoverinfo="text",
            **(bars(group) if len(plot.seeds) and not hollow else {}),
            **shared,
        )


def diameters(chance: NDArray[np.float64]) -> NDArray[np.float64]:
    """Areas grow with the chance; what does not compete is drawn as what has none."""
    return np.asarray(np.sqrt(_LEAST**2 + (_MOST**2 - _LEAST**2) * np.nan_to_num(chance)))


def _explain(figure: go.Figure, plot: AttainmentPlot) -> None:
    legend_entry(figure, "larger: more surely on the frontier", "circle", GREY)
    if plot.points["hollow"].any():
        legend_entry(figure, labels.HOLLOW, "circle-open", GREY)


def _views(plot: AttainmentPlot) -> list[tuple[str, dict[str, Any]]]:
    """The frontier with all that may stand on it, shown first, and everything."""
    near = plot.points[plot.points["chance"] >= _NEAR]
    corners = [edge[1:-1] for edge in plot.edges.values()]
    reach = ends(near) if len(plot.seeds) else ()
    shown = np.concatenate([near[["x", "y"]].to_numpy(dtype=float), *reach, *corners])
    if len(near) in (0, len(plot.points)):
        return [EVERYTHING]
    logs = [axis.is_log(plot.points[name]) for name, axis in zip("xy", (plot.x, plot.y), strict=True)]
    axes, (everything, layout) = (plot.x, plot.y), EVERYTHING
    return [
        ("near the frontier", ranges(shown, logs) | ticks_of(axes, near)),
        (everything, layout | ticks_of(axes, plot.points)),
    ]
