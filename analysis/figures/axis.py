"""A metric as an axis: where values lie on it, and how far their intervals reach."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analysis.figures.style import GREY, Ticks, apart, broken, even_ticks, log_ticks, spans_a_decade
from analysis.reading.runs import Study
from analysis.reading.titles import metric_title
from trainables.metrics import ENDS, Direction, direction, is_accuracy

_TITLE = 40
"""Letters of a title that fit on a line."""


class Axis(NamedTuple):
    """A metric as an axis or a colour: accuracies are drawn in percent."""

    metric: str
    title: str
    direction: Direction

    @classmethod
    def of(cls, study: Study, name: str) -> Axis:
        return cls(name, metric_title(name, study), direction(name))

    @property
    def factor(self) -> float:
        return 100.0 if is_accuracy(self.metric) else 1.0

    @property
    def label(self) -> str:
        return f"{self.title} (%)" if is_accuracy(self.metric) else self.title

    def is_log(self, values: pd.Series[float]) -> bool:
        """Whether it shows ``values`` better by their logarithms."""
        return not is_accuracy(self.metric) and spans_a_decade(values)

    def layout(self, values: pd.Series[float]) -> dict[str, Any]:
        """Title and scale of an axis that shows ``values``."""
        scale = {"type": "log" if self.is_log(values) else "linear"}
        return {"title": broken(self.label, _TITLE)} | scale | self.ticked(values)

    def ticked(self, values: pd.Series[float]) -> dict[str, Any]:
        """Ticks where ``values`` are in sight, spelled as costs are everywhere; plotly's own of accuracies."""
        if is_accuracy(self.metric):
            return {}
        distinct = sorted(set(values))
        ticks = self._ticks(values) if len(distinct) > 1 else Ticks(distinct, apart(distinct))
        return {"tickvals": ticks.values, "ticktext": ticks.texts} if ticks.values else {}

    def _ticks(self, values: pd.Series[float]) -> Ticks:
        if not self.is_log(values):
            return even_ticks(values)
        ticks = log_ticks(values)
        return ticks._replace(values=[10.0**place for place in ticks.values])


def ticks_of(axes: Sequence[Axis], points: pd.DataFrame) -> dict[str, Any]:
    """Of both ``axes`` where ``positions`` ``points`` are in sight, as changes of a layout."""
    return {
        f"{name}axis.{key}": value
        for name, axis in zip("xy", axes, strict=True)
        for key, value in axis.ticked(points[name]).items()
    }


def positions(found: pd.DataFrame, x: Axis, y: Axis) -> pd.DataFrame:
    """``x`` and ``y`` of the rows of ``found``, which holds both metrics, and their distances ``x_minus``, ``x_plus``,
    ``y_minus``, ``y_plus`` to the ends of their intervals, NaN where these are not known."""
    columns: dict[str, pd.Series[float]] = {}
    for name, axis in (("x", x), ("y", y)):
        middle, low, high = (_column(found, f"{axis.metric}{end}") * axis.factor for end in ENDS)
        columns |= {name: middle, f"{name}_minus": middle - low, f"{name}_plus": high - middle}
    return pd.DataFrame(columns)


def bars(points: pd.DataFrame) -> dict[str, dict[str, Any]]:
    """A trace's error bars, of ``positions`` with a known interval."""
    return {f"error_{name}": _bar(points[f"{name}_minus"], points[f"{name}_plus"]) for name in ("x", "y")}


def ends(points: pd.DataFrame) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(n, 2) each: where the bars of ``positions`` end."""
    middle = points[["x", "y"]].to_numpy(dtype=float)
    down, up = (points[[f"x_{way}", f"y_{way}"]].fillna(0).to_numpy(dtype=float) for way in ("minus", "plus"))
    return middle - down, middle + up


def _column(found: pd.DataFrame, name: str) -> pd.Series[float]:
    return found[name] if name in found else pd.Series(np.nan, index=found.index)


def _bar(minus: pd.Series[float], plus: pd.Series[float]) -> dict[str, Any]:
    return {
        "type": "data",
        "visible": bool(plus.notna().any()),
        "symmetric": False,
        "array": plus,
        "arrayminus": minus,
        "thickness": 1,
        "width": 3,
        "color": GREY,
    }
