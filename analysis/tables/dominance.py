"""The headline table with how sure it is that each row stands on the frontier."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from analysis import labels
from analysis.frontier.confirmed import confirms
from analysis.frontier.resampling import DRAWS, candidates, sharing
from analysis.reading.runs import Study
from analysis.tables.table import Column, Table

COLUMN = Column("Chance of the frontier, %", True, ("chance",))
_PLACE = 2


def with_chances(study: Study, found: Table, chances: Mapping[str, float]) -> Table:
    """``found``, a study's headline, with a column of ``dominance.chances`` after the trainable."""
    if found.values.empty:
        return found
    names = found.values["configuration"] if confirms(study) else _ids(study, found)
    values = [chances.get(str(name), float("nan")) for name in names]
    drawn = "seeds and images" if confirms(study) else "images"
    alike = sharing(candidates(study, list(study.objectives)))
    chance = f"share of {DRAWS:,} draws of {drawn}{alike} in which no other is better in all objectives"
    return replace(
        found,
        caption=f"{found.caption}; chance: {chance}",
        columns=(*found.columns[:_PLACE], COLUMN, *found.columns[_PLACE:]),
        rows=tuple(
            (*row[:_PLACE], labels.percent(value), *row[_PLACE:]) for row, value in zip(found.rows, values, strict=True)
        ),
        values=found.values.assign(chance=values),
    )


def _ids(study: Study, found: Table) -> list[str]:
    ids = study.trials.set_index("number")["id"]
    return [str(ids[number]) for number in found.values["number"]]
