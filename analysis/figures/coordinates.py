"""Searched settings and metrics as places along an axis, with what stands at its ticks."""

from __future__ import annotations

import html
import itertools
import math
from typing import Any, NamedTuple

import pandas as pd

from analysis import labels
from analysis.figures.style import Ticks, apart, even_ticks, log_ticks, spans_a_decade
from analysis.reading.runs import Study
from analysis.reading.titles import metric_title
from analysis.searched.dimensions import is_numeric
from trainables.metrics import is_accuracy

_FEW = 7


class Coordinate(NamedTuple):
    """An axis: where each trial lies on it, and its ticks."""

    title: str
    values: list[float]
    ticks: Ticks
    spaced: bool = False
    """Whether values are the numbers of categories."""

    @property
    def range(self) -> list[float]:
        """With room for a mark at either end, or for all of a category."""
        low, high = min(self.values), max(self.values)
        pad = 0.5 if self.spaced else (high - low) * 0.06 or 0.5
        return [low - pad, high + pad]

    @property
    def ticked(self) -> dict[str, Any]:
        """An axis's settings for its ticks, escaped; the plot's own choice where there are none."""
        if not self.ticks.values:
            return {"tickmode": "auto"}
        texts = [html.escape(text) for text in self.ticks.texts]
        return {"tickmode": "array", "tickvals": self.ticks.values, "ticktext": texts}


def setting(name: str, values: pd.Series[Any], *, choices: bool = False, log: bool = False) -> Coordinate:
    """Numbers to scale, radii in pixel levels; names, and numbers that are ``choices``, evenly spaced in order.

    ``log``: they are searched by their logarithms, and so shown.
    """
    if choices or not is_numeric(values):
        return _spaced(name, values)
    if labels.is_length(name):
        return scaled(f"{name} (/255)", values * 255, log=log)
    return scaled(name, values, log=log)


def metric(study: Study, name: str, values: pd.Series[float]) -> Coordinate:
    """Accuracies in percent, costs to scale."""
    title = metric_title(name, study)
    if is_accuracy(name):
        return Coordinate(f"{title} (%)", (values * 100).tolist(), Ticks([], []))
    return scaled(title, values)


def scaled(title: str, values: pd.Series[float], *, log: bool = False) -> Coordinate:
    """Logarithms where that is asked for and can be, or the values span more than a decade."""
    distinct = sorted(values.unique())
    log = (log and distinct[0] > 0) or spans_a_decade(distinct)
    places = values.map(math.log10) if log else values
    marks = sorted(places.unique())
    if _recur(distinct, len(values)) and _apart(marks):
        ticks = Ticks(marks, apart(distinct))
    else:
        ticks = log_ticks(distinct) if log else even_ticks(distinct)
    return Coordinate(title, places.astype(float).tolist(), ticks)


def _spaced(name: str, values: pd.Series[Any]) -> Coordinate:
    shown = values.map(lambda value: labels.plain_text(value) if isinstance(value, bool | str) else value)
    distinct = sorted(shown.unique(), key=lambda value: (not isinstance(value, str), value))  # null before numbers
    places = shown.map(distinct.index)
    ticks = Ticks([*map(float, range(len(distinct)))], [labels.param(name, value) for value in distinct])
    return Coordinate(name, places.astype(float).tolist(), ticks, spaced=True)


def _recur(distinct: list[float], count: int) -> bool:
    """Whether ``count`` values are few ``distinct`` ones, as of a list of choices, and not draws from a range."""
    return (
        len(distinct) <= 3 or all(math.isclose(value, round(value)) for value in distinct) or 2 * len(distinct) <= count
    )


def _apart(marks: list[float]) -> bool:
    """Whether there is room to write at every one of ``marks``."""
    gaps = [after - before for before, after in itertools.pairwise(marks)]
    return len(marks) <= _FEW and min(gaps, default=0.0) > 0.06 * (marks[-1] - marks[0])
