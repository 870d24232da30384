"""A study's trials as tables: its frontier, what is trained again, all of them, those that did not finish."""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterator
from typing import Any, cast

import pandas as pd

from analysis import labels
from analysis.frontier.absent import why_no_frontier
from analysis.frontier.confirmed import SEARCHED, confirmed, confirms, reseeds
from analysis.frontier.measured import measures
from analysis.frontier.pareto import frontier, measured
from analysis.frontier.uncertainty import SEEDS_INTERVAL
from analysis.progress.so_far import PROBES, probes, with_costs
from analysis.reading.runs import CONFIG, PARAM, Study, number_or_nan
from analysis.reading.titles import assumption, metric_title, protocol
from analysis.searched.dimensions import is_numeric
from analysis.tables.table import Column, Table
from trainables.metrics import CLEAN_ACCURACY, COSTS, PGD_ACCURACY, is_accuracy

_EXACT = 2**53
"""Up to which floats hold every whole number."""


_TRIAL = Column("Trial", True, ("number",))
_TRAINABLE = Column("Trainable", False, ("trainable",))
_ORIGIN = Column("Origin", False, ("origin",))
_STATUS = Column("Status", False, ("status",))
_EPOCHS = Column("Epochs done", True, ("epochs",))
_VERDICT = Column("Verdict", False, ("verdict",))
_VIOLATION = Column("Beyond its bounds", False, ("violation",))
_EXCLUDED = Column("Excluded", False, ("excluded",))
_NOTE = Column("Note", False, ("note",))
_REASON = Column("Reason", False, ("reason",))
_PROBE = Column("Probe of unfinished: clean, PGD, %", True, PROBES)


def frontier_table(study: Study) -> Table:
    """The Pareto frontier: accuracies in percent with their 95 % intervals, costs, the searched settings."""
    best = frontier(study)
    columns = (
        *(_TRIAL, _TRAINABLE, *((_ORIGIN,) if measures(study) else ())),
        *_figures(study),
        *_params(study, best),
    )
    names = ", ".join(metric_title(name, study) for name in study.objectives)
    caption = f"Pareto frontier of {study.name}: {names}; {conditions(study)}"
    return _table(caption, columns, best)


def confirmed_table(study: Study) -> Table:
    """Configurations trained again: means over seeds with intervals, costs, what was searched."""
    found = confirmed(study)
    told = found["optimal"].map({True: "yes", False: "no"})
    found["optimal"] = told.where(found["seeds"] > 0, labels.ABSENT)
    columns = (
        *(Column("Configuration", False, ("configuration",)), _TRAINABLE),
        *(Column("Seeds finished", True, ("seeds",)), Column("Seeds planned", True, ("planned",))),
        *_figures(study),
        *_searched(study, found),
        Column("On the frontier", False, ("optimal",)),
        *(
            Column(name.removeprefix(PARAM), is_numeric(found[name].infer_objects()), (name,))
            for name in map(str, found)
            if name.startswith(PARAM)
        ),
    )
    caption = (
        f"{study.name} {'reseeds' if reseeds(study) else 'confirms'} {confirms(study)['study']}: means over seeds; "
        f"{protocol(study)}; [{SEEDS_INTERVAL}]"
    )
    return _table(caption, columns, found)


def _searched(study: Study, found: pd.DataFrame) -> Iterator[Column]:
    """What the search had of the accuracies that are objectives: far above a mean over seeds it was luck."""
    for name in measured(study):
        if found[SEARCHED + name].notna().any():
            yield Column(f"In the search: {metric_title(name, study)}, %", True, (SEARCHED + name,))


def headline_table(study: Study) -> Table:
    """What a study found: its frontier, or of what is trained again the configurations."""
    return confirmed_table(study) if confirms(study) else frontier_table(study)


def why_nothing_found(study: Study, found: Table) -> str:
    """Why what was ``found``, the headline, is empty, in a sentence; "" if it is not."""
    return "" if found.rows else why_no_frontier(study)


def trials_table(study: Study) -> Table:
    """Every trial with how it stands, what it found and what was searched; of those that have not finished what they
    have cost, and their newest probe."""
    columns = (
        *(_TRIAL, _TRAINABLE),
        *((_ORIGIN,) if study.trials["origin"].ne("").any() else ()),
        *(_STATUS, *_excluded(study.trials), _EPOCHS),
        *_figures(study),
        *_probe(study, study.trials),
        *((_VIOLATION,) if study.trials["violation"].ne("").any() else ()),
        *((_NOTE,) if study.trials["note"].ne("").any() else ()),
        *_params(study, study.trials),
    )
    return _table(f"Trials of {study.name}; {conditions(study)}", columns, _so_far(study))


def unfinished_table(study: Study) -> Table:
    """Trials that failed or were stopped, with the reason."""
    trials = _so_far(study)
    gone = trials[trials["status"].isin(["failed", "stopped"])]
    attempts = Column("Attempts", True, ("attempts",))
    origin = (_ORIGIN,) if measures(study) else ()
    ended = (_STATUS, *_excluded(gone), _EPOCHS)
    columns = (_TRIAL, _TRAINABLE, *origin, *ended, *_probe(study, gone), attempts, _REASON)
    return _table(f"Trials of {study.name} that failed or were stopped", columns, gone)


def _excluded(trials: pd.DataFrame) -> tuple[Column, ...]:
    """Why, where any of ``trials`` is."""
    return (_EXCLUDED,) if trials["excluded"].ne("").any() else ()


def _so_far(study: Study) -> pd.DataFrame:
    others = with_costs(study).drop(columns=list(PROBES), errors="ignore")
    return pd.concat([others, probes(study)], axis=1)


def _probe(study: Study, trials: pd.DataFrame) -> tuple[Column, ...]:
    """Where any of ``trials`` has not finished and was probed."""
    return (_PROBE,) if probes(study).loc[trials.index].notna().any(axis=None) else ()


def _figures(study: Study) -> tuple[Column, ...]:
    """Clean and PGD accuracy always; of the others and the costs those that are known, and the checks' verdict."""
    accuracies = (
        Column(f"{metric_title(name, study)}, %", True, (name, f"{name}_low", f"{name}_high"))
        for name in study.accuracies
        if name in (CLEAN_ACCURACY, PGD_ACCURACY) or study.trials[name].notna().any()
    )
    costs = (Column(metric_title(name, study), True, (name,)) for name in COSTS if study.trials[name].notna().any())
    checked = (_VERDICT,) if study.trials["verdict"].ne("").any() else ()
    return (*accuracies, *checked, *costs)


def _params(study: Study, trials: pd.DataFrame) -> tuple[Column, ...]:
    """The searched settings that any of ``trials`` has; the trainable, and whose network is measured, stand in columns
    of their own."""
    elsewhere = {"trainable", *(("configuration",) if measures(study) else ())}
    return tuple(
        Column(name, is_numeric(trials[PARAM + name]), (PARAM + name,))
        for name in study.params
        if name not in elsewhere and trials[PARAM + name].notna().any()
    )


def conditions(study: Study) -> str:
    """What the figures of a table rest on, for its caption."""
    return "; ".join(part for part in (assumption(study), protocol(study), "[95 % Wilson interval]") if part)


def _table(caption: str, columns: tuple[Column, ...], trials: pd.DataFrame) -> Table:
    records = trials.to_dict("records")
    sources = [name for column in columns for name in column.sources if name in trials]
    return Table(
        caption=caption,
        columns=columns,
        rows=tuple(tuple(_cell(column, record) for column in columns) for record in records),
        values=whole_settings(trials[sources]),
    )


def whole_settings(values: pd.DataFrame) -> pd.DataFrame:
    """Settings and seeds that are whole numbers as such, also where trials of another trainable lack them."""
    names = [
        name
        for name in map(str, values)
        if name.startswith((PARAM, CONFIG, "seed"))
        and pd.api.types.is_float_dtype(values[name])
        and (values[name].dropna() % 1 == 0).all()
        and (values[name].dropna().abs() < _EXACT).all()
    ]
    return values.astype(dict.fromkeys(names, "Int64"))


def _cell(column: Column, record: dict[Hashable, Any]) -> str:
    name, value = column.sources[0], record.get(column.sources[0])
    if is_accuracy(name):
        return labels.percent_interval(*(number_or_nan(record.get(source)) for source in column.sources))
    if name.startswith(SEARCHED):
        return labels.percent(number_or_nan(value))
    if name in COSTS:
        return labels.cost(number_or_nan(value))
    if column.sources == PROBES:
        known = [number_or_nan(record.get(source)) for source in PROBES]
        return ", ".join(map(labels.percent, known)) if any(map(math.isfinite, known)) else labels.ABSENT
    if name == "number":
        return labels.trial_number(int(cast(int, value)))
    return labels.param(name.removeprefix(PARAM), value)
