"""Parallel coordinates: which settings lead where, one line a finished trial."""

from __future__ import annotations

import html
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from plotly import graph_objects as go

from analysis import labels
from analysis.figures.axis import Axis
from analysis.figures.coordinates import Coordinate, metric, setting
from analysis.figures.style import SCALE, Ticks, broken, style, wrapped
from analysis.reading.runs import PARAM, Study
from analysis.searched.dimensions import is_log
from trainables.metrics import is_accuracy

_TILT_FROM = 7
_TILT, _LETTERS, _LETTERS_TILTED = 30, 16, 22
"""Degrees of names, which from 27 on plotly has begin over their axis; letters of one on a line."""
_LINES = 2
"""Of level names that end above the first ticks."""
_LINE = 32
"""Letters of the colours' title that stand along their bar."""
_BENEATH = 0.2
"""Of a setting's range, from its least value to the dash of those without one."""
_BLANKS = str.maketrans("01", " \u00a0")


class Panel(NamedTuple):
    """The trials of one trainable, or of all with the settings that their trainables share."""

    title: str
    numbers: list[str]
    coordinates: tuple[Coordinate, ...]
    colour: list[float]


def parallel_figure(study: Study) -> go.Figure | None:
    """Searched settings and objectives of the finished trials; panels of single trainables are drawn hidden."""
    panels = compute(study)
    return _draw(panels, Axis.of(study, _colour(study)).label) if panels else None


def compute(study: Study) -> tuple[Panel, ...]:
    """Panels with at least two trials and one setting that varies among them."""
    names = list(study.objectives)
    trials = study.finished
    trials = trials[np.isfinite(trials[names].to_numpy(dtype=float)).all(axis=1)]
    groups = [(str(name), group) for name, group in trials.groupby("trainable")]
    if len(groups) != 1:
        groups.insert(0, (labels.ALL_TRAINABLES, trials))
    panels = (_panel(study, title, group) for title, group in groups if len(group) > 1)
    return tuple(panel for panel in panels if len(panel.coordinates) > len(names))


def _colour(study: Study) -> str:
    """The last accuracy among the objectives, robustness as a rule; else the last objective."""
    return sorted(study.objectives, key=is_accuracy)[-1]


def _panel(study: Study, title: str, trials: pd.DataFrame) -> Panel:
    params = trials[[PARAM + name for name in study.params]]
    shared = params.notna().groupby(trials["trainable"]).any().all() & (params.nunique() > 1)
    varied = [name for name in study.params if shared[PARAM + name]]
    coordinates = [_setting(study, name, params[PARAM + name]) for name in varied]
    coordinates += [metric(study, name, trials[name]) for name in study.objectives]
    colour = _colour(study)
    numbers = trials["number"].map(labels.trial_number).tolist()
    return Panel(title, numbers, tuple(coordinates), (trials[colour] * _factor(colour)).tolist())


def _setting(study: Study, name: str, values: pd.Series[Any]) -> Coordinate:
    """Trials that do not have it, where others decide whether they do, stand at a dash beneath the least value."""
    known = values.dropna().infer_objects()
    found = setting(name, known, log=is_log(study, name))
    if len(known) == len(values):
        return found
    low, high = min(found.values), max(found.values)
    beneath = low - (1.0 if found.spaced else _BENEATH * (high - low))
    places = pd.Series(found.values, index=known.index).reindex(values.index, fill_value=beneath)
    ticks = Ticks([beneath, *found.ticks.values], [labels.ABSENT, *found.ticks.texts])
    return found._replace(values=places.tolist(), ticks=ticks)


def _factor(metric: str) -> float:
    return 100.0 if is_accuracy(metric) else 1.0


def _draw(panels: tuple[Panel, ...], colour_title: str) -> go.Figure:
    figure = go.Figure([_trace(panel, colour_title, first=panel is panels[0]) for panel in panels])
    left = 30 + 8 * max(len(text) for panel in panels for text in (*panel.coordinates[0].ticks.texts, "0.0000"))
    top = 106 if any(trace.labelangle for trace in figure.data) else 90
    return style(figure, top + 390, margin={"l": left, "r": 40, "t": top, "b": 30})


def _trace(panel: Panel, colour_title: str, first: bool) -> go.Parcoords:
    names, angle = _names([html.escape(coordinate.title) for coordinate in panel.coordinates])
    bar = {"title": {"text": broken(colour_title, _LINE), "side": "right"}, "thickness": 14, "outlinewidth": 0}
    return go.Parcoords(
        visible=first,
        ids=panel.numbers,
        meta={"panel": html.escape(panel.title)},
        dimensions=[_dimension(*named) for named in zip(panel.coordinates, names, strict=True)],
        line={"color": panel.colour, "colorscale": SCALE, "showscale": True, "colorbar": bar},
        labelangle=angle,
        labelfont={"size": 13},
        tickfont={"size": 12},
        rangefont={"size": 1, "color": "rgba(0, 0, 0, 0)"},
    )


def _names(titles: list[str]) -> tuple[list[str], int]:
    """In lines, and their angle: level where few enough stand side by side, in few enough lines."""
    names = [wrapped(title, _LETTERS) for title in titles]
    if len(names) < _TILT_FROM and all(name.count("<br>") < _LINES for name in names):
        return names, 0
    return [wrapped(title, _LETTERS_TILTED) for title in titles], -_TILT


def _dimension(coordinate: Coordinate, name: str) -> dict[str, Any]:
    low, high = min(coordinate.values), max(coordinate.values)
    pad = (high - low) * 0.03 or 0.5
    dimension: dict[str, Any] = {
        "label": name,
        "values": coordinate.values,
        "range": [low - pad, high + pad],
    }
    if coordinate.ticks.values:
        values, texts = _stops(coordinate)
        dimension |= {"tickvals": values, "ticktext": [html.escape(text) for text in texts]}
    return dimension


def _stops(coordinate: Coordinate) -> Ticks:
    """The ticks, and a blank one at each trial between or beyond them: plotly draws an axis from its first tick to its
    last, lets a drag select from tick to tick, and tells ticks apart by their texts."""
    between = sorted(set(coordinate.values) - set(coordinate.ticks.values))
    blank = [f"{count:b}".translate(_BLANKS) for count in range(len(between))]
    stops = sorted(zip([*coordinate.ticks.values, *between], [*coordinate.ticks.texts, *blank], strict=True))
    return Ticks([value for value, _ in stops], [text for _, text in stops])
