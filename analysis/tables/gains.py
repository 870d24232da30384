"""What each trainable of a study gained, as a table: a row a trainable."""

from __future__ import annotations

from analysis import labels
from analysis.frontier.history import ADDED, ALONE, GPU_HOURS, LOST, gains, words
from analysis.frontier.measured import searches
from analysis.reading.runs import Study
from analysis.tables.table import Column, Table

_COLUMNS = (
    Column("Trainable", False, ("trainable",)),
    Column("Trials ended", True, ("trials",)),
    Column("GPU-hours", True, (GPU_HOURS,)),
    Column("Hypervolume of its own, %", True, (ALONE,)),
    Column("Gained when its trials ended, %", True, (ADDED,)),
    Column("Lost without it, %", True, (LOST,)),
)
GAINS = (
    "Of its own: what its trials reach by themselves. Gained when its trials ended: by how much they raised the "
    "study's, which favours who came first; all gains add up to it. Lost without it: what the study's would lack, "
    "which counts only what no other trainable reached"
)
"""What the columns of ``gains_table`` say."""


def gains_table(study: Study) -> Table | None:
    """``gains`` for people; ``None`` where nothing is searched, or fewer than two trainables have ended trials."""
    found = gains(study)
    if not searches(study) or len(found) < 2:
        return None
    rows = tuple(tuple(_cell(name, value) for name, value in record.items()) for record in found.to_dict("records"))
    return Table(caption=f"{study.name}, by trainable. {words(study)}", columns=_COLUMNS, rows=rows, values=found)


def _cell(name: object, value: object) -> str:
    if name in (ALONE, ADDED, LOST):
        return f"{float(str(value)) * 100:.2f}"
    return labels.cost(float(str(value))) if name == GPU_HOURS else str(value)
