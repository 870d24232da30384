"""Trials side by side, of one study or of several: what each reached, by how much that exceeds the first, at what cost.

A trial here is its study under the trial's name and with that trial alone, so that all that is known of how studies
compare holds for trials, too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from analysis import labels
from analysis.frontier.differences import between
from analysis.frontier.uncertainty import Interval
from analysis.reading.runs import Study, number_or_nan
from analysis.schema import TrialStatus
from analysis.tables.table import Column, Table
from trainables.config import UserError
from trainables.metrics import ENDS, FORWARD_EQUIVALENTS, GPU_MINUTES

_TOLD = {"Trainable": "trainable", "Seed": "seed"}
MORE = "more"
"""In the values' names: by how much an accuracy exceeds the first trial's."""


def trial_alone(study: Study, number: int) -> Study:
    """``UserError`` where ``study`` has no such trial, or it did not finish."""
    row = study.trials[study.trials["number"] == number]
    name = f"{study.name}/{number}"
    if row.empty:
        raise UserError(f"there is no trial {name}; `study status {study.name}` lists them")
    if (status := str(row["status"].iloc[0])) != TrialStatus.FINISHED:
        raise UserError(f"trial {name} is {status} and has no accuracies to compare; take one that has finished")
    if reason := str(row["excluded"].iloc[0]):
        raise UserError(labels.excluded(name, reason))
    return replace(study, name=name, trials=row)


def trials_table(trials: Sequence[Study], called: Mapping[str, str], *, ranked: bool) -> Table:
    """A row a figure, a column a trial; ``values`` has a row a trial, unrounded. ``called``: the accuracies, by name.

    ``ranked``: by how much each exceeds the first, which says nothing of trials that were not measured alike.
    """
    measured = [name for name in called if all(np.isfinite(_figure(trial, name)) for trial in trials)]
    gains = {name: [_gain(trials[0], trial, name) for trial in trials[1:]] for name in measured} if ranked else {}
    rows = [(title, *(str(_cell(trial, name)) for trial in trials)) for title, name in _TOLD.items()]
    for name in measured:
        rows.append((f"{called[name]}, %", *(_with_interval(trial, name) for trial in trials)))
        if name in gains:
            rows.append((f"  more than {trials[0].name}, points", "", *map(_points, gains[name])))
    rows.append(("Verdict", *(str(_cell(trial, "verdict") or labels.ABSENT) for trial in trials)))
    for title, name in (("GPU-minutes", GPU_MINUTES), ("Forward-equivalents", FORWARD_EQUIVALENTS)):
        rows.append((title, *(labels.cost(_figure(trial, name)) for trial in trials)))
    return Table(
        caption=f"Trials side by side; [95 % intervals], of differences on the images that both saw{_unpaired(gains)}",
        columns=(Column("", False, ()), *(Column(trial.name, False, ()) for trial in trials)),
        rows=tuple(rows),
        values=pd.DataFrame([_record(trial, measured, gains, place) for place, trial in enumerate(trials)]),
    )


def _gain(first: Study, other: Study, name: str) -> Interval | None:
    return between((other, str(_cell(other, "id"))), (first, str(_cell(first, "id"))), name)


def _points(gain: Interval | None) -> str:
    return labels.ABSENT if gain is None else labels.points(*gain)


def _unpaired(gains: Mapping[str, Sequence[Interval | None]]) -> str:
    unknown = any(gain is None for found in gains.values() for gain in found)
    return f"; {labels.ABSENT}: they recorded no outcomes of the same images" if unknown else ""


def _with_interval(trial: Study, name: str) -> str:
    return labels.percent_interval(*(_figure(trial, f"{name}{end}") for end in ENDS))


def _figure(trial: Study, name: str) -> float:
    return number_or_nan(_cell(trial, name))


def _cell(trial: Study, name: str) -> Any:
    found = trial.trials[name].iloc[0] if name in trial.trials else None
    # A column with gaps holds floats.
    return int(found) if name == "seed" and isinstance(found, float) and found.is_integer() else found


def _record(
    trial: Study, measured: Sequence[str], gains: Mapping[str, Sequence[Interval | None]], place: int
) -> dict[str, Any]:
    unknown = (None,) * len(ENDS)
    more = {
        f"{name}_{MORE}{end}": value
        for name, found in gains.items()
        for end, value in zip(ENDS, (found[place - 1] if place else None) or unknown, strict=True)
    }
    told = {name: _cell(trial, name) for name in ("id", *_TOLD.values(), "verdict")}
    accuracies = {f"{name}{end}": _figure(trial, f"{name}{end}") for name in measured for end in ENDS}
    return told | accuracies | more | {name: _figure(trial, name) for name in (GPU_MINUTES, FORWARD_EQUIVALENTS)}
