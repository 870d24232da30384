"""What all plots share: colours that the colour-blind tell apart, type, scales and menus."""

from __future__ import annotations

import html
import itertools
import math
import textwrap
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from plotly import graph_objects as go
from plotly.colors import sample_colorscale

from analysis import labels

SCALE = sample_colorscale("Plasma", [0.05 + 0.059 * step for step in range(11)])
"""Perceptually even and safe for the colour-blind; the part that stands out on white, at a contrast of 3."""
SCALE_ON_DARK = sample_colorscale("Plasma", [0.4 + 0.06 * step for step in range(11)])
"""Likewise on the page's dark ground, which lays it over ``SCALE``."""
QUALITATIVE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#882255")
"""Okabe and Ito's colours; their yellow, too pale on white, replaced by Tol's wine."""
SYMBOLS = ("circle", "square", "diamond", "triangle-up", "pentagon", "star", "hexagon", "triangle-down")
GREY = "#8a8f98"
INK = "#1f2430"
_FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"
SCREEN_PX = 1000.0
"""The width that figures are laid out for; a narrower page, in the same type, has fewer panels side by side."""
MENU_PX = 30
"""Of a figure's upper margin that a menu takes."""
TITLE_PX = 50
"""The same of a title."""
_DECADE = 10.0
_GRID = "rgba(128, 134, 145, 0.25)"


class Ticks(NamedTuple):
    """Places on an axis and what stands there; empty leaves the choice to the plot."""

    values: list[float]
    texts: list[str]


class Choice(NamedTuple):
    """An entry of a menu. ``label``: plain text; ``visible``: of each trace, empty where they stay as they are;
    ``layout``: what changes of it."""

    label: str
    visible: list[bool]
    layout: dict[str, Any]


def spans_a_decade(values: Iterable[float]) -> bool:
    """Whether a logarithmic scale shows ``values`` better."""
    sound = [value for value in values if math.isfinite(value)]
    return bool(sound) and min(sound) > 0 and max(sound) / min(sound) > _DECADE


def log_ticks(values: Iterable[float]) -> Ticks:
    """1, 2 and 5 of each power of ten over the range of positive ``values``, or of an even scale where they lie between
    two of those; placed at their logarithms."""
    sound = [value for value in values if math.isfinite(value)]
    logs = np.log10(np.asarray(sound))
    low, high = float(logs.min()), float(logs.max())
    steps = (1, 2, 5) if high - low < 3 else (1,)
    marks = [step * 10.0**power for power in range(math.floor(low), math.ceil(high) + 1) for step in steps]
    inside = [mark for mark in marks if low - 0.05 <= math.log10(mark) <= high + 0.05]
    marked = Ticks(inside, [labels.cost(mark) for mark in inside]) if len(inside) > 1 else even_ticks(sound)
    return marked._replace(values=[math.log10(mark) for mark in marked.values])


def even_ticks(values: Iterable[float], most: int = 7) -> Ticks:
    """Round numbers, at most ``most``, over the range of ``values``; none where there is no range."""
    sound = [value for value in values if math.isfinite(value)]
    span = max(sound, default=0.0) - min(sound, default=0.0)
    if span <= 0:
        return Ticks([], [])
    steps = most - 1
    power = 10.0 ** math.floor(math.log10(span / steps))
    step = next(power * factor for factor in (1, 2, 5, 10) if span <= steps * power * factor)
    marks = [step * count for count in range(math.ceil(min(sound) / step), math.floor(max(sound) / step) + 1)]
    return Ticks(marks, apart(marks))


def apart(marks: Sequence[float]) -> list[str]:
    """What stands at ``marks``, in order of size: all with as many digits as it takes for the gaps to be right."""
    nearest = min((after - before for before, after in itertools.pairwise(marks)), default=math.inf)
    digits = next((digits for digits in range(3, 16) if all(_off(mark, digits) <= nearest / 100 for mark in marks)), 16)
    return [labels.cost(mark, digits) for mark in marks]


def _off(mark: float, digits: int) -> float:
    """By how much ``mark`` is off that is written with so many digits."""
    return abs(float(f"{mark:.{digits}g}") - mark)


def colour_axis(values: NDArray[np.float64], title: str, *, log: bool) -> tuple[NDArray[np.float64], dict[str, Any]]:
    """``values`` as they are to be coloured, by their logarithms or as they are, and their colour axis."""
    ticks = log_ticks(values) if log else even_ticks(values)
    bar: dict[str, Any] = {"title": {"text": title, "side": "right"}, "thickness": 14, "outlinewidth": 0, "len": 0.9}
    if ticks.values:
        bar |= {"tickvals": ticks.values, "ticktext": ticks.texts}
    return np.log10(values) if log else values, {"colorscale": SCALE, "colorbar": bar, "showscale": bool(ticks.values)}


def style(figure: go.Figure, height: int, **layout: Any) -> go.Figure:
    """Type, margins and quiet axes; the page's colours are laid over these when it is shown."""
    figure.update_layout(
        template="none",
        height=height,
        font={"family": _FONT, "size": 14, "color": INK},
        paper_bgcolor="rgba(255, 255, 255, 0)",
        plot_bgcolor="rgba(255, 255, 255, 0)",
        hoverlabel={"align": "left", "font": {"size": 13}},
        **{"margin": {"l": 70, "r": 20, "t": 60, "b": 60}} | layout,
    )
    figure.update_xaxes(gridcolor=_GRID, zeroline=False, automargin=True, title_standoff=12)
    figure.update_yaxes(gridcolor=_GRID, zeroline=False, automargin=True, title_standoff=12)
    return figure


def fitting(across_px: float, least_px: float, most: int) -> int:
    """How many panels stand side by side in ``across_px``, each at least ``least_px`` wide."""
    return max(1, min(most, int(across_px // least_px)))


def fitted(height_px: float, width_px: float) -> float:
    """The height of a panel that is ``height_px`` high on a screen; lower on a narrow page, but half of it at least."""
    return height_px * min(1.0, max(0.5, width_px / SCREEN_PX))


def broken(title: str, fits: int = 24) -> str:
    """``title`` over two lines, at the space nearest to its middle, where it has more than ``fits`` letters."""
    spaces = [place for place, letter in enumerate(title) if letter == " "]
    if len(title) <= fits or not spaces:
        return title
    middle = min(spaces, key=lambda place: abs(place - len(title) / 2))
    return f"{title[:middle]}<br>{title[middle + 1 :]}"


def wrapped(title: str, fits: int) -> str:
    """``title`` over as few lines of at most ``fits`` letters as it takes, all about as long; a word is
    parted, at a hyphen, only where it is longer than a line."""
    hyphens = max(map(len, title.split()), default=0) > fits
    wraps = [
        textwrap.wrap(title, width, break_long_words=False, break_on_hyphens=hyphens) for width in range(1, fits + 1)
    ]
    return "<br>".join(next(lines for lines in wraps if len(lines) <= len(wraps[-1])))


def inked(path: str) -> dict[str, str]:
    """A trace's ``meta`` that asks the page to draw ``path``, a colour, as it draws its text."""
    return {"ink": path}


def menu(offered: Sequence[Choice], above: int) -> list[dict[str, Any]]:
    """A drop-down, ``above`` pixels over the plot."""
    place = {"x": 0, "xanchor": "left", "y": 1, "yanchor": "bottom", "pad": {"b": above}}
    return [{"buttons": [_button(one) for one in offered], "showactive": True, **place}]


def choices(figure: go.Figure) -> list[Choice]:
    """What the menu of ``figure`` offers, first what is shown already; nothing where it has none."""
    return [_choice(button) for drop_down in figure.layout.updatemenus for button in drop_down.buttons]


def legend_entry(figure: go.Figure, name: str, symbol: str, colour: str, **trace: Any) -> None:
    """A mark that stands in the legend alone; ``name`` is escaped already."""
    marker = {"symbol": symbol, "color": colour, "size": 11}
    figure.add_scatter(name=name, mode="markers", x=[None], y=[None], marker=marker, **trace)


def _button(offered: Choice) -> dict[str, Any]:
    label = html.escape(offered.label)
    if not offered.visible:
        return {"label": label, "method": "relayout", "args": [offered.layout]}
    return {"label": label, "method": "update", "args": [{"visible": offered.visible}, offered.layout]}


def _choice(button: Any) -> Choice:
    *traces, layout = button.args
    return Choice(html.unescape(button.label), list(traces[0]["visible"]) if traces else [], layout)
