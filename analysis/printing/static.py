"""Figures as papers want them: on white, one for each choice of a menu, in the type of a caption, the legend
beneath."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Mapping
from typing import Any

import numpy as np
from plotly import graph_objects as go

from analysis.figures.style import SCREEN_PX, choices
from analysis.printing.headings import headings
from analysis.printing.legend import break_legend, place_legend
from analysis.printing.paper_type import LETTER_PX, TYPE_PX, printed_px
from analysis.printing.point_labels import Scale, fit_labels

PX_PER_MM = 96 / 25.4
_DRAWN_TYPE_PX = 14
_SCALE = TYPE_PX / _DRAWN_TYPE_PX
"""Marks, lines and margins shrink as the type does, so that they keep their proportions."""
_LINE_PX = 1.6 * TYPE_PX
_BAR_PX = 100
"""A bar of colours at the right of a wide plot, with its ticks and title, at most."""
_COORDINATE_PX = 18 * PX_PER_MM
"""From one parallel coordinate to the next: closer ones cannot be read."""
_NARROW_PX = 120 * PX_PER_MM
_FONT = "Arial, Helvetica, 'Liberation Sans', sans-serif"
_GRID = "#dcdfe4"


def laid_out_px(width_px: float) -> float:
    """Of a page ``width_px`` wide the width in the type that figures are laid out in (``style.SCREEN_PX``)."""
    return width_px / _SCALE


def papers(figures: Mapping[str, go.Figure], width_px: float) -> dict[str, go.Figure]:
    """``figures`` as ``paper`` has them by name, and as ``NAME-CHOICE`` by the further choices of a menu."""
    return {
        name + suffix: paper(view, width_px)
        for name, figure in figures.items()
        for suffix, view in _views(figure).items()
    }


def paper(figure: go.Figure, width_px: float) -> go.Figure:
    """A copy of ``figure``, laid out for ``laid_out_px``, to be read at ``width_px``, or at what its parallel
    coordinates need if that is more.

    Its menu is gone; it shows what that shows first.
    """
    made, width = go.Figure(figure), max(width_px, _least(figure))
    made.layout.updatemenus = ()
    drawn = figure.layout.margin
    right = _beside(made, drawn)
    _shrink(made, width)
    bars = any(bar.orientation != "h" for bar in _colour_bars(made))
    beneath = break_legend(made, width - right - bars * _BAR_PX)
    plot = (figure.layout.height - drawn.t - drawn.b) * max(_SCALE, min(1.0, width / SCREEN_PX))
    plot = min(plot, 0.8 * width) if _single(figure) else plot
    margin = {"l": drawn.l * _SCALE, "r": right, "t": _above(made), "b": _under(made) + beneath}
    if _over(made):
        _name_beneath(made)
    for trace in _parallel(made):
        margin |= _headed(trace, width - margin["l"], margin)
    made.update_layout(
        width=round(width),
        height=round(plot + margin["t"] + margin["b"]),
        margin=margin,
        paper_bgcolor="white",
        plot_bgcolor="white",
        font={"family": _FONT, "size": TYPE_PX, "color": "black"},
    )
    across = width - margin["l"] - margin["r"]
    place_legend(made, 0.98 * margin["l"] / across, (margin["b"] - beneath) / plot)
    fit_labels(made, (across, plot))
    for axis in made.select_xaxes():
        _thin_ticks(axis, across)
    return made


def _views(figure: go.Figure) -> dict[str, go.Figure]:
    """By what is added to the name: ``figure`` itself, and what it shows by the further choices of its menu."""
    found = {"": figure}
    for choice in choices(figure)[1:]:
        view = go.Figure(figure)
        for trace, visible in zip(view.data, choice.visible, strict=False):
            trace.visible = visible
        view.update_layout({key.replace(".", "_"): value for key, value in choice.layout.items()})
        found[f"-{re.sub(r'[^A-Za-z0-9_.]+', '-', choice.label).strip('-')}"] = view
    return found


def _least(figure: go.Figure) -> float:
    """What its parallel coordinates need."""
    return _COORDINATE_PX * max((len(trace.dimensions) for trace in _parallel(figure)), default=0)


def _single(figure: go.Figure) -> bool:
    """Whether it is one plot, of no panels or coordinates."""
    return not _parallel(figure) and len(list(figure.select_xaxes())) <= 1


def _parallel(figure: go.Figure) -> list[Any]:
    """Those that are shown."""
    return [trace for trace in figure.data if trace.type == "parcoords" and trace.visible in (None, True)]


def _above(figure: go.Figure) -> float:
    """For titles and colour bars over the plot."""
    titles = [str(note.text) for note in figure.layout.annotations if note.yref == "paper" and (note.y or 0) >= 1]
    lines = max((text.count("<br>") + 1 for text in titles), default=0)
    lifted = max((note.yshift or 0 for note in figure.layout.annotations), default=0)
    return 12 + lifted * _SCALE + (lines + _deepest(_over(figure))) * _LINE_PX


def _over(figure: go.Figure) -> list[Any]:
    """Colour bars over the plot."""
    return [bar for bar in _colour_bars(figure) if bar.orientation == "h" and (bar.y or 0) >= 1]


def _under(figure: go.Figure) -> float:
    """For an axis's ticks and title, and for colour bars beneath the plot."""
    beneath = [bar for bar in _colour_bars(figure) if bar.orientation == "h" and (bar.y or 0) < 0]
    axes = [axis for axis in figure.select_xaxes() if axis.title.text and axis.visible is not False]
    more = max((str(axis.title.text).count("<br>") * _LINE_PX + _upright(axis) for axis in axes), default=0)
    return 50 * _SCALE + more + _deepest(beneath) * _LINE_PX


def _upright(axis: Any) -> float:
    """What ticks that stand on end take beyond a line."""
    return max(map(printed_px, axis.ticktext), default=0) if axis.tickangle == 90 and axis.ticktext else 0


def _name_beneath(figure: go.Figure) -> None:
    """The names of horizontal axes beneath their ticks; plotly's own stand among these where colour bars are above."""
    for axis in figure.select_xaxes():
        if axis.title.text and axis.visible is not False:
            letter = axis.plotly_name.replace("axis", "")
            place = {"x": 0.5, "xref": f"{letter} domain", "y": 0, "yref": f"{axis.anchor or 'y'} domain"}
            beneath = {"yanchor": "top", "yshift": -1.1 * _LINE_PX, "font": {"size": TYPE_PX}}
            figure.add_annotation(text=axis.title.text, showarrow=False, **place, **beneath)
            axis.title.text = None


def _deepest(bars: list[Any]) -> float:
    """Lines that the tallest of colour bars takes with its title and ticks."""
    return max((str(bar.title.text).count("<br>") + 3.5 for bar in bars), default=0)


def _headed(trace: Any, across: float, margin: dict[str, float]) -> dict[str, float]:
    """Gives parallel coordinates their names; the margins that these need."""
    named = headings([dimension.label.replace("<br>", " ") for dimension in trace.dimensions], across, margin["r"])
    for dimension, text in zip(trace.dimensions, named.texts, strict=True):
        dimension.label = text
    trace.labelangle = -named.angle
    return {"t": max(margin["t"], named.above), "r": named.beside}


def _beside(figure: go.Figure, drawn: go.layout.Margin) -> float:
    return 24 * _SCALE + (70 * _SCALE if _parallel(figure) else drawn.r * _SCALE)


def _colour_bars(figure: go.Figure) -> list[Any]:
    """That are shown, of colour axes and of parallel coordinates."""
    names = [name for name in figure.layout.to_plotly_json() if name.startswith("coloraxis")]
    owners = [figure.layout[name] for name in names] + [trace.line for trace in _parallel(figure)]
    return [owner.colorbar for owner in owners if owner.showscale is not False]


def _shrink(figure: go.Figure, width_px: float) -> None:
    """Type, marks and lines of everything that sets its own."""
    size = {"size": TYPE_PX}
    if text := str(figure.layout.title.text or ""):
        _set_beneath(figure, text, int(0.75 * width_px / LETTER_PX))
    figure.update_annotations(font_size=TYPE_PX)
    figure.update_shapes(label_font_size=TYPE_PX)
    figure.update_xaxes(gridcolor=_GRID, title_font=size)
    figure.update_yaxes(gridcolor=_GRID, title_font=size)
    for bar in _colour_bars(figure):
        _shrink_bar(bar, width_px, beneath=bool(_parallel(figure)))
    for trace in figure.data:
        _shrink_trace(trace)


def _set_beneath(figure: go.Figure, title: str, letters: int) -> None:
    """The title at the plot's head, in lines that fit; plotly's own would be cut off at the page's edge."""
    text = "<br>".join(textwrap.wrap(title.replace("<br>", " "), letters))
    figure.layout.title = None
    place = {"x": 0, "xref": "paper", "xanchor": "left", "y": 1, "yref": "paper", "yanchor": "bottom"}
    figure.add_annotation(text=text, align="left", showarrow=False, **place)


def _shrink_bar(bar: Any, width_px: float, *, beneath: bool) -> None:
    """One beside a narrow plot is laid over it, or beneath what has names over it."""
    bar.update(thickness=12 * _SCALE, title_font_size=TYPE_PX, tickfont_size=TYPE_PX)
    if bar.orientation != "h" and width_px < _NARROW_PX:
        place = {"y": -0.04, "yanchor": "top"} if beneath else {"y": 1.02, "yanchor": "bottom"}
        _thin(bar, 0.7 * width_px)
        bar.update(orientation="h", len=1, ypad=0, tickangle=0, x=0.5, xanchor="center", title_side="top", **place)


def _thin(bar: Any, across_px: float) -> None:
    """Every other tick left out, or more, until those of a bar that lies have room side by side."""
    values, texts = bar.tickvals or (), bar.ticktext or ()
    for every in range(1, len(texts)):
        if sum(printed_px(text) + 2 * LETTER_PX for text in texts[::every]) <= across_px:
            bar.update(tickvals=values[::every], ticktext=texts[::every])
            return


def _thin_ticks(axis: Any, across_px: float) -> None:
    """The same of an axis whose range is known; plotly would stand them on end."""
    if not axis.ticktext or axis.range is None or axis.tickangle is not None:
        return
    left, right = axis.domain or (0, 1)
    low, high = axis.range
    places = Scale(low, high, axis.type == "log").shares(axis.tickvals) * (right - left) * across_px
    widths = np.array([printed_px(text) + 2 * LETTER_PX for text in axis.ticktext])
    for every in range(1, len(places)):
        if (np.diff(places[::every]) >= (widths[::every][1:] + widths[::every][:-1]) / 2).all():
            axis.update(tickvals=axis.tickvals[::every], ticktext=axis.ticktext[::every], tickangle=0)
            return


def _shrink_trace(trace: Any) -> None:
    if trace.type == "parcoords":
        trace.update(dict.fromkeys(("labelfont_size", "tickfont_size", "rangefont_size"), TYPE_PX))
    for name in ("marker_size", "marker_line_width", "line_width", "textfont_size"):
        try:
            value = trace[name]
        except (ValueError, KeyError, TypeError):  # this kind of trace has none
            continue
        if isinstance(value, int | float):
            trace[name] = value * _SCALE
