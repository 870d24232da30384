"""What each trainable of a study got and gave, as a table: a row a trainable."""

from __future__ import annotations

from analysis import labels
from analysis.frontier.measured import searches
from analysis.frontier.shares import EQUAL, FRONTIER, equal_minutes, shares, statuses
from analysis.reading.runs import Study
from analysis.tables.table import Column, Table
from trainables.metrics import FORWARD_EQUIVALENTS, GPU_MINUTES

_TRAINABLE = Column("Trainable", False, ("trainable",))
_SHARES = (
    Column("GPU-minutes", True, (GPU_MINUTES,)),
    Column("of all, %", True, (f"{GPU_MINUTES}_share",)),
    Column("Forward-equivalents", True, (FORWARD_EQUIVALENTS,)),
    Column("of all, %", True, (f"{FORWARD_EQUIVALENTS}_share",)),
    Column("On the frontier", True, (FRONTIER,)),
    Column("of all, %", True, (f"{FRONTIER}_share",)),
    Column("On the frontier, at equal GPU-minutes", True, (EQUAL,)),
    Column("of all, %", True, (f"{EQUAL}_share",)),
)


def shares_table(study: Study) -> Table | None:
    """A row a trainable of ``shares``; ``None`` for a study of one trainable, and for one that searches nothing."""
    found = shares(study)
    if not searches(study) or len(found) < 2:
        return None
    caption = f"Trainables of {study.name}: what each got, and its points on the frontier"
    if (least := equal_minutes(study)) > 0:
        caption += f"; at equal GPU-minutes: of the first {labels.cost(least)} of each"
    counted = (Column(status.capitalize(), True, (status,)) for status in statuses(study))
    columns = (_TRAINABLE, *counted, *_SHARES)
    records = found.to_dict("records")
    rows = tuple(tuple(_cell(column.sources[0], record[column.sources[0]]) for column in columns) for record in records)
    return Table(caption=caption, columns=columns, rows=rows, values=found)


def _cell(name: str, value: object) -> str:
    if name.endswith("_share"):
        return labels.percent(float(str(value)))
    if name in (GPU_MINUTES, FORWARD_EQUIVALENTS):
        return labels.cost(float(str(value)))
    return str(value)
