"""Training curves: the frontier's trials in colour, the others behind them in grey, and where training broke down."""

from __future__ import annotations

import html
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pandas as pd
from plotly import graph_objects as go
from plotly.subplots import make_subplots

from analysis import labels
from analysis.figures.pareto import optimal_trials
from analysis.figures.style import GREY, INK, QUALITATIVE, SCREEN_PX, broken, fitted, fitting, inked, style
from analysis.progress import epochs
from analysis.progress.breakdowns import COLLAPSE, OVERFITTING, breakdowns
from analysis.progress.so_far import PROBES
from analysis.reading.runs import Study
from trainables.metrics import PROBE_ACCURACY, PROBE_PGD_ACCURACY

_GAP = "fgsm_pgd_gap"
_LOSSES = ("train/loss_clean", "train/loss_fgsm", "train/loss_pgd")
_FITTED = ("train/loss", *_LOSSES)
_PANELS = {
    **{metric: epochs.name(metric) for metric in _FITTED},
    _GAP: "Fixed batch: PGD loss minus FGSM loss",
    **{metric: f"{epochs.name(metric)} (%)" for metric in PROBES},
    "train/learning_rate": epochs.name("train/learning_rate"),
}
_MARKS = {OVERFITTING: ("x", "#D55E00", (_GAP, PROBE_PGD_ACCURACY)), COLLAPSE: ("cross", "#882255", (PROBE_ACCURACY,))}
"""Symbol, colour and panels of each breakdown."""
_LOOKS = tuple((colour, dash) for dash in ("solid", "dash") for colour in QUALITATIVE)
"""Colour and dash of trials that are told apart; of more no eye keeps track."""
_COLUMNS = 4
_SIDES, _TICKS, _TYPE, _LEAST = 75, 54, 8, 140
"""Widths in pixels: of both margins, of ticks between two panels, of a title's letter, of the narrowest panel."""
_PANEL, _LEAST_PANEL, _BETWEEN, _LEGEND, _CLEAR = 230, 150, 95, 100, 8
"""Heights in pixels: of a panel on a screen and at least, of what stands between two, of what stands beneath the last,
of what keeps a title clear of the next panel's ticks."""
_FEW = ((5, 1), (12, 2))
"""Epochs up to which ticks are set, and how far apart: plotly's would be of half epochs."""
_MARKED_UP_TO = 20
_POINTS = 10_000
"""Of a panel, as far as that leaves each trial ``_FEWEST`` epochs: screens show no more."""
_FEWEST = 12


class Panel(NamedTuple):
    """A metric against epochs; of one ``trainable`` alone where its scale is its objective's own, else ""."""

    metric: str
    trainable: str = ""

    def shows(self, line: Line) -> bool:
        return self.trainable in ("", line.trainable)


class Line(NamedTuple):
    """Curves of one look: a trial of the frontier, or several trials of a trainable with gaps between them."""

    title: str
    trainable: str
    colour: str
    """Empty for those behind."""
    rows: pd.DataFrame
    """Columns ``trial``, ``epoch`` and the panels'."""
    dash: str = "solid"


class Breakdown(NamedTuple):
    """Where trials broke down. ``rows``: as ``Line``'s, one a trial, with its ``trainable``."""

    kind: str
    rows: pd.DataFrame


def curves_figure(study: Study, width_px: float = SCREEN_PX) -> go.Figure | None:
    """Losses, probe accuracies and learning rate against epochs, one line a trial; panels that no trial has are left
    out. Each of several trainables has panels of its own for its losses."""
    lines = compute(study)
    return _draw(lines, broken_down(study), width_px) if lines else None


def curves_by_trainable(study: Study, width_px: float = SCREEN_PX) -> dict[str, go.Figure]:
    """``curves_figure`` of each trainable by itself, for print: on paper nobody can hide the others. Empty for a study
    of one trainable."""
    lines, broken = compute(study), broken_down(study)
    names = dict.fromkeys(line.trainable for line in lines)
    return {
        name: _draw(
            tuple(line for line in lines if line.trainable == name),
            tuple(Breakdown(kind, rows[rows["trainable"] == name]) for kind, rows in broken),
            width_px,
        )
        for name in names
        if len(names) > 1
    }


def compute(study: Study) -> tuple[Line, ...]:
    """The trials that finished an epoch, thinned; those behind first, so that the frontier is drawn over them.

    Of the frontier, or of all while there is none, as many trials as there are looks have a line of their own.
    """
    curves = _with_gap(study.curves)
    best, known = optimal_trials(study), list(dict.fromkeys(curves["trial"]))
    looks = dict(zip([number for number in best or known if number in known], _LOOKS, strict=False))
    front, more = curves["trial"].isin(list(looks)), curves["trial"].isin(best)
    trainables = study.trials.set_index("number")["trainable"]
    others = _together("other trials", "", _thinned(curves[~front & ~more]), trainables)
    rest = curves[~front & more]
    further = _together(f"{rest['trial'].nunique()} more on the frontier", INK, _thinned(rest), trainables)
    own = dict(iter(_thinned(curves[front]).groupby("trial")))
    chosen = [_own(number, trainables[number], look, own[number]) for number, look in looks.items()]
    return (*others, *further, *chosen)


def _together(title: str, colour: str, rows: pd.DataFrame, trainables: pd.Series[str]) -> list[Line]:
    """One line a trainable."""
    groups = rows.groupby(rows["trial"].map(trainables))
    return [Line(title, str(name), colour, _with_breaks(its)) for name, its in groups]


def _own(number: int, trainable: str, look: tuple[str, str], rows: pd.DataFrame) -> Line:
    return Line(f"{labels.trial_number(number)} {trainable}", trainable, look[0], rows, look[1])


def broken_down(study: Study) -> tuple[Breakdown, ...]:
    """By kind, with what the panels show at that epoch."""
    owners = study.trials.set_index("number")["trainable"]
    found = breakdowns(study).merge(_with_gap(study.curves), on=["trial", "epoch"])
    found = found.assign(trainable=found["trial"].map(owners))
    return tuple(Breakdown(str(kind), rows) for kind, rows in found.groupby("kind"))


def _thinned(curves: pd.DataFrame) -> pd.DataFrame:
    """Evenly, the first and the last epoch of each trial kept."""
    most = max(_FEWEST, _POINTS // max(1, curves["trial"].nunique()))
    place, count = (curves.groupby("trial")["epoch"].transform(how) for how in ("cumcount", "size"))
    step = np.ceil(count / most)
    found: pd.DataFrame = curves[(place % step == 0) | (place == count - 1)]
    return found


def _with_breaks(rows: pd.DataFrame) -> pd.DataFrame:
    """An empty row after each trial, where a line through all of them breaks."""
    ends = rows.drop_duplicates("trial", keep="last")[["trial"]]
    return pd.concat([rows, ends]).sort_values("trial", kind="stable")


def _with_gap(curves: pd.DataFrame) -> pd.DataFrame:
    wanted = curves.reindex(columns=["trial", "epoch", *_PANELS])
    percent = {name: wanted[name] * 100 for name in PROBES}
    return wanted.assign(**{_GAP: wanted["train/loss_pgd"] - wanted["train/loss_fgsm"]}, **percent)


def _draw(lines: tuple[Line, ...], breakdowns: tuple[Breakdown, ...], width_px: float) -> go.Figure:
    """Where all are of one trainable, none is named by it."""
    if len({line.trainable for line in lines}) == 1:
        lines = tuple(line._replace(title=line.title.removesuffix(f" {line.trainable}")) for line in lines)
    shown, across = _panels(lines), width_px - _SIDES
    columns = fitting(across, _LEAST, min(_COLUMNS, len(shown)))
    places = {panel: divmod(place, columns) for place, panel in enumerate(shown)}
    bands = -(-len(shown) // columns)
    letters = int((across + _TICKS) / columns / _TYPE)
    down = bands * (max(_LEAST_PANEL, fitted(_PANEL, width_px)) + _BETWEEN) - _BETWEEN
    figure = make_subplots(
        rows=bands,
        cols=columns,
        subplot_titles=[_title(panel, letters) for panel in shown],
        vertical_spacing=_BETWEEN / down if bands > 1 else 0,
        horizontal_spacing=_TICKS / across if columns > 1 else 0,
    )
    marked = max(line.rows["epoch"].max() for line in lines) <= _MARKED_UP_TO
    for index, line in enumerate(lines):
        named = line.title not in {other.title for other in lines[:index]}
        for number, panel in enumerate(panel for panel in shown if panel.shows(line)):
            row, column = places[panel]
            trace = _trace(line, panel.metric, marked=marked, named=named and number == 0)
            figure.add_trace(trace, row=row + 1, col=column + 1)
    for breakdown in (one for one in breakdowns if len(one.rows)):
        for number, mark in enumerate(_marks(breakdown, places)):
            mark[0].showlegend = number == 0
            figure.add_trace(mark[0], row=mark[1] + 1, col=mark[2] + 1)
    _scale(figure, places, int(max(line.rows["epoch"].max() for line in lines)))
    legend = {"orientation": "h", "x": 0, "y": -70 / down, "yanchor": "top"}
    top = 30 + _CLEAR + 20 * max(note.text.count("<br>") + 1 for note in figure.layout.annotations)
    margin = {"l": 55, "r": 20, "t": top, "b": _LEGEND}
    return style(figure, round(top + down + _LEGEND), legend=legend, margin=margin)


def _panels(lines: tuple[Line, ...]) -> list[Panel]:
    """Those that have something to show: losses of each trainable where there are several, then what they share."""
    names = list(dict.fromkeys(line.trainable for line in lines))
    owners = names if len(names) > 1 else [""]
    own = [Panel(metric, name) for metrics in (_FITTED, (_GAP,)) for name in owners for metric in metrics]
    found = [*own, *(Panel(metric) for metric in _PANELS if metric not in (*_FITTED, _GAP))]
    return [panel for panel in found if any(_has(line, panel) for line in lines)] or [Panel(PROBE_ACCURACY)]


def _has(line: Line, panel: Panel) -> bool:
    return panel.shows(line) and bool(np.isfinite(line.rows[panel.metric]).any())


def _title(panel: Panel, letters: int) -> str:
    title = broken(_PANELS[panel.metric], letters)
    return f"{html.escape(panel.trainable)}<br>{title}" if panel.trainable else title


def _scale(figure: go.Figure, places: dict[Panel, tuple[int, int]], last: int) -> None:
    """The fixed batch's losses share their scale, of each trainable by itself. Epochs are named below the last panel
    of a column, and are whole."""
    figure.update_annotations(font_size=14, yshift=_CLEAR)
    figure.update_xaxes(dtick=next((step for most, step in _FEW if last <= most), None))
    for row, column in {column: (row, column) for row, column in sorted(places.values())}.values():
        figure.update_xaxes(title_text="Epoch", row=row + 1, col=column + 1)
    figure.update_yaxes(tickformat="~g")
    first: dict[str, str] = {}
    for panel, (row, column) in places.items():
        if panel.metric in _LOSSES:
            axis = figure.get_subplot(row + 1, column + 1).yaxis
            name = axis.plotly_name.replace("axis", "")
            if (other := first.setdefault(panel.trainable, name)) != name:
                axis.matches = other


def _trace(line: Line, column: str, *, marked: bool, named: bool) -> go.Scatter:
    """``meta.lines`` tells the page that ``customdata`` names the trial of each point."""
    return go.Scatter(
        name=html.escape(line.title),
        legendgroup=html.escape(line.title),
        showlegend=named,
        mode="lines+markers" if marked else "lines",
        x=line.rows["epoch"].ffill().to_numpy(dtype="uint16"),
        y=line.rows[column].to_numpy(dtype="float32"),
        customdata=line.rows["trial"].to_numpy(dtype="uint16"),
        meta={"lines": True} | (inked("line.color") if line.colour == INK else {}),
        opacity=1.0 if line.colour else 0.45,
        line={"color": line.colour or GREY, "width": 1 if line.colour in ("", INK) else 2, "dash": line.dash},
        marker={"size": 5 if line.colour else 3},
        hovertemplate=f"Trial %{{customdata:04d}} {html.escape(line.trainable)}"
        "<br>epoch %{x}: %{y:.4g}<extra></extra>",
    )


def _marks(breakdown: Breakdown, places: dict[Panel, tuple[int, int]]) -> Iterator[tuple[go.Scatter, int, int]]:
    """A trace a panel, and where that is."""
    symbol, colour, metrics = _MARKS[breakdown.kind]
    for panel, place in places.items():
        rows = breakdown.rows
        if panel.trainable:
            rows = rows[rows["trainable"] == panel.trainable]
        if panel.metric in metrics and len(rows):
            numbers = rows["trial"].map(labels.trial_number)
            mark = go.Scatter(
                name=breakdown.kind,
                legendgroup=breakdown.kind,
                mode="markers",
                x=rows["epoch"],
                y=rows[panel.metric],
                ids=numbers,
                marker={"symbol": symbol, "size": 10, "color": colour},
                hovertext="Trial " + numbers + f"<br>{breakdown.kind}",
                hoverinfo="text",
            )
            yield mark, *place
