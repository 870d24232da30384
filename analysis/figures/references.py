"""The paper's points to show beside a study's, and when they may be shown unasked."""

from __future__ import annotations

from typing import NamedTuple

from analysis import published
from analysis.published import DataSet, PublishedPoint
from analysis.runs import Study, number_or_nan


class Reference(NamedTuple):
    """A published point, in percent."""

    clean: float
    robust: float
    text: str


class References(NamedTuple):
    """Published points at a study's radius and head."""

    points: tuple[Reference, ...]
    title: str
    same_data: bool
    """Whether they are on the study's data set; only then they are shown unasked."""


NO_REFERENCES = References((), "", same_data=False)


def references(study: Study) -> References:
    """CIFAR-100's points for studies on CIFAR-100, CIFAR-10's for all others; none at a radius the table lacks."""
    radius = round(number_or_nan(study.evaluation.get("epsilon", 8 / 255)) * 255, 6)
    source = _data_source(study)
    data: DataSet = "CIFAR-100" if source == "cifar100" else "CIFAR-10"
    points = published.references(data, str(study.evaluation.get("head", "robust")))
    shown = tuple(
        Reference(point.clean, point.robust[radius], _text(point, radius)) for point in points if radius in point.robust
    )
    title = f"Paper, {points[0].table}: {data} test images, not comparable"
    return References(shown, title, same_data=source in ("cifar10", "cifar100"))


def _data_source(study: Study) -> str:
    if "config.data.source" not in study.trials:
        return ""
    return str(next(iter(study.trials["config.data.source"].dropna()), ""))


def _text(point: PublishedPoint, radius: float) -> str:
    figures = f"Clean {point.clean:g} %, {point.attack} at {radius:g}/255 {point.robust[radius]:g} %"
    protocol = point.protocol.replace("; ", "<br>")
    return f"<b>{point.method}</b><br>{figures}<br>{protocol}<br>{point.source}, {point.table}"
