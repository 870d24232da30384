"""Labels beside points in print: within their plot, none over another, each nearest to its own point."""

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
_CORNER_PX, _LETTERS_PX = 7.0, 9.0
"""From its point's middle to a label's nearest corner, both ways, and how high its letters are."""
_BETWEEN_PX = 3.0
"""At least, between two labels."""
_OWN_PX = 1.5 * _CORNER_PX
"""From a label to its own point, a little more than it is: no other mark may be nearer."""
_CORNERS = ("top right", "top left", "bottom right", "bottom left")
_CLEAR_PX = 1.0
"""At least, between a label and the middle of a mark, or a bar that would strike it through."""
_BAR, _MARK = 2, 1
"""How much a bar, and a mark that is nearer than its own, speak against a label's place."""
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
    """Widen the axes of a plot of ``size_px`` until its points' labels lie within, and set each at the corner of its
    point that is freest. Of those that would lie over each other the first stays; one that would lie over a mark,
    or nearer to another labelled point, is left out."""
    drawn = [trace for trace in figure.data if trace.type == "scatter" and trace.visible in (None, True)]
    labelled = [trace for trace in drawn if "text" in str(trace.mode)]
    if labelled:
        scales = [_widened(figure, name, drawn, labelled, px) for name, px in zip("xy", size_px, strict=True)]
        _place(labelled, _obstacles(drawn, labelled, scales, size_px), scales, size_px)


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
    told = trace.textposition or _CORNERS[0]
    each = [told] * len(trace.text) if isinstance(told, str) else told
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


class _Box(NamedTuple):
    """In px from the plot's lower left corner."""

    left: float
    right: float
    low: float
    high: float

    def distance(self, other: _Box) -> float:
        return math.hypot(
            max(0.0, other.left - self.right, self.left - other.right),
            max(0.0, other.low - self.high, self.low - other.high),
        )


class _Obstacles(NamedTuple):
    """``named``: the marks that have labels; ``marks``: the others; ``bars``: the intervals."""

    named: list[_Box]
    marks: list[_Box]
    bars: list[_Box]

    def against(self, label: _Box) -> int:
        struck = sum(label.distance(bar) < _CLEAR_PX for bar in self.bars)
        return _BAR * struck + _MARK * sum(label.distance(mark) < _OWN_PX for mark in self.marks)

    def allow(self, label: _Box, own: _Box) -> bool:
        """Whether it can be read, and is not read as that of another mark that has one."""
        return not any(mark != own and label.distance(mark) < _OWN_PX for mark in self.named) and not any(
            label.distance(mark) < _CLEAR_PX for mark in self.marks
        )


def _obstacles(drawn: list[Any], labelled: list[Any], scales: list[Scale], size_px: tuple[float, float]) -> _Obstacles:
    marked = [trace for trace in drawn if "markers" in str(trace.mode)]
    named = [box for trace in labelled for box in _points(trace, scales, size_px)]
    marks = [box for trace in marked if "text" not in trace.mode for box in _points(trace, scales, size_px)]
    bars = [bar for trace in marked for bar in _bars(trace, scales, size_px)]
    return _Obstacles(*([one for one in boxes if _is_drawn(one)] for boxes in (named, marks, bars)))


def _is_drawn(box: _Box) -> bool:
    return all(map(math.isfinite, box))


def _points(trace: Any, scales: list[Scale], size_px: tuple[float, float]) -> list[_Box]:
    """NaN where one is not drawn."""
    xs, ys = (scale.shares(trace[name]) * px for scale, name, px in zip(scales, "xy", size_px, strict=True))
    return [_Box(x, x, y, y) for x, y in zip(xs, ys, strict=True)]


def _bars(trace: Any, scales: list[Scale], size_px: tuple[float, float]) -> list[_Box]:
    found = []
    for axis, (name, scale, px) in enumerate(zip("xy", scales, size_px, strict=True)):
        error = trace[f"error_{name}"]
        if not error.visible or error.array is None or error.arrayminus is None:
            continue
        values = _numbers(trace[name])
        reached = (values - _numbers(error.arrayminus), values + _numbers(error.array))
        ends = (scale.shares(each) * px for each in reached)
        for point, low, high in zip(_points(trace, scales, size_px), *ends, strict=True):
            found.append(point._replace(low=low, high=high) if axis else point._replace(left=low, right=high))
    return found


def _place(labelled: list[Any], obstacles: _Obstacles, scales: list[Scale], size_px: tuple[float, float]) -> None:
    taken: list[_Box] = []
    for trace in labelled:
        texts, positions = [], []
        for point, text, words in zip(_points(trace, scales, size_px), trace.text, _positions(trace), strict=True):
            found = _freest(point, str(text), " ".join(words), taken, obstacles, size_px)
            texts.append(text if found else "")
            positions.append(found[0] if found else " ".join(words))
            taken += [found[1]] if found else []
        trace.update(text=texts, textposition=positions, cliponaxis=False)


def _freest(
    point: _Box, text: str, wanted: str, taken: list[_Box], obstacles: _Obstacles, size_px: tuple[float, float]
) -> tuple[str, _Box] | None:
    """The position and its box, ``wanted`` where no other is freer; ``None`` where none is free."""
    if not _is_drawn(point):
        return None
    page = _Box(0, size_px[0], 0, size_px[1])
    boxes = {corner: _label(point, text, corner) for corner in dict.fromkeys((wanted, *_CORNERS))}
    free = {
        corner: box
        for corner, box in boxes.items()
        if all(box.distance(other) > _BETWEEN_PX for other in taken)
        and obstacles.allow(box, point)
        and (corner == wanted or _within(box, page))
    }
    return min(free.items(), key=lambda one: obstacles.against(one[1]), default=None)


def _label(point: _Box, text: str, corner: str) -> _Box:
    left = point.left - _CORNER_PX - printed_px(text) if _BEFORE["x"] in corner else point.left + _CORNER_PX
    low = point.low - _CORNER_PX - _LETTERS_PX if _BEFORE["y"] in corner else point.low + _CORNER_PX
    return _Box(left, left + printed_px(text), low, low + _LETTERS_PX)


def _within(box: _Box, page: _Box) -> bool:
    return page.left <= box.left and box.right <= page.right and page.low <= box.low and box.high <= page.high
