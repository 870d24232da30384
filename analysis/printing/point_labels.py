"""Labels beside points in print: all within their plot, none over another."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from plotly import graph_objects as go

from analysis.printing.paper_type import printed_px

_BESIDE_PX, _HIGH_PX = 14.5, 18.0
"""How far from its point's middle a label begins, off an axis's numbers, and how high it reaches."""
_APART_PX = (6.5, 12.0)
"""Between two labels, and from one line to the next."""
_AT_MOST = 0.4
"""Of a plot's width or height is given to a label."""
_AFTER, _BEFORE = {"x": "right", "y": "top"}, {"x": "left", "y": "bottom"}
"""Where a label stands that reaches towards an axis's high end, and its low one."""
_AUTORANGE = 0.05
"""What plotly leaves free beyond its points, as a share of their range."""


class Scale(NamedTuple):
    """An axis from ``low`` to ``high``, in powers of ten if it is logarithmic."""

    low: float
    high: float
    log: bool

    def shares(self, values: Iterable[Any]) -> NDArray[np.float64]:
        """Where ``values`` lie: 0 at the low end, 1 at the high one; NaN where one is not drawn."""
        return (_places(values, log=self.log) - self.low) / (self.high - self.low)


def fit_labels(figure: go.Figure, size_px: tuple[float, float]) -> None:
    """Widen the axes of a plot of ``size_px`` until its points' labels lie within; of those that would lie over each
    other the first stays."""
    drawn = [trace for trace in figure.data if trace.type == "scatter" and trace.visible in (None, True)]
    labelled = [trace for trace in drawn if "text" in str(trace.mode)]
    if labelled:
        scales = [_widened(figure, name, drawn, labelled, px) for name, px in zip("xy", size_px, strict=True)]
        _thin(labelled, scales, size_px)


def _widened(figure: go.Figure, name: str, drawn: list[Any], labelled: list[Any], size_px: float) -> Scale:
    axis = figure.layout[f"{name}axis"]
    scale = _scale(axis, name, drawn)
    low, high, log = scale
    for trace in labelled:
        for place, words, text in zip(_places(trace[name], log=log), _positions(trace), trace.text, strict=True):
            if not math.isfinite(place):
                continue
            share = min((_HIGH_PX if name == "y" else _BESIDE_PX + printed_px(text)) / size_px, _AT_MOST)
            if _AFTER[name] in words:
                high = max(high, (place - share * low) / (1 - share))
            if _BEFORE[name] in words:
                low = min(low, (place - share * high) / (1 - share))
    if (low, high) != (scale.low, scale.high):
        axis.update(range=[low, high], autorange=False)
    return Scale(low, high, log)


def _positions(trace: Any) -> list[list[str]]:
    """``["top", "right"]``, where the label of each of a trace's points stands; one position may be that of all."""
    told = trace.textposition
    each = [told] * len(trace.text) if told is None or isinstance(told, str) else told
    return [str(one).split() for one in each]


def _scale(axis: Any, name: str, drawn: list[Any]) -> Scale:
    """As the plot has it, or as plotly will choose it."""
    log = axis.type == "log"
    if axis.range is not None and not axis.autorange:
        low, high = axis.range
        return Scale(low, high, log)
    places = _known(_places(np.concatenate([_reached(trace, name) for trace in drawn]), log=log)) or [0.0]
    pad = _AUTORANGE * (max(places) - min(places)) or 1.0
    return Scale(min(places) - pad, max(places) + pad, log)


def _reached(trace: Any, name: str) -> NDArray[np.float64]:
    """The values of a trace and the ends of their intervals."""
    values, error = _numbers(trace[name]), trace[f"error_{name}"]
    if not error.visible or error.array is None or error.arrayminus is None:
        return values
    return np.concatenate([values, values - _numbers(error.arrayminus), values + _numbers(error.array)])


def _places(values: Iterable[Any] | None, *, log: bool) -> NDArray[np.float64]:
    """On the axis; NaN where one is not drawn."""
    found = _numbers(values)
    return np.log10(np.where(found > 0, found, np.nan)) if log else found


def _numbers(values: Iterable[Any] | None) -> NDArray[np.float64]:
    return np.array([math.nan if value is None else value for value in (() if values is None else values)], dtype=float)


def _known(values: NDArray[np.float64]) -> list[float]:
    return [float(value) for value in values if math.isfinite(value)]


def _thin(labelled: list[Any], scales: list[Scale], size_px: tuple[float, float]) -> None:
    taken: list[tuple[float, float, float]] = []
    for trace in labelled:
        texts = []
        shares = [scale.shares(trace[name]) for scale, name in zip(scales, "xy", strict=True)]
        for x, y, text in zip(*shares, trace.text, strict=True):
            place = (x * size_px[0], y * size_px[1], printed_px(text))
            free = bool(np.isfinite(place).all()) and all(_apart(place, other) for other in taken)
            taken += [place] if free else []
            texts.append(text if free else "")
        trace.update(text=texts, cliponaxis=False)


def _apart(one: tuple[float, float, float], other: tuple[float, float, float]) -> bool:
    """Of labels by place and width in px."""
    across, between = _APART_PX
    return abs(one[0] - other[0]) > across + (one[2] + other[2]) / 2 or abs(one[1] - other[1]) > between
