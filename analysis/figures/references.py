"""Published points to show beside a study's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from analysis import labels
from analysis.papers import agreement, published
from analysis.papers.agreement import DATA_SETS
from analysis.papers.published import DataSet, PublishedPoint
from analysis.reading.runs import CONFIG, Study, number_or_nan
from trainables.metrics import AUTO_ATTACK_ACCURACY, PGD_ACCURACY, head_figure


class Reference(NamedTuple):
    """A published point, in percent."""

    clean: float
    robust: float
    text: str


class References(NamedTuple):
    """Points that were measured as a study's."""

    points: tuple[Reference, ...]
    title: str
    same_data: bool
    """Whether the study's images are known to be those; a folder may hold others, and hides them until asked."""


NO_REFERENCES = References((), "", same_data=False)


def references(study: Study, metric: str = PGD_ACCURACY) -> References:
    """The points at the radius, of the head and under the attack of ``metric``, an accuracy under attack, and of the
    study's networks, to show beside its figures.

    None where nothing is published of its data set, or heads are measured on another one than pre-training's.
    """
    data, measured = data_set(study), _measured(study, metric)
    if data is None or measured is None or _transfers(study):
        return NO_REFERENCES
    head, attack, level = measured
    kinds = [(data, head, network, attack, level) for network in _networks(study)]
    points = [point for kind in kinds for point in published.references(*kind)]
    if not points:
        return NO_REFERENCES
    shown = tuple(Reference(point.clean, point.robust[level], text(point, level)) for point in points)
    return References(shown, f"{_source(points)}: all {data} test images", same_data=_data_source(study) in DATA_SETS)


def comparability(study: Study) -> str:
    """What of the published figures may be compared with a study's, in sentences; "" where none are of its data."""
    if data_set(study) is None:
        return ""
    published_are = (
        "Published figures are test accuracies of hand-picked ResNet-18 and ResNet-50 settings on all 10,000 CIFAR "
        "images. Among them, compare only those of one data set, network, head and attack: AutoAttack is the stronger "
        f"attack, a clean head the weaker defence. {labels.PGD_STARTS} "
    )
    if study.evaluation.get("split") == "test":
        comparable = (
            "This study's are test accuracies too, and comparable with those of the same data set, network, head, "
            "radius and attack; every other difference in budget or images remains one."
        )
        return published_are + " ".join([comparable, *_absences(study)])
    return published_are + (
        "They show where published work stands and may not be compared with the "
        f"{study.evaluation.get('split', 'validation')} figures of this study, which stand in no plot together."
    )


def _absences(study: Study) -> list[str]:
    """Why no published points stand beside the study's, by attack."""
    metrics = [name for name in (PGD_ACCURACY, AUTO_ATTACK_ACCURACY) if np.isfinite(study.finished[name]).any()]
    return [_absence(study, metric) for metric in metrics if not references(study, metric).points]


def _absence(study: Study, metric: str) -> str:
    attack, head = f"{_attack(study, metric)} at {radius(study):g}/255", _head(study)
    if head in published.ON_CROPS:
        return f"Published attacks on the {head} head perturb each crop, {attack} here the image: they share no plot."
    data = f"{data_set(study)}{' after pre-training on other data' if _transfers(study) else ''}"
    networks = " or ".join(_networks(study))
    return f"Nothing is published for {attack} on the {head} head of {networks} on {data}, so nothing stands beside it."


def _measured(study: Study, metric: str) -> tuple[str, str, float] | None:
    """Head, attack and radius of ``metric``; ``None`` of an attack of which nothing is published."""
    if (figure := head_figure(metric)) is None:
        return _head(study), _attack(study, metric), radius(study)
    attacks = {"pgd": PGD_ACCURACY, "auto_attack": AUTO_ATTACK_ACCURACY}
    if figure.attack not in attacks or figure.kind == "random":
        return None
    return figure.head, _attack(study, attacks[figure.attack]), figure.level


def data_set(study: Study) -> DataSet | None:
    """That which a study trains on, as published figures name it; ``None`` where none are of it.

    Of a folder nobody can tell: it may hold CIFAR-10.
    """
    source = _data_source(study)
    return None if source == "digits" else DATA_SETS.get(source, "CIFAR-10")


def radius(study: Study) -> float:
    """At which the study attacks, in 1/255; 8 if that is unknown."""
    return round(number_or_nan(study.evaluation.get("epsilon", 8 / 255)) * 255, 6)


def text(point: PublishedPoint, radius: float) -> str:
    """What a published point's mark says: its figures, then its protocol."""
    figures = f"Clean {point.clean:g} %, {point.attack} at {radius:g}/255 {point.robust[radius]:g} %"
    protocol = point.protocol.replace("; ", "<br>")
    return f"<b>{point.method}</b><br>{figures}<br>{protocol}<br>{point.source}, {point.table}"


def _source(points: Sequence[PublishedPoint]) -> str:
    """Of one attack, which no two sources share."""
    tables = dict.fromkeys(point.table for point in points)
    return f"Paper, {' and '.join(tables)}" if points[0].source == published.PAPER else points[0].source


def _head(study: Study) -> str:
    return str(study.evaluation.get("head", "robust"))


def _attack(study: Study, metric: str) -> str:
    """As published ones are named."""
    if metric == AUTO_ATTACK_ACCURACY:
        return published.AUTO_ATTACK
    steps = _setting(study, "evaluation.attack_steps")
    return published.PGD if steps is None else f"PGD-{steps:g}"


def _networks(study: Study) -> list[str]:
    columns = [f"{CONFIG}network.{name}" for name in ("architecture", "depth", "width")]
    kinds = study.finished.reindex(columns=columns).drop_duplicates().to_dict("records")
    return list(dict.fromkeys(map(agreement.network, kinds)))


def _transfers(study: Study) -> bool:
    """Whether heads are trained and measured on another data set than pre-training's."""
    return _setting(study, "evaluation.source") not in (None, _data_source(study))


def _data_source(study: Study) -> str:
    return str(_setting(study, "data.source") or "")


def _setting(study: Study, path: str) -> Any:
    """The trials' first that is known; ``None`` if none is."""
    column = CONFIG + path
    return next(iter(study.trials[column].dropna()), None) if column in study.trials else None
