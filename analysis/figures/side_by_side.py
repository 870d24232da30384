"""Studies in one plane, a symbol and a colour a study, beside what each had found for its work."""

from __future__ import annotations

import html
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from plotly import graph_objects as go
from plotly.subplots import make_subplots

from analysis import labels
from analysis.comparing.side_by_side import WORK, Side, equal_work
from analysis.figures.style import GREY, QUALITATIVE, SYMBOLS, even_ticks, legend_entry, style
from analysis.figures.views import EVERYTHING, outliers, ranges, with_views
from analysis.frontier.history import HYPERVOLUME
from analysis.frontier.pareto import non_dominated
from analysis.layout import write_atomically
from trainables.metrics import ACCURACIES

_HEIGHT = 620
_UNLIKE = "Not measured alike: this does not rank them"
_ONCE = "One run of each search: others would differ"


class Marks(NamedTuple):
    """What is drawn of one study, in percent. ``search``: that which it is a run of; runs share colour and symbol.
    ``points``: as ``Side.points``, with ``x``, ``y``, the distances to the ends of their intervals ``x_minus``,
    ``x_plus``, ``y_minus``, ``y_plus``, ``best`` (on the study's frontier in this plane) and ``text``. ``work`` and
    ``volume`` (n,): the steps of its hypervolume."""

    name: str
    search: str
    colour: str
    symbol: str
    points: pd.DataFrame
    work: NDArray[np.float64]
    volume: NDArray[np.float64]


def side_by_side_figure(
    sides: Sequence[Side], titles: Mapping[str, str], searches: Sequence[str] = (), *, ranked: bool
) -> go.Figure:
    """Their first two accuracies; ``titles``: of all accuracies by name; ``searches``: of each side that which it is a
    run of, itself without. The hypervolume over the cost that all share stands beside where one of ``sides`` is a
    search. Not ``ranked``, for they were not measured alike: it says so; and where no search was run twice, it says
    that."""
    plane = _plane(sides[0].accuracies)
    axes = [f"{titles[name]} (%)" for name in plane]
    least = equal_work(sides) if ranked else math.nan
    searched = any(len(side.path) for side in sides)
    figure = _draw(compute(sides, titles, searches), axes, 1 + searched)
    if searched:
        _label_work(figure, sides, least)
    once = searched and len(set(searches)) == len(searches)
    text = _UNLIKE if not ranked else _ONCE if once else ""
    # At the right: the menu is at the left.
    return figure.update_layout(title={"text": text, "font": {"size": 15}, "x": 0.99, "xanchor": "right"})


def write_side_by_side(figure: go.Figure, path: Path) -> None:
    """The figure as one HTML file that needs no network."""
    write_atomically(path, figure.to_html(include_plotlyjs=True))


def compute(sides: Sequence[Side], titles: Mapping[str, str], searches: Sequence[str] = ()) -> tuple[Marks, ...]:
    """In the order of ``sides``."""
    owners = searches or [side.name for side in sides]
    places = {name: place for place, name in enumerate(dict.fromkeys(owners))}
    return tuple(
        Marks(
            name=html.escape(side.name),
            search=html.escape(owner),
            colour=QUALITATIVE[place % len(QUALITATIVE)],
            symbol=SYMBOLS[place % len(SYMBOLS)],
            points=_points(side, titles),
            work=side.path[WORK].to_numpy(dtype=float),
            volume=side.path[HYPERVOLUME].to_numpy(dtype=float) * 100,
        )
        for side, owner in zip(sides, owners, strict=True)
        for place in (places[owner],)
    )


def _plane(accuracies: Sequence[str]) -> list[str]:
    """Two accuracies, those that are compared before what was but measured; of ``ACCURACIES`` in their order."""
    chosen = list(dict.fromkeys([*accuracies, *ACCURACIES]))[:2]
    return sorted(chosen, key=lambda name: ACCURACIES.index(name) if name in ACCURACIES else len(ACCURACIES))


def _points(side: Side, titles: Mapping[str, str]) -> pd.DataFrame:
    plane = _plane(side.accuracies)
    points = side.points[np.isfinite(side.points[plane].to_numpy(dtype=float)).all(axis=1)]
    found: pd.DataFrame = points.assign(text=[_text(point, titles) for point in points.to_dict("records")])
    for axis, name in zip("xy", plane, strict=True):
        found[axis] = points[name] * 100
        found[f"{axis}_minus"] = (points[name] - points[f"{name}_low"]) * 100
        found[f"{axis}_plus"] = (points[f"{name}_high"] - points[name]) * 100
    counted = points[plane].where(points["counts"]).to_numpy(dtype=float)
    found["best"] = non_dominated(counted, ["maximize"] * 2)
    return found


def _text(point: Mapping[Any, Any], titles: Mapping[str, str]) -> str:
    """What a mark says, escaped."""
    accuracies = (
        f"{titles[name]}: {labels.percent_interval(*(point[f'{name}{end}'] for end in ('', '_low', '_high')))} %"
        for name in titles
        if name in point and np.isfinite(point[name])
    )
    verdict = [str(point["verdict"])] if point["verdict"] else []
    first, *rest = (html.escape(text) for text in (f"{point['id']}  {point['trainable']}", *accuracies, *verdict))
    return "<br>".join([f"<b>{first}</b>", *rest])


def _draw(marks: Sequence[Marks], axes: Sequence[str], columns: int) -> go.Figure:
    figure = make_subplots(cols=columns, horizontal_spacing=0.1)
    for one in {one.search: one for one in marks}.values():
        legend_entry(figure, one.search, one.symbol, one.colour, legendgroup=one.search)
    for one in marks:
        _draw_frontier(figure, one)
        if len(one.work):
            figure.add_trace(_steps(one), row=1, col=columns)
    if any(not one.points["counts"].all() for one in marks):
        legend_entry(figure, labels.HOLLOW, "circle-open", GREY)
    figure.update_xaxes(title_text=axes[0], row=1, col=1)
    figure.update_yaxes(title_text=axes[1], row=1, col=1)
    legend = {"orientation": "h", "x": 0, "y": -0.16, "yanchor": "top"}
    margin = {"l": 70, "r": 20, "t": 60, "b": 120}
    return style(with_views(figure, _views(marks)), _HEIGHT, legend=legend, margin=margin)


def _draw_frontier(figure: go.Figure, one: Marks) -> None:
    """Its edge, then its marks; those on it larger and with their intervals, hollow those that do not count."""
    edge = one.points[one.points["best"]].drop_duplicates(["x", "y"]).sort_values("x")
    line = {"shape": "vh", "color": one.colour, "width": 2}
    figure.add_scatter(
        **{"mode": "lines", "x": edge["x"], "y": edge["y"], "line": line},
        **{"showlegend": False, "legendgroup": one.search, "hoverinfo": "skip"},
    )
    for (best, counts), group in one.points.groupby(["best", "counts"]):
        figure.add_scatter(
            showlegend=False,
            legendgroup=one.search,
            mode="markers",
            x=group["x"],
            y=group["y"],
            marker={
                "symbol": one.symbol if counts else f"{one.symbol}-open",
                "size": 12 if best else 7,
                "opacity": 1.0 if best else 0.45,
                "color": one.colour,
            },
            hovertext=group["text"],
            hoverinfo="text",
            **({f"error_{axis}": _interval(group, axis, one.colour) for axis in "xy"} if best else {}),
        )


def _interval(points: pd.DataFrame, axis: str, colour: str) -> dict[str, Any]:
    ends = {"array": points[f"{axis}_plus"], "arrayminus": points[f"{axis}_minus"]}
    return {"type": "data", "symmetric": False, "thickness": 1, "width": 3, "color": colour, **ends}


def _steps(one: Marks) -> go.Scatter:
    """From nothing spent."""
    return go.Scatter(
        name=one.name,
        showlegend=False,
        legendgroup=one.search,
        mode="lines+markers",
        x=[0.0, *one.work],
        y=[0.0, *one.volume],
        line={"shape": "hv", "color": one.colour, "width": 2},
        marker={"symbol": one.symbol, "size": [0] * len(one.work) + [11], "opacity": 1, "line": {"width": 0}},
        hovertemplate=f"{one.name}<br>%{{y:.2f}} % at %{{x:.4g}}<extra></extra>",
    )


def _label_work(figure: go.Figure, sides: Sequence[Side], least: float) -> None:
    cost = labels.COSTS[sides[0].cost]
    ticks = even_ticks([0.0, *(float(side.path[WORK].max()) for side in sides if len(side.path))])
    spelled = {"tickvals": ticks.values, "ticktext": ticks.texts} if ticks.values else {}
    title = f"Cost of trials that have ended ({cost})"
    figure.update_xaxes(title_text=title, rangemode="tozero", **spelled, row=1, col=2)
    figure.update_yaxes(title_text="Hypervolume (%)", rangemode="tozero", row=1, col=2)
    if math.isfinite(least):
        line = {"color": GREY, "width": 1, "dash": "dot"}
        figure.add_vline(x=least, line=line, annotation_text=f"equal {cost}", row=1, col=2)


def _views(marks: Sequence[Marks]) -> list[tuple[str, dict[str, Any]]]:
    """First without the trials that are far worse than the others, for they press the frontiers into a corner."""
    values = np.concatenate([one.points[["x", "y"]].to_numpy(dtype=float) for one in marks])
    best = np.concatenate([one.points["best"].to_numpy(dtype=bool) for one in marks])
    if len(values) == 0 or not (far := outliers(values, np.ones(2)) & ~best).any():
        return [EVERYTHING]
    text = f"without {labels.counted(far.sum(), 'outlier')}"
    return [(text, ranges(np.concatenate([values[~far], *_ends(marks)]), [False, False])), EVERYTHING]


def _ends(marks: Sequence[Marks]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(n, 2) each: where the intervals end that the frontiers' points are drawn with."""
    points = pd.concat([one.points[one.points["best"]] for one in marks])
    middle = points[["x", "y"]].to_numpy(dtype=float)
    down, up = (points[[f"x_{way}", f"y_{way}"]].fillna(0).to_numpy(dtype=float) for way in ("minus", "plus"))
    return middle - down, middle + up
