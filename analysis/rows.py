"""A study's trials and epochs as data: everything that is known of each, for scripts and other programs."""

from __future__ import annotations

from dataclasses import replace

from analysis import labels
from analysis.runs import Study
from analysis.so_far import with_costs
from analysis.tables import Column, Table, trials_table, whole_settings
from trainables.metrics import PROBE_ACCURACY, PROBE_PGD_ACCURACY

_PROBES = (PROBE_ACCURACY, PROBE_PGD_ACCURACY)


def trial_rows(study: Study) -> Table:
    """``trials_table``; ``values`` have every column of ``Study.trials``, and what unfinished trials have cost."""
    return replace(trials_table(study), values=whole_settings(with_costs(study)))


def epoch_rows(study: Study) -> Table:
    """One row an epoch of each trial; ``values`` are ``Study.curves``, whose ``trial`` is a trial's ``number``."""
    metrics = [name for name in map(str, study.curves) if name not in ("trial", "epoch")]
    return Table(
        caption=f"Epochs of the trials of {study.name}",
        columns=(Column("Trial", True, ("trial",)), Column("Epoch", True, ("epoch",)), *map(_column, metrics)),
        rows=tuple(
            (labels.trial_number(int(row["trial"])), str(row["epoch"]), *(_cell(name, row[name]) for name in metrics))
            for row in study.curves.to_dict("records")
        ),
        values=study.curves,
    )


def _column(metric: str) -> Column:
    name = metric.removeprefix("train/").replace("_", " ")
    return Column(f"{name}, %" if metric in _PROBES else name, True, (metric,))


def _cell(metric: str, value: float) -> str:
    return labels.percent(value) if metric in _PROBES else labels.cost(value)
