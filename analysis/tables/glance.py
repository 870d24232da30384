"""A table at a glance: without what is the same in every row, and as many columns as a line has room for."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import NamedTuple

from analysis.tables.table import Table


class Glance(NamedTuple):
    """``table``, and what it leaves out."""

    table: Table
    same: dict[str, str]
    """What is the same in every row, by heading."""
    left_out: list[str]
    """Headings of columns for which there was no room."""


def glance(
    table: Table, names: Collection[str], fits: Callable[[Table], bool], rather_without: Collection[str] = ()
) -> Glance:
    """``table`` with the columns that ``names`` name, whatever they hold, and of the others, which must vary, as many
    as it ``fits`` with: those ``rather_without`` go first, then from the right."""
    places = range(len(table.columns))
    wanted = {place for place in places if table.columns[place].sources[0] in names}
    constant = {place for place in places if len(table.rows) > 1 and _is_constant(table, place)} - wanted
    kept = [place for place in places if place not in constant]
    going = [place for place in kept if place not in wanted]
    going.sort(key=lambda place: (table.columns[place].sources[0] in rather_without, place))
    left_out: list[int] = []
    while going and not fits(table.of(kept)):
        kept.remove(place := going.pop())
        left_out.append(place)
    return Glance(
        table=table.of(kept),
        same={table.columns[place].title: table.rows[0][place] for place in sorted(constant)},
        left_out=[table.columns[place].title for place in sorted(left_out)],
    )


def _is_constant(table: Table, place: int) -> bool:
    return len({row[place] for row in table.rows}) == 1
