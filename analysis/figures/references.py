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
    level, data = radius(study), data_set(study)
    points = published.references(data, str(study.evaluation.get("head", "robust")))
    shown = tuple(
        Reference(point.clean, point.robust[level], text(point, level)) for point in points if level in point.robust
    )
    title = f"Paper, {points[0].table}: all {data} test images"
    return References(shown, title, same_data=_data_source(study) in ("cifar10", "cifar100"))


def comparability(study: Study) -> str:
    """What of the published figures may be compared with a study's, in sentences."""
    published_are = (
        "Published figures are test accuracies of hand-picked ResNet-18 and ResNet-50 settings on all 10,000 CIFAR "
        "images. Among them, compare only those of one data set, network, head and attack: AutoAttack is the stronger "
        "attack, a clean head the weaker defence. "
    )
    if study.evaluation.get("split") == "test":
        return published_are + (
            "This study's are test accuracies too, and comparable with those of the same data set, network, head, "
            "radius and attack; every other difference in budget or images remains one."
        )
    return published_are + (
        "They show where published work stands and may not be compared with the "
        f"{study.evaluation.get('split', 'validation')} figures of this study, which stand in no plot together."
    )


def data_set(study: Study) -> DataSet:
    """The published one to show beside a study: CIFAR-100 for studies of it, CIFAR-10 for all others."""
    return "CIFAR-100" if _data_source(study) == "cifar100" else "CIFAR-10"


def radius(study: Study) -> float:
    """At which the study attacks, in 1/255; 8 if that is unknown."""
    return round(number_or_nan(study.evaluation.get("epsilon", 8 / 255)) * 255, 6)


def text(point: PublishedPoint, radius: float) -> str:
    """What a published point's mark says: its figures, then its protocol."""
    figures = f"Clean {point.clean:g} %, {point.attack} at {radius:g}/255 {point.robust[radius]:g} %"
    protocol = point.protocol.replace("; ", "<br>")
    return f"<b>{point.method}</b><br>{figures}<br>{protocol}<br>{point.source}, {point.table}"


def _data_source(study: Study) -> str:
    if "config.data.source" not in study.trials:
        return ""
    return str(next(iter(study.trials["config.data.source"].dropna()), ""))
