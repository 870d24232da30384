"""A study's figures beside the published ones: the rows of one table, whatever it is written as."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

import numpy as np
import pandas as pd

from analysis import labels
from analysis.frontier.confirmed import confirms
from analysis.frontier.measured import measures
from analysis.frontier.pareto import frontier
from analysis.frontier.uncertainty import over_seeds
from analysis.papers import published
from analysis.papers.agreement import DATA_SETS, OURS, departures, network, of_point, of_trial
from analysis.papers.published import PublishedPoint
from analysis.papers.rows import CLEAN, THIS_STUDY, WORST, Figure, Row
from analysis.reading.runs import CONFIG, PARAM, Study, number_or_nan
from trainables.metrics import (
    AUTO_ATTACK_ACCURACY,
    AUTO_ATTACK_IMAGES,
    CLEAN_ACCURACY,
    EVALUATION_IMAGES,
    PGD_ACCURACY,
    TRAIN_SECONDS,
    counted_by,
    is_accuracy,
)

TABLES: dict[str, tuple[PublishedPoint, ...]] = {
    "table1": published.TABLE_1,
    "table2": published.TABLE_2,
    "table3": published.TABLE_3,
    "table4": published.TABLE_4,
    "table5": published.TABLE_5,
    "leaderboard": published.ROBUST_SSL_LEADERBOARD,
}
_NOT_SEARCHED = ("trainable", "configuration", "seed")
_EXACT_FROM = 10_000
"""Images from which on a hundredth of a percent is a whole image."""


@dataclass(frozen=True, kw_only=True)
class Beside:
    """The table. ``left_out``: how many finished trials of the study are not in it for being flagged; ``apart``: how
    many published rows are not, for none of ours can be compared with them."""

    study: Study
    ours: tuple[Row, ...]
    theirs: tuple[Row, ...]
    left_out: int
    apart: int = 0

    @property
    def rows(self) -> tuple[Row, ...]:
        return (*self.ours, *self.theirs)

    @property
    def comparable(self) -> tuple[Row, ...]:
        """Rows of ours that were measured as some published ones of the table."""
        protocols = {row.protocol for row in self.theirs}
        return tuple(row for row in self.ours if row.protocol in protocols)


def beside(study: Study, tables: Iterable[str] | None = None) -> Beside:
    """The frontier of ``study``, or of a confirmation all configurations, and the rows of the published ``tables``;
    where none are named, of all tables those rows that any of ours can be compared with.

    The published rows are CIFAR-100's for studies on CIFAR-100, CIFAR-10's for all others.
    """
    data, ours = DATA_SETS.get(_data_source(study), "CIFAR-10"), tuple(_ours(study))
    named = TABLES if tables is None else tables
    points = [point for name in named for point in TABLES[name] if point.data == data]
    alike = [point for point in points if tables is not None or of_point(point) in {row.protocol for row in ours}]
    flagged = study.finished["verdict"].map(labels.is_flagged).astype(bool)
    return Beside(
        study=study,
        ours=ours,
        theirs=tuple(map(_theirs, alike)),
        left_out=0 if confirms(study) else int(flagged.sum()),
        apart=len(points) - len(alike),
    )


def metric(study: Study, name: str) -> str:
    """What the figure called ``name`` of ours (``Row.figures``) is in ``Study.trials``."""
    named = {CLEAN: CLEAN_ACCURACY, WORST: PGD_ACCURACY}
    kind = AUTO_ATTACK_ACCURACY if name.startswith("auto_attack") else f"{_head(study)}_head/{name}_zero"
    return name if is_accuracy(name) else named.get(name, kind)


def _head(study: Study) -> str:
    return str(study.evaluation.get("head", "robust"))


def _data_source(study: Study) -> str:
    column = f"{CONFIG}data.source"
    found = study.trials[column].dropna() if column in study.trials else pd.Series(dtype=object)
    return str(next(iter(found), ""))


def _ours(study: Study) -> Iterable[Row]:
    if not confirms(study):
        best = frontier(study)
        return [_row(study, str(trial["id"]), best[best["number"] == trial["number"]]) for _, trial in best.iterrows()]
    finished, column = study.finished, f"{PARAM}configuration"
    if column not in finished:
        return []
    parent, numbers = str(confirms(study).get("study")), pd.to_numeric(finished[column], errors="coerce").dropna()
    groups = ((number, finished.loc[numbers.index[numbers == number]]) for number in sorted(set(numbers)))
    return [_row(study, f"{parent}/{labels.trial_number(int(number))}", group) for number, group in groups]


def _row(study: Study, source: str, trials: pd.DataFrame) -> Row:
    """One configuration's ``trials``, which differ in their seed alone."""
    records = trials.to_dict("records")
    first, protocols = records[0], {of_trial(trial) for trial in records}
    settings = {name: first[PARAM + name] for name in study.params if name not in _NOT_SEARCHED}
    return Row(
        section=THIS_STUDY,
        method=str(first["trainable"]) or "unknown",
        source=source,
        origin=str(first["origin"]) if measures(study) else "",
        data=_data(study, first),
        head=str(first.get(f"{CONFIG}evaluation.head") or study.evaluation.get("head", "")),
        network=network(first),
        protocol=protocols.pop() if len(protocols) == 1 else OURS,
        departures=tuple(dict.fromkeys(words for trial in records for words in departures(trial))),
        flagged=any(map(labels.is_flagged, trials["verdict"])),
        epochs=_count(first.get(f"{CONFIG}optimiser.epochs")),
        figures=_figures(study, trials),
        seeds=len(trials),
        images=_count(trials.get(EVALUATION_IMAGES, pd.Series(dtype=float)).min()),
        minutes=_minutes(study, trials),
        hardware=_hardware(study, first),
        settings={name: value for name, value in settings.items() if not (isinstance(value, float) and value != value)},
    )


def _data(study: Study, trial: Mapping[Any, Any]) -> str:
    """``CIFAR-10, test``; of a folder of images its name without the path."""
    source = str(trial.get(f"{CONFIG}data.source", ""))
    name = DATA_SETS.get(source) or PurePath(source.removeprefix("folder:")).name
    return ", ".join(part for part in (name, str(study.evaluation.get("split", ""))) if part)


def _figures(study: Study, trials: pd.DataFrame) -> dict[str, Figure]:
    """Means over the trials: as published ones are called, then what else the study optimised by its own name."""
    found = _as_published(trials, _head(study), study.evaluation.get("epsilon"))
    shown = {metric(study, name) for name in found}
    others = [name for name in study.objectives if is_accuracy(name) and name not in shown]
    optimised = {name: _mean(trials, name, counted_by(name)) for name in others}
    return {name: figure for name, figure in (found | optimised).items() if figure is not None}


def _as_published(trials: pd.DataFrame, head: str, epsilon: object) -> dict[str, Figure | None]:
    """Of attacks, those from the image itself, the worst of all PGD, and AutoAttack."""
    found = {CLEAN: _mean(trials, CLEAN_ACCURACY, EVALUATION_IMAGES)}
    for name in map(str, trials):
        if match := re.fullmatch(rf"{re.escape(head)}_head/(pgd_[\d.]+)_zero", name):
            found[match[1]] = _mean(trials, name, EVALUATION_IMAGES)
    found[WORST] = _mean(trials, PGD_ACCURACY, EVALUATION_IMAGES)
    if (radius := number_or_nan(epsilon) * 255) == radius:
        found[f"auto_attack_{radius:g}"] = _mean(trials, AUTO_ATTACK_ACCURACY, AUTO_ATTACK_IMAGES)
    return found


def _mean(trials: pd.DataFrame, name: str, counted: str) -> Figure | None:
    """``None`` where a seed lacks it."""
    values = trials[name].to_numpy(dtype=float) if name in trials else np.array([np.nan])
    if not np.isfinite(values).all():
        return None
    images = trials[counted].min() if counted in trials else math.nan
    if not images > 0:
        return Figure(float(values.mean()) * 100, decimals=1)
    decimals = 2 if images >= _EXACT_FROM else 1
    mean, low, high = (share * 100 for share in over_seeds(values.tolist(), int(images)))
    return Figure(mean, low, high, decimals)


def _minutes(study: Study, trials: pd.DataFrame) -> float:
    if TRAIN_SECONDS not in study.curves:
        return math.nan
    curves = study.curves[study.curves["trial"].isin(trials["number"])]
    return float(curves.groupby("trial")[TRAIN_SECONDS].max().mean()) / 60


def _hardware(study: Study, trial: Mapping[Any, Any]) -> str:
    """The GPU and the share of it that the trial held, else the machine."""
    device, share = str(trial.get("device", "")), number_or_nan(trial.get("gpu_share"))
    if device in ("", "cpu"):
        return str(study.manifest.get("environment", {}).get("hardware") or device)
    return f"{share:g} of {device}" if share < 1 else device


def _count(value: object) -> int | None:
    number = number_or_nan(value)
    return int(number) if math.isfinite(number) else None


def _theirs(point: PublishedPoint) -> Row:
    attack = "pgd" if point.attack.startswith("PGD") else "auto_attack"
    under = {f"{attack}_{radius:g}": Figure(float(value)) for radius, value in point.robust.items()}
    return Row(
        section=f"{point.source}, {point.table}",
        method=point.method,
        source=point.table if point.source == published.PAPER else point.source,
        data=f"{point.data}, test",
        head=point.head_name,
        network=point.network,
        protocol=of_point(point),
        epochs=point.epochs,
        figures={CLEAN: Figure(float(point.clean)), **under},
        images=10_000,
        minutes=point.minutes if point.minutes is not None else math.nan,
        hardware=point.hardware,
    )
