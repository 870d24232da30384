"""Further planes of a frontier: against AutoAttack beside against PGD, and what each accuracy costs."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from plotly import graph_objects as go

from analysis.figures.pareto import pareto_figure
from analysis.figures.style import choices
from analysis.figures.views import with_views
from analysis.reading.runs import Study
from analysis.reading.titles import short_title
from trainables.metrics import AUTO_ATTACK_ACCURACY, CLEAN_ACCURACY, COSTS, PGD_ACCURACY, is_accuracy, is_attacked

_HEIGHT = 480


class Plane(NamedTuple):
    """One of a pair that stands side by side."""

    name: str
    title: str
    x: str
    """Its first metric."""
    figure: go.Figure


def plane_pairs(study: Study) -> tuple[tuple[Plane, Plane], ...]:
    """Clean accuracy against each attack where AutoAttack ran or several are objectives, and the cost of each accuracy
    where it is known.

    Two attacks share both scales in each view, so that what one takes off beyond the other can be seen.
    """
    pairs = [_drawn(study, metrics) for metrics in _pairs(study)]
    return tuple((first, second) for first, second in pairs if first and second)


def _pairs(study: Study) -> list[tuple[tuple[str, str], tuple[str, str]]]:
    """The first accuracy under attack stands in the frontier's own plot; of an odd number the others do here."""
    clean = next((name for name in study.objectives if is_accuracy(name) and not is_attacked(name)), CLEAN_ACCURACY)
    attacked = [name for name in study.objectives if is_attacked(name)]
    both = [PGD_ACCURACY, AUTO_ATTACK_ACCURACY] if _measured(study, AUTO_ATTACK_ACCURACY) else []
    shown = sorted({*both, *attacked}, key=study.accuracies.index)
    if len(shown) % 2:
        shown.remove(attacked[0])
    attacks = [((clean, first), (clean, second)) for first, second in zip(shown[::2], shown[1::2], strict=True)]
    cost = next((name for name in study.objectives if name in COSTS), None) or _known_cost(study)
    strongest = next((name for name in (AUTO_ATTACK_ACCURACY, *attacked) if name in attacked), None)
    return [*attacks, ((cost, clean), (cost, strongest or _known_robust(study)))] if cost else attacks


def _drawn(study: Study, metrics: tuple[tuple[str, str], tuple[str, str]]) -> tuple[Plane | None, Plane | None]:
    first, second = (_plane(study, pair) for pair in metrics)
    if first and second and is_accuracy(metrics[0][0]):
        _share_scales(first.figure, second.figure)
    return first, second


def _share_scales(*figures: go.Figure) -> None:
    """In each view as far as any of them reaches there: at first, and with all trials."""
    near, whole = {}, {}
    for name in ("xaxis", "yaxis"):
        reached = [_reach(figure, name[0]) for figure in figures]
        shown = [figure.layout[name].range or its for figure, its in zip(figures, reached, strict=True)]
        near[f"{name}.range"], whole[f"{name}.range"] = _span(shown), _span(reached)
    for figure in figures:
        views = zip(choices(figure), (near, whole), strict=False)
        with_views(figure, [(view.label, _others(view.layout) | span) for view, span in views])
        figure.update_layout({key.replace(".", "_"): span for key, span in near.items()})


def _span(spans: Sequence[Sequence[float]]) -> list[float]:
    return [min(low for low, _ in spans), max(high for _, high in spans)]


def _others(layout: dict[str, Any]) -> dict[str, Any]:
    """What a view changes beside its axes."""
    return {key: value for key, value in layout.items() if not key.startswith(("xaxis.", "yaxis."))}


def _plane(study: Study, metrics: tuple[str, str]) -> Plane | None:
    figure = pareto_figure(study, metrics, _HEIGHT)
    title = " against ".join(short_title(name, study) for name in reversed(metrics))
    name = re.sub(r"\W", "_", "_".join(["plane", *metrics]))  # it names a file, and an element of a page
    return Plane(name, title, metrics[0], figure) if figure else None


def _reach(figure: go.Figure, name: str) -> list[float]:
    """Of what is shown, bars included, with a margin."""
    shown = [trace for trace in figure.data if trace.visible != "legendonly"]
    reached = np.concatenate([_extent(trace[name], trace[f"error_{name}"]) for trace in shown])
    low, high = float(np.nanmin(reached)), float(np.nanmax(reached))
    margin = 0.08 * (high - low) or 1.0
    return [low - margin, high + margin]


def _extent(values: Iterable[float | None], bars: go.scatter.ErrorX | go.scatter.ErrorY) -> NDArray[np.float64]:
    middle = np.array(list(values), dtype=float)
    if not bars.visible:
        return middle
    return np.concatenate([middle, middle - bars.arrayminus, middle + bars.array])


def _measured(study: Study, metric: str) -> bool:
    return bool(np.isfinite(study.finished[metric]).any())


def _known_robust(study: Study) -> str:
    return PGD_ACCURACY if _measured(study, PGD_ACCURACY) else AUTO_ATTACK_ACCURACY


def _known_cost(study: Study) -> str | None:
    return next((name for name in COSTS if _measured(study, name)), None)
