"""Views of a plane: what matters first, everything by a menu."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from plotly import graph_objects as go

from analysis.figures.style import Choice, menu

MARGIN = 0.06
"""Room beside what is shown, as a share of its range."""
EVERYTHING: tuple[str, dict[str, Any]] = ("all trials", {"xaxis.autorange": True, "yaxis.autorange": True})
_FENCE = 1.5
"""Interquartile ranges from the nearer quartile beyond which Tukey calls a value an outlier."""


def with_views(figure: go.Figure, views: Sequence[tuple[str, dict[str, Any]]]) -> go.Figure:
    """With the first of ``views`` (label, changes of the layout), and a menu where there are several."""
    if len(views) > 1:
        menus = menu([Choice(text, [], layout) for text, layout in views], above=10)
        figure.update_layout(updatemenus=menus, **{name.replace(".", "_"): span for name, span in views[0][1].items()})
    return figure


def ranges(shown: NDArray[np.float64], logs: Sequence[bool]) -> dict[str, list[float]]:
    """Of both axes, as changes of a layout, so that the points ``shown`` (n, 2) fit with a margin."""
    spans = (_range(values, log=log) for values, log in zip(shown.T, logs, strict=True))
    return {f"{name}axis.range": span for name, span in zip("xy", spans, strict=True)}


def outliers(values: NDArray[np.float64], signs: NDArray[np.float64]) -> NDArray[np.bool_]:
    """(n,) Which rows of ``values`` (n, 2) lie far on the worse side of the others; ``signs`` (2,): 1 if more is
    better."""
    gains = values * signs
    low, high = np.quantile(gains, [0.25, 0.75], axis=0)
    found: NDArray[np.bool_] = (gains < low - _FENCE * (high - low)).any(axis=1)
    return found


def _range(values: NDArray[np.float64], *, log: bool) -> list[float]:
    places = np.log10(values) if log else values
    margin = MARGIN * float(np.ptp(places)) or MARGIN
    return [float(places.min()) - margin, float(places.max()) + margin]
