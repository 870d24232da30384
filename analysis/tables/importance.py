"""Importances as a table: a row a dimension, a column an objective."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import pandas as pd

from analysis import labels
from analysis.reading.runs import Study
from analysis.searched.importance import BEST, FEWEST_BEST, importances, objective_title
from analysis.tables.table import Column, Table


def importance_table(study: Study, found: pd.DataFrame | None = None) -> Table | None:
    """A row a trainable and dimension with its share of each objective; ``None`` where nothing has importances.

    ``found``: ``importances(study)`` where that is known already.
    """
    found = importances(study) if found is None else found
    if found.empty:
        return None
    objectives = list(dict.fromkeys(found["objective"]))
    columns = (
        Column("Trainable", False, ("trainable",)),
        Column("Dimension", False, ("dimension",)),
        *(Column(f"{objective_title(name, study)}, %", True, _sources(name)) for name in objectives),
        Column("Trials", True, ("trials",)),
    )
    values = pd.DataFrame(_records(found)).reindex(columns=[name for column in columns for name in column.sources])
    rows = tuple(tuple(_cell(record, column) for column in columns) for record in values.to_dict("records"))
    return Table(caption=f"{caption(study)}; [95 % bootstrap interval]", columns=columns, rows=rows, values=values)


def caption(study: Study) -> str:
    """What a share is a share of."""
    return (
        f"Importance of what {study.name} searched: share of PED-ANOVA's importance for being among the best "
        f"{BEST * 100:g} % of the trials, at least {FEWEST_BEST}"
    )


def _sources(objective: str) -> tuple[str, ...]:
    return f"{objective}_share", f"{objective}_low", f"{objective}_high"


def _records(found: pd.DataFrame) -> list[dict[str, Any]]:
    """In the order of ``found``, whose first objective therefore ranks the dimensions."""
    records: dict[tuple[str, str], dict[str, Any]] = {}
    for row in found.to_dict("records"):
        key = {name: row[name] for name in ("trainable", "dimension")}
        record = records.setdefault((row["trainable"], row["dimension"]), key | {"trials": 0})
        figures = (row["share"], row["low"], row["high"])
        record |= dict(zip(_sources(row["objective"]), figures, strict=True))
        record["trials"] = max(record["trials"], row["trials"])
    return list(records.values())


def _cell(record: dict[Hashable, Any], column: Column) -> str:
    values = [record[source] for source in column.sources]
    return labels.percent_interval(*values) if len(values) == 3 else str(values[0])
