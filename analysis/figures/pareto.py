"""The plot of a study: what clean accuracy costs in robustness, and each point in work."""

from __future__ import annotations

import html
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from plotly import graph_objects as go

from analysis import labels
from analysis.constraints import bound_words, limit, readable
from analysis.figures.axis import Axis, bars, ends, positions, ticks_of
from analysis.figures.means import means
from analysis.figures.references import NO_REFERENCES, References, references
from analysis.figures.style import (
    GREY,
    INK,
    SYMBOLS,
    colour_axis,
    even_ticks,
    inked,
    legend_entry,
    log_ticks,
    style,
)
from analysis.figures.views import EVERYTHING, outliers, ranges, with_views
from analysis.frontier.confirmed import competing, confirmed, confirms, seeds_of
from analysis.frontier.measured import measures
from analysis.frontier.pareto import frontier, non_dominated
from analysis.reading.runs import PARAM, Study, number_or_nan
from analysis.reading.titles import metric_title
from trainables.metrics import (
    CLEAN_ACCURACY,
    COSTS,
    FORWARD_EQUIVALENTS,
    GPU_MINUTES,
    PGD_ACCURACY,
    clean_of,
    is_accuracy,
    is_attacked,
)

_LABELLED = 12
_HOVER_PARAMS = 12
_BESIDE, _LETTER, _LINE = 0.04, 0.022, 0.1
"""Of the width of a small plot what stands before a label and takes one of its letters, of its height a label."""
_NEAR = 1.0
"""A bound's line is drawn so far beyond the points, in their range's lengths: they keep half of the axis."""
_ARROWS = {("x", -1): "← {}", ("x", 1): "{} →", ("y", -1): "{} ↓", ("y", 1): "{} ↑"}


class BoundLine(NamedTuple):
    """Where a bound of the study crosses an axis, ``x`` or ``y``, in that axis's unit; and what stands at it.

    ``side``: -1 or 1 where it lies so far beyond the points' low or high end that its line would press them together.
    """

    axis: str
    place: float
    text: str
    side: int = 0


class ParetoPlot(NamedTuple):
    """What is drawn. ``points``: a row a finished trial with ``axis.positions``, ``colour``, ``trainable``, ``number``,
    ``called`` (its label), ``hollow`` (does not compete for the frontier), ``best`` (on the study's frontier), ``step``
    (on the frontier of these two axes), ``text``. ``means``: of a confirmation, whose best trials are the seeds of its
    best configurations (``means.means``, with ``step``). ``edge``: ``x`` and ``y`` of what the frontier of these axes
    passes through, trials or means."""

    x: Axis
    y: Axis
    points: pd.DataFrame
    means: pd.DataFrame
    edge: pd.DataFrame
    colour: Axis | None
    references: References
    bounds: tuple[BoundLine, ...]


def pareto_figure(study: Study, metrics: tuple[str, str] | None = None, height: int = 620) -> go.Figure | None:
    """Scatter of the finished trials with the frontier; over ``metrics``, or the first two objectives, accuracies
    first. ``height`` in pixels."""
    plot = compute(study, (Axis.of(study, metrics[0]), Axis.of(study, metrics[1])) if metrics else None)
    return None if plot.points.empty else _draw(plot, height)


def compute(study: Study, axes: tuple[Axis, Axis] | None = None) -> ParetoPlot:
    """Over ``axes``, or ``plane``'s."""
    x, y = axes or plane(study)
    trials = study.finished
    trials = trials[np.isfinite(trials[[x.metric, y.metric]].to_numpy(dtype=float)).all(axis=1)]
    colour = _colour(study, trials, (x.metric, y.metric))
    points = _with_step(_points(study, trials, x, y, colour), x, y)
    over_seeds = _with_step(means(study, x, y), x, y)
    edge = over_seeds if confirms(study) else points
    return ParetoPlot(
        x=x,
        y=y,
        points=points,
        means=over_seeds,
        edge=edge.loc[edge["step"], ["x", "y"]],
        colour=colour,
        references=_references(study, x, y),
        bounds=tuple(_bounds(study, x, y, points)),
    )


def _bounds(study: Study, x: Axis, y: Axis, points: pd.DataFrame) -> Iterator[BoundLine]:
    stated = readable(study.manifest.get("constraints"))
    for name, axis in (("x", x), ("y", y)):
        if (bound := stated.get(axis.metric)) is not None:
            place = limit(bound) * axis.factor
            yield BoundLine(name, place, bound_words(axis.metric, bound), _beyond(place, points[name], axis))


def _beyond(place: float, values: pd.Series[float], axis: Axis) -> int:
    """On which side of ``values`` it is far off; 0 where it is not, or they have no range to lose."""
    if values.empty:
        return 0
    found, at = values.to_numpy(dtype=float), place
    if axis.is_log(values):
        found, at = np.log10(found), math.log10(place)
    reach = _NEAR * float(np.ptp(found))
    if not reach or found.min() - reach <= at <= found.max() + reach:
        return 0
    return 1 if at > found.max() else -1


def _references(study: Study, x: Axis, y: Axis) -> References:
    """Published points are test figures: none is drawn among a validation split's."""
    one_head = is_attacked(y.metric) and x.metric == clean_of(y.metric, str(study.evaluation.get("head")))
    return references(study, y.metric) if one_head and study.evaluation.get("split") == "test" else NO_REFERENCES


def plane(study: Study) -> tuple[Axis, Axis]:
    """The study's accuracies, then its costs, then what it did not optimise but measured."""
    ordered = sorted(study.objectives, key=lambda name: not is_accuracy(name))
    names = list(dict.fromkeys([*ordered, CLEAN_ACCURACY, PGD_ACCURACY]))[:2]
    first, second = (Axis.of(study, name) for name in names)
    return first, second


def _colour(study: Study, trials: pd.DataFrame, taken: tuple[str, str]) -> Axis | None:
    """The cost, that which the study optimised if it did one, or where that is an axis an accuracy that is none;
    ``None`` if no trial has any."""
    costs = sorted((FORWARD_EQUIVALENTS, GPU_MINUTES), key=lambda name: name not in study.objectives)
    accuracies = (PGD_ACCURACY, CLEAN_ACCURACY)
    candidates = (*accuracies, *costs) if set(costs) & set(taken) else (*costs, *accuracies)
    known = [name for name in candidates if name not in taken and np.isfinite(trials[name]).any()]
    return Axis.of(study, known[0]) if known else None


def _points(study: Study, trials: pd.DataFrame, x: Axis, y: Axis, colour: Axis | None) -> pd.DataFrame:
    return positions(trials, x, y).assign(
        number=trials["number"],
        trainable=trials["trainable"],
        colour=trials[colour.metric] * colour.factor if colour else np.nan,
        hollow=~trials["number"].isin(competing(study)["number"]),
        best=trials["number"].isin(optimal_trials(study)),
        called=trials["number"].map(names(study)).map(html.escape),
        text=trials["number"].map(labels.trial_number).map(hovers(study)),
    )


def optimal_trials(study: Study) -> list[int]:
    """Numbers of the trials on the study's frontier, or of the seeds of the configurations on a confirmation's."""
    if not confirms(study):
        return list(map(int, frontier(study)["number"]))
    table = confirmed(study)
    return [number for name in table.loc[table["optimal"], "configuration"] for number in seeds_of(study, name)]


def _with_step(points: pd.DataFrame, x: Axis, y: Axis) -> pd.DataFrame:
    values = points[["x", "y"]].mask(points["hollow"]).to_numpy(dtype=float)
    return points.assign(step=non_dominated(values, [x.direction, y.direction]))


def names(study: Study) -> dict[int, str]:
    """What a label calls each trial, by its number: of a measured network the trial that trained it, whose number it
    has not."""
    origins = study.trials["origin"] if measures(study) else [""] * len(study.trials)
    pairs = zip(study.trials["number"], origins, strict=True)
    return {number: origin or labels.trial_number(number) for number, origin in pairs}


def hovers(study: Study) -> dict[str, str]:
    """What each finished trial's mark says, by its number as written."""
    titles = {name: metric_title(name, study) for name in (*study.accuracies, *COSTS)}
    params = [name for name in study.params[:_HOVER_PARAMS] if name != "trainable"]
    records = study.finished.to_dict("records")
    return {labels.trial_number(record["number"]): _hover(record, titles, params) for record in records}


def _hover(trial: dict[Any, Any], titles: Mapping[str, str], params: Sequence[str]) -> str:
    """Everything that identifies the point, escaped: plots read a subset of HTML."""
    lines = [f"<b>Trial {labels.trial_number(trial['number'])}</b>  {html.escape(trial['trainable'])}"]
    if trial["origin"]:
        lines.append(f"origin: {html.escape(trial['origin'])}")
    for name in filter(is_accuracy, titles):
        value, low, high = (number_or_nan(trial.get(key)) for key in (name, f"{name}_low", f"{name}_high"))
        if np.isfinite(value):
            lines.append(f"{titles[name]}: {labels.percent_interval(value, low, high)} %")
    if trial["verdict"]:
        lines.append(html.escape(trial["verdict"]))
    if trial["violation"]:
        lines.append(f"not on the frontier: {html.escape(trial['violation'])}")
    if trial["note"]:
        lines.append(f"note: {html.escape(trial['note'])}")
    lines += [f"{titles[name]}: {labels.cost(trial[name])}" for name in COSTS]
    for name in params:
        text = labels.param(name, trial[PARAM + name])
        if text not in (labels.ABSENT, "nan"):
            lines.append(f"{html.escape(name)} = {html.escape(text)}")
    return "<br>".join([*lines, "<i>Ctrl-click: open the run in MLflow</i>"] if trial["mlflow_url"] else lines)


def _draw(plot: ParetoPlot, height: int) -> go.Figure:
    figure = go.Figure()
    _draw_bounds(figure, plot.bounds)
    _draw_references(figure, plot.references)
    _draw_step(figure, plot)
    title = plot.colour.label if plot.colour else ""
    log = plot.colour is not None and plot.colour.is_log(plot.points["colour"])
    colours, axis = colour_axis(plot.points["colour"].to_numpy(dtype=float), title, log=log)
    points = plot.points.assign(colour=colours)
    for index, trainable in enumerate(sorted(points["trainable"].unique())):
        _draw_trainable(figure, plot, points[points["trainable"] == trainable], SYMBOLS[index % len(SYMBOLS)])
    _draw_means(figure, plot)
    if points["hollow"].any():
        legend_entry(figure, labels.HOLLOW if plot.means.empty else labels.HOLLOW_SEED, "circle-open", GREY)
    figure.update_layout(coloraxis=axis)
    for axis_of, name in ((plot.x, "x"), (plot.y, "y")):
        figure.update_layout({f"{name}axis": axis_of.layout(points[name])})
    legend = {"orientation": "h", "x": 0, "y": -70 / (height - 170), "yanchor": "top", "tracegroupgap": 0}
    margin = {"l": 70, "r": 20, "t": 60, "b": 110}
    return style(with_views(figure, _views(plot, colours, log=log)), height, legend=legend, margin=margin)


def _views(plot: ParetoPlot, colours: NDArray[np.float64], *, log: bool) -> list[tuple[str, dict[str, Any]]]:
    """First without the trials that are far worse than the others, for they press the frontier into a corner."""
    axes, far = (plot.x, plot.y), _far(plot)
    if not far.any():
        return [EVERYTHING]
    text = f"without {labels.counted(far.sum(), 'outlier')}"
    near = ranges(_near(plot, far), _logs(plot))
    everything, layout = EVERYTHING
    return [
        (text, near | ticks_of(axes, plot.points[~far]) | _coloured(colours[~far], log=log)),
        (everything, layout | ticks_of(axes, plot.points) | _coloured(colours, log=log)),
    ]


def _far(plot: ParetoPlot) -> NDArray[np.bool_]:
    """(n,) Which trials are far worse than the others, and not on the frontier."""
    values, logs = plot.points[["x", "y"]].to_numpy(dtype=float), _logs(plot)
    signs = np.array([1.0 if axis.direction == "maximize" else -1.0 for axis in (plot.x, plot.y)])
    far = outliers(np.where(logs, np.log10(np.where(logs, values, 1.0)), values), signs)
    far &= ~plot.points["best"].to_numpy(dtype=bool)
    return far


def _near(plot: ParetoPlot, far: NDArray[np.bool_]) -> NDArray[np.float64]:
    """(m, 2) What is in sight without the trials that are ``far``: the others and the ends of the best ones' bars."""
    drawn = plot.points[plot.points["best"]] if plot.means.empty else _drawn_means(plot)
    return np.concatenate([plot.points.loc[~far, ["x", "y"]].to_numpy(dtype=float), *ends(drawn)])


def _logs(plot: ParetoPlot) -> list[bool]:
    return [axis.is_log(plot.points[name]) for name, axis in zip("xy", (plot.x, plot.y), strict=True)]


def _coloured(colours: NDArray[np.float64], *, log: bool) -> dict[str, Any]:
    """The colours' range and its ticks, as a change of a layout; nothing to change where no two are known."""
    known = colours[np.isfinite(colours)]
    if len(np.unique(known)) < 2:
        return {}
    ticks = log_ticks(10.0**known) if log else even_ticks(known)
    return {
        "coloraxis.cmin": float(known.min()),
        "coloraxis.cmax": float(known.max()),
        "coloraxis.colorbar.tickvals": ticks.values,
        "coloraxis.colorbar.ticktext": ticks.texts,
    }


def _draw_bounds(figure: go.Figure, bounds: Sequence[BoundLine]) -> None:
    """A thin line across the plot, named at its end inside of it; of one that is far off the name alone, at the edge
    beyond which it lies."""
    for bound in bounds:
        if bound.side:
            _point_to(figure, bound)
            continue
        upright = bound.axis == "x"
        add, corner = (figure.add_vline, ("left", "top")) if upright else (figure.add_hline, ("right", "bottom"))
        place = {"textposition": "end", "textangle": 0, **dict(zip(("xanchor", "yanchor"), corner, strict=True))}
        label = {"text": bound.text, "font": {"size": 12, "color": GREY}, **place}
        add(bound.place, line={"color": GREY, "width": 1.5, "dash": "dash"}, layer="below", label=label)


def _point_to(figure: go.Figure, bound: BoundLine) -> None:
    along, across = (bound.axis, "y" if bound.axis == "x" else "x")
    near, far = ("left", "right") if bound.axis == "x" else ("bottom", "top")
    figure.add_annotation(
        text=_ARROWS[bound.axis, bound.side].format(bound.text),
        showarrow=False,
        font={"size": 12, "color": GREY},
        **{along: max(0, bound.side), f"{along}anchor": far if bound.side > 0 else near, across: 0.5},
        **{f"{name}ref": f"{name} domain" for name in "xy"},
    )


def _draw_references(figure: go.Figure, references: References) -> None:
    if not references.points:
        return
    figure.add_scatter(
        name=references.title,
        legendgroup="paper",
        legendrank=2000,
        visible=True if references.same_data else "legendonly",
        mode="markers",
        x=[point.clean for point in references.points],
        y=[point.robust for point in references.points],
        marker={"symbol": "diamond-tall-open", "size": 10, "color": GREY, "line": {"width": 1.5}},
        hovertext=[point.text for point in references.points],
        hoverinfo="text",
    )


def _draw_step(figure: go.Figure, plot: ParetoPlot) -> None:
    """The edge of what is attained: between neighbours the worse of both values holds."""
    corners = plot.edge.drop_duplicates().sort_values("x")
    figure.add_scatter(
        name="Pareto frontier",
        showlegend=len(corners) > 1,  # of one point there is no line
        mode="lines",
        x=corners["x"],
        y=corners["y"],
        line={"shape": "vh" if plot.x.direction == "maximize" else "hv", "color": INK, "width": 2},
        meta=inked("line.color"),
        hoverinfo="skip",
    )


def _draw_trainable(figure: go.Figure, plot: ParetoPlot, points: pd.DataFrame, symbol: str) -> None:
    trainable = html.escape(str(points["trainable"].iloc[0]))
    legend_entry(figure, trainable or "unknown trainable", symbol, GREY, legendgroup=trainable)
    labelled = plot.means.empty and int(plot.points["best"].sum()) <= _LABELLED
    for (best, hollow), group in points.groupby(["best", "hollow"]):
        named = best and labelled
        figure.add_scatter(
            showlegend=False,
            legendgroup=trainable,
            mode="markers+text" if named else "markers",
            x=group["x"],
            y=group["y"],
            ids=group["number"].map(labels.trial_number),
            text=group["called"],
            textposition=_corners(plot, group, group["called"]),
            textfont={"size": 12},
            cliponaxis=not named,  # plotly leaves no room for what stands beside the outermost point
            marker={
                "symbol": f"{symbol}-open" if hollow else symbol,
                "size": 13 if best else 9,
                "opacity": 1.0 if best or hollow else 0.8,
                "color": group["colour"],
                "coloraxis": "coloraxis",
                "line": {"width": 1.5 if best or hollow else 0.5, "color": INK if best else GREY},
            },
            hovertext=group["text"],
            hoverinfo="text",
            meta=inked("marker.line.color") if best else None,
            **(bars(group) if best and plot.means.empty else {}),
        )


def _draw_means(figure: go.Figure, plot: ParetoPlot) -> None:
    means = _drawn_means(plot)
    if means.empty:
        return
    named = len(means) <= _LABELLED
    figure.add_scatter(
        name="mean over seeds with its 95 % interval",
        mode="markers+text" if named else "markers",
        x=means["x"],
        y=means["y"],
        ids=means["trials"],
        text=means["name"].map(html.escape),
        textposition=_corners(plot, means, means["name"]),
        textfont={"size": 12},
        cliponaxis=not named,
        marker={"symbol": "cross-thin", "size": 14, "line": {"width": 2, "color": INK}},
        hovertext=means["text"],
        hoverinfo="text",
        meta=inked("marker.line.color"),
        **bars(means),
    )


def _drawn_means(plot: ParetoPlot) -> pd.DataFrame:
    """All that can be named, or else the best and those that the line passes through."""
    if len(plot.means) <= _LABELLED:
        return plot.means
    return plot.means[plot.means["best"] | plot.means["step"]] if len(plot.means) else plot.means


def _corners(plot: ParetoPlot, points: pd.DataFrame, called: pd.Series[str]) -> list[str]:
    """Where the label of each of ``points``, ``called`` so, stands: on the side that no other trial dominates, or on
    the other where it would reach beyond the plot, over the numbers of an axis or a bar of colours."""
    shown, (log_x, log_y) = _near(plot, _far(plot)), _logs(plot)
    beside = _free(plot.x, points["x"], shown[:, 0], _BESIDE + _LETTER * called.map(len), log=log_x)
    above = plot.y.direction == "maximize"  # there is room over a plot, and none beneath
    upright = above | _free(plot.y, points["y"], shown[:, 1], _LINE, log=log_y)
    sides = np.where(upright, "top", "bottom"), np.where(beside, "right", "left")
    return [" ".join(corner) for corner in zip(*sides, strict=True)]


def _free(
    axis: Axis, values: pd.Series[float], shown: NDArray[np.float64], reach: pd.Series[float] | float, *, log: bool
) -> NDArray[np.bool_]:
    """(n,) Whether a label of ``reach``, a share of the plot, stands towards the high end of the axis."""
    places, scale = (np.log10(values), np.log10(shown)) if log else (values, shown)
    room = np.ptp(scale) * reach
    better = axis.direction == "maximize"
    beyond = places + room > scale.max() if better else places - room < scale.min()
    return np.asarray(beyond != better)
