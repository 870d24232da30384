"""Training curves: the frontier's trials in colour, the others behind them in grey."""

from __future__ import annotations

import html
from collections.abc import Iterator
from typing import NamedTuple

import pandas as pd
from plotly import graph_objects as go
from plotly.subplots import make_subplots

from analysis import labels
from analysis.figures.style import GREY, QUALITATIVE, menu, style
from analysis.pareto import frontier
from analysis.runs import Study
from trainables.metrics import PROBE_ACCURACY

_GAP = "fgsm_pgd_gap"
_PANELS = {
    "train/loss_clean": "Loss on a fixed batch, clean",
    "train/loss_fgsm": "… under FGSM",
    "train/loss_pgd": "… under PGD",
    _GAP: "PGD above FGSM: a jump marks<br>catastrophic overfitting",
    PROBE_ACCURACY: "Probe accuracy (%)",
    "train/learning_rate": "Learning rate",
}
_COLUMNS = 3
_MARKED_UP_TO = 20


class Line(NamedTuple):
    """Curves of one look: a trial of the frontier, or all other trials of a trainable with gaps between them."""

    title: str
    trainable: str
    colour: str
    """Empty for those behind."""
    rows: pd.DataFrame
    """Columns ``trial``, ``epoch`` and the panels'."""


def curves_figure(study: Study) -> go.Figure | None:
    """Losses, probe accuracy and learning rate against epochs, one line a trial."""
    lines = compute(study)
    return _draw(lines) if lines else None


def compute(study: Study) -> tuple[Line, ...]:
    """The trials that finished an epoch; those behind first, so that the frontier is drawn over them."""
    curves = _with_gap(study.curves)
    trainables = study.trials.set_index("number")["trainable"]
    colours = _colours(study)
    behind = curves[~curves["trial"].isin(list(colours))]
    groups = behind.groupby(behind["trial"].map(trainables))
    others = [Line("other trials", str(name), "", _with_breaks(rows)) for name, rows in groups]
    chosen = [
        Line(f"{labels.trial_number(number)} {trainables[number]}", trainables[number], colour, rows)
        for number, colour in colours.items()
        if len(rows := curves[curves["trial"] == number])
    ]
    return (*others, *chosen)


def _with_breaks(rows: pd.DataFrame) -> pd.DataFrame:
    """An empty row after each trial, where a line through all of them breaks."""
    ends = rows.drop_duplicates("trial", keep="last")[["trial"]]
    return pd.concat([rows, ends]).sort_values("trial", kind="stable")


def _with_gap(curves: pd.DataFrame) -> pd.DataFrame:
    wanted = curves.reindex(columns=["trial", "epoch", *_PANELS])
    return wanted.assign(
        **{
            _GAP: wanted["train/loss_pgd"] - wanted["train/loss_fgsm"],
            PROBE_ACCURACY: wanted[PROBE_ACCURACY] * 100,
        }
    )


def _colours(study: Study) -> dict[int, str]:
    """Of the frontier's trials, or of the first ones while there is no frontier."""
    best = frontier(study)["number"]
    chosen = best if len(best) else study.curves["trial"].drop_duplicates()
    return dict(zip(chosen.tolist(), QUALITATIVE, strict=False))


def _draw(lines: tuple[Line, ...]) -> go.Figure:
    figure = make_subplots(
        rows=2, cols=_COLUMNS, subplot_titles=list(_PANELS.values()), vertical_spacing=0.17, horizontal_spacing=0.07
    )
    marked = max(line.rows["epoch"].max() for line in lines) <= _MARKED_UP_TO
    owners: list[str] = []
    titles: set[str] = set()
    for line in lines:
        for place, trace in enumerate(_traces(line, marked, named=line.title not in titles)):
            figure.add_trace(trace, row=place // _COLUMNS + 1, col=place % _COLUMNS + 1)
            owners.append(line.trainable)
        titles.add(line.title)
    figure.update_annotations(font_size=14)
    figure.update_xaxes(title_text="Epoch", row=2)
    figure.update_yaxes(tickformat="~g")
    figure.update_yaxes(matches="y", col=2, row=1)
    figure.update_yaxes(matches="y", col=3, row=1)
    return _finish(figure, owners)


def _finish(figure: go.Figure, owners: list[str]) -> go.Figure:
    trainables = sorted(set(owners))
    if len(trainables) > 1:
        choices = [(labels.ALL_TRAINABLES, [True] * len(owners))]
        choices += [(html.escape(name) or "unknown", [owner == name for owner in owners]) for name in trainables]
        figure.update_layout(updatemenus=menu(choices, above=45))
    legend = {"orientation": "h", "x": 0, "y": -0.12, "yanchor": "top"}
    return style(
        figure, 680, legend=legend, margin={"l": 60, "r": 20, "t": 110 if len(trainables) > 1 else 60, "b": 90}
    )


def _traces(line: Line, marked: bool, named: bool) -> Iterator[go.Scatter]:
    """A trace a panel; the legend names each title once."""
    who = f"Trial %{{customdata}} {html.escape(line.trainable)}"
    for column in _PANELS:
        yield go.Scatter(
            name=html.escape(line.title),
            legendgroup=html.escape(line.title),
            showlegend=named and column == next(iter(_PANELS)),
            mode="lines+markers" if marked else "lines",
            x=line.rows["epoch"],
            y=line.rows[column],
            customdata=line.rows["trial"].map(labels.trial_number),
            opacity=1.0 if line.colour else 0.45,
            line={"color": line.colour or GREY, "width": 2 if line.colour else 1},
            marker={"size": 5 if line.colour else 3},
            hovertemplate=who + "<br>epoch %{x}: %{y:.4g}<extra></extra>",
        )
