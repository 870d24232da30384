"""Finished trials as marks: a symbol a trainable, hollow where a trial stands on no frontier."""

from __future__ import annotations

import html

import pandas as pd
from plotly import graph_objects as go

from analysis import labels
from analysis.figures.pareto import hovers, optimal_trials
from analysis.figures.style import GREY, QUALITATIVE, SYMBOLS, legend_entry
from analysis.frontier.confirmed import competing
from analysis.reading.runs import Study


def marks(study: Study) -> pd.DataFrame:
    """A row a finished trial, by the index of ``Study.trials``.

    ``number`` (its text), ``trainable``, ``symbol``, ``hollow`` (does not compete for the frontier), ``best`` (on
    the frontier, as ``optimal_trials`` has it), ``text`` (what its mark says).
    """
    trials = study.finished
    trainables = sorted(trials["trainable"].unique())
    symbols = {name: SYMBOLS[index % len(SYMBOLS)] for index, name in enumerate(trainables)}
    hollow = ~trials["number"].isin(competing(study)["number"])
    found = pd.DataFrame(
        {
            "number": trials["number"].map(labels.trial_number).astype(str),
            "trainable": trials["trainable"],
            "symbol": trials["trainable"].map(symbols).astype(str) + hollow.map({True: "-open", False: ""}),
            "hollow": hollow,
            "best": trials["number"].isin(optimal_trials(study)),
        }
    )
    return found.assign(text=found["number"].map(hovers(study)))


def colours(shown: pd.DataFrame) -> dict[str, str]:
    """By trainable."""
    names = sorted(map(str, shown["trainable"].unique()))
    return {name: QUALITATIVE[index % len(QUALITATIVE)] for index, name in enumerate(names)}


def explain(figure: go.Figure, shown: pd.DataFrame, colour: dict[str, str]) -> None:
    """Name the symbols in the legend, and what hollow ones mean; grey where ``colour`` names none."""
    firm = shown.assign(symbol=shown["symbol"].str.removesuffix("-open")).drop_duplicates("trainable")
    for row in firm.sort_values("trainable").itertuples():
        name = html.escape(str(row.trainable)) or "unknown trainable"
        legend_entry(figure, name, str(row.symbol), colour.get(str(row.trainable), GREY))
    if shown["hollow"].any():
        legend_entry(figure, labels.HOLLOW, "circle-open", GREY)
