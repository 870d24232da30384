"""Everything that is known of one trial, on one page."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import pandas as pd

from analysis import labels
from analysis.frontier.measured import searches
from analysis.frontier.pareto import frontier
from analysis.layout import ATTEMPT, ENDED, LOST, OUT_OF_MEMORY, PAUSED, TrialPaths, finite, read_events, read_json
from analysis.progress import epochs
from analysis.progress.elapsed import ran_seconds
from analysis.progress.so_far import with_costs
from analysis.reading.runs import CONFIG, PARAM, Study, number_or_nan
from analysis.reading.titles import metric_title, protocol
from analysis.reading.written import config_of
from analysis.schema import TrialStatus
from analysis.tables.table import Column, Table
from trainables.catalogue import default_config
from trainables.config import ConfigError, TrialConfig, flatten
from trainables.metrics import ENDS, FORWARD_EQUIVALENTS, GPU_MINUTES, Accuracy, counted_by, is_accuracy


class Attempt(NamedTuple):
    """One process that ran the trial, or tried to."""

    number: int
    began: float
    """Unix seconds."""
    where: str
    resumed_epoch: int
    end: str
    """``finished``, ``lost: its worker was killed``, ``paused`` with its study; "" while it runs, and of one that died
    with its driver."""


@dataclass(frozen=True)
class TrialPage:
    """``trial``: its row of ``Study.trials``; what is not known of it is left out everywhere."""

    trial: dict[str, Any]
    facts: tuple[tuple[str, str], ...]
    settings: dict[str, tuple[Any, Any]]
    """Of what differs from its trainable's defaults by dotted path: its value, and theirs."""
    figures: Table
    last_epoch: dict[str, float]
    attempts: tuple[Attempt, ...]
    folder: str

    def tables(self) -> list[Table]:
        """From what it reached to how it came about; none without a row."""
        settings = {path: map(labels.choice, pair) for path, pair in self.settings.items()}
        differing = [(path, *(labels.param(path, value) for value in pair)) for path, pair in settings.items()]
        found = (
            self.figures,
            _table("Its newest epoch", ("Metric", "Value"), map(_last, self.last_epoch.items())),
            _table("Settings that are not its trainable's defaults", ("Setting", "Value", "Default"), differing),
            _table("Attempts", ("Attempt", "Began", "On", "From epoch", "End"), map(_attempt, self.attempts)),
        )
        return [table for table in found if table.rows]

    def json(self) -> str:
        """All of it unrounded; the row under the names of ``Study.trials``."""
        told = {
            **self.trial,
            "differs": {path: {"value": own, "default": other} for path, (own, other) in self.settings.items()},
            "last_epoch": self.last_epoch,
            "tries": [attempt._asdict() for attempt in self.attempts],
            "folder": self.folder,
        }
        return json.dumps(finite(told), indent=2)


def trial_page(study: Study, folder: TrialPaths) -> TrialPage:
    """Of the trial in ``folder``, which is one of ``study``'s; ``UserError`` where its configuration is damaged.

    Where its method is not installed its settings are left out, and why is among the facts.
    """
    trials = with_costs(study)
    found = trials[trials["number"] == folder.number].iloc[0].to_dict()
    row = {str(name): value for name, value in found.items()}
    epochs = study.curves[study.curves["trial"] == folder.number].drop(columns=["trial"]).to_dict("records")
    settings, unknown = _settings(folder)
    return TrialPage(
        trial={name: value for name, value in row.items() if not _is_absent(value)},
        facts=tuple((title, text) for title, text in (*_facts(study, row, folder), ("Settings", unknown)) if text),
        settings=settings,
        figures=_figures(study, row),
        last_epoch={str(name): value for name, value in (epochs or [{}])[-1].items() if not _is_absent(value)},
        attempts=tuple(attempts(read_events(folder))),
        folder=str(folder.root),
    )


def attempts(events: Iterable[Mapping[str, Any]]) -> Iterator[Attempt]:
    """In the order in which they began."""
    begun: Mapping[str, Any] | None = None
    end = ""
    for event in events:
        if event["kind"] == ATTEMPT:
            if begun is not None:
                yield _of(begun, end)
            begun, end = event, ""
        elif event["kind"] in (LOST, OUT_OF_MEMORY, PAUSED, ENDED):
            end = _end(event)
    if begun is not None:
        yield _of(begun, end)


def _of(event: Mapping[str, Any], end: str) -> Attempt:
    where = ", ".join(str(event[key]) for key in ("host", "device") if event.get(key))
    began, epoch = number_or_nan(event.get("time")), event.get("resumed_epoch")
    return Attempt(int(event.get("attempt") or 0), began, where, int(epoch or 0), end)


def _end(event: Mapping[str, Any]) -> str:
    kind = str(event.get("status") or event["kind"]).replace("_", " ")
    reason = event.get("reason")
    excused = ", not held against it" if event.get("excuse") else ""
    return (f"{kind}: {reason}" if reason else kind) + excused


def _facts(study: Study, row: Mapping[str, Any], folder: TrialPaths) -> Iterator[tuple[str, str]]:
    yield "Trainable", str(row["trainable"])
    yield "Status", f"{row['status']}: {row['reason']}" if row["reason"] else str(row["status"])
    yield "Excluded", str(row["excluded"])
    yield "Note", str(row["note"])
    yield "Origin", str(row["origin"])
    yield "Verdict", str(row["verdict"])
    yield "Beyond its bounds", str(row["violation"])
    yield "On the frontier", _on_frontier(study, row)
    params = {name: row[PARAM + name] for name in study.params if not _is_absent(row[PARAM + name])}
    params.pop("trainable", None)
    yield "Searched", ", ".join(f"{name} {labels.param(name, value)}" for name, value in params.items())
    yield "Seed", "" if _is_absent(row["seed"]) else f"{row['seed']:.0f}"
    of = number_or_nan(row.get(f"{CONFIG}optimiser.epochs"))
    yield "Epochs", f"{row['epochs']} of {of:.0f}" if math.isfinite(of) else ""
    yield "Took", _took(study, row)
    work, minutes = (labels.cost(row[name]) for name in (FORWARD_EQUIVALENTS, GPU_MINUTES))
    yield "Cost", f"{work} forward-equivalents, {minutes} GPU-minutes"
    yield "Files", str(folder.root)
    yield "MLflow", str(row["mlflow_url"] or row["mlflow_run_id"])


def _took(study: Study, row: Mapping[str, Any]) -> str:
    """Of a trial that has ended, without what passed between its attempts."""
    own = replace(study, attempts=study.attempts[study.attempts["trial"] == row["number"]])
    return labels.duration(ran_seconds(own)) if math.isfinite(row["ended"]) else ""


def _on_frontier(study: Study, row: Mapping[str, Any]) -> str:
    if not searches(study) or row["status"] != TrialStatus.FINISHED:
        return ""
    return "yes" if row["number"] in set(frontier(study)["number"]) else "no"


def _settings(folder: TrialPaths) -> tuple[dict[str, tuple[Any, Any]], str]:
    """Those that differ, and why they are not known; none of a draw that was invalid, which has no configuration."""
    if not read_json(folder.config).get("config"):
        return {}, ""
    try:
        return _differing(config_of(folder)), ""
    except ConfigError as why:
        return {}, f"not known: {why}"


def _differing(config: TrialConfig) -> dict[str, tuple[Any, Any]]:
    """Its seed apart, which is no setting."""
    own, default = flatten(config), flatten(default_config(config.trainable, config.faithful_to))
    return {path: (value, default[path]) for path, value in own.items() if value != default[path] and path != "seed"}


def _figures(study: Study, row: Mapping[str, Any]) -> Table:
    """Accuracies, then every head's figures, in percent with their 95 % intervals."""
    told = {name: metric_title(name, study) for name in (*study.accuracies, *map(str, row)) if is_accuracy(name)}
    known = {name: title for name, title in told.items() if math.isfinite(number_or_nan(row.get(name)))}
    cells = [(title, _with_interval(name, row)) for name, title in known.items()]
    return _table(f"Figures; {protocol(study)}; [95 % Wilson interval]", ("Accuracy", "%"), cells)


def _with_interval(name: str, row: Mapping[str, Any]) -> str:
    value = float(row[name])
    low, high = (number_or_nan(row.get(f"{name}{end}")) for end in ENDS[1:])
    images = number_or_nan(row.get(counted_by(name)))
    if not math.isfinite(low) and math.isfinite(images):
        low, high = Accuracy.of_share(value, images).interval()
    return labels.percent_interval(value, low, high)


def _last(metric: tuple[str, float]) -> tuple[str, str]:
    return epochs.title(metric[0]), epochs.words(*metric)


def _attempt(attempt: Attempt) -> tuple[str, ...]:
    began, end = labels.moment(attempt.began), attempt.end or labels.ABSENT
    return str(attempt.number), began, attempt.where, str(attempt.resumed_epoch), end


def _table(caption: str, titles: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Table:
    columns = tuple(Column(title, title in ("%", "Value"), ()) for title in titles)
    cells = tuple(rows)
    return Table(caption, columns, cells, pd.DataFrame(cells, columns=list(titles)))


def _is_absent(value: object) -> bool:
    return value is None or value == "" or value is pd.NA or (isinstance(value, float) and math.isnan(value))
