"""A study's trials and epochs as data: everything that is known of each, for scripts and other programs."""

from __future__ import annotations

from dataclasses import replace

from analysis import labels
from analysis.progress import epochs
from analysis.progress.so_far import with_costs
from analysis.reading.runs import Study
from analysis.tables.table import Column, Table
from analysis.tables.trials import trials_table, whole_settings


def trial_rows(study: Study) -> Table:
    """``trials_table``; ``values`` have every column of ``Study.trials``, and what unfinished trials have cost."""
    return replace(trials_table(study), values=whole_settings(with_costs(study)))


def epoch_rows(study: Study) -> Table:
    """One row an epoch of each trial; ``values`` are ``Study.curves``, whose ``trial`` is a trial's ``number``."""
    metrics = [name for name in map(str, study.curves) if name not in ("trial", "epoch")]
    return Table(
        caption=f"Epochs of the trials of {study.name}",
        columns=(
            Column("Trial", True, ("trial",)),
            Column("Epoch", True, ("epoch",)),
            *(Column(epochs.title(name), True, (name,)) for name in metrics),
        ),
        rows=tuple(
            (
                labels.trial_number(int(row["trial"])),
                str(row["epoch"]),
                *(epochs.words(name, row[name]) for name in metrics),
            )
            for row in study.curves.to_dict("records")
        ),
        values=study.curves,
    )
