"""Tables at a glance: what varies, as far as there is room."""

from __future__ import annotations

import pandas as pd

from analysis.tables.glance import glance
from analysis.tables.table import Column, Table


def table(rows: list[tuple[str, ...]]) -> Table:
    titles = ("Trial", "Verdict", "Cost", "crops", "m")
    columns = tuple(Column(title, False, (title.lower(),)) for title in titles)
    return Table("All", columns, tuple(rows), pd.DataFrame(rows, columns=list(titles)))


WHOLE = table([("1", "trusted", "9", "4", "3"), ("2", "trusted", "8", "5", "2")])


def titles(found: Table) -> list[str]:
    return [column.title for column in found.columns]


def test_what_is_the_same_in_every_row_needs_no_column() -> None:
    seen = glance(WHOLE, ("trial",), lambda _: True)
    assert titles(seen.table) == ["Trial", "Cost", "crops", "m"]
    assert (seen.same, seen.left_out) == ({"Verdict": "trusted"}, [])
    assert seen.table.rows[1] == ("2", "8", "5", "2")


def test_columns_go_from_the_right_after_those_that_are_rather_missed() -> None:
    for room, kept in ((4, "Trial Cost crops m"), (3, "Trial crops m"), (2, "Trial crops"), (1, "Trial")):
        seen = glance(WHOLE, ("trial",), lambda found, room=room: len(found.columns) <= room, ("cost",))
        assert titles(seen.table) == kept.split()
    assert seen.left_out == ["Cost", "crops", "m"], "in the order of the table"


def test_what_is_wanted_stays_though_it_does_not_vary_or_fit() -> None:
    seen = glance(WHOLE, ("trial", "verdict"), lambda _: False)
    assert titles(seen.table) == ["Trial", "Verdict"]
    assert seen.same == {}


def test_in_a_single_row_nothing_is_the_same_as_elsewhere() -> None:
    assert len(glance(table([("1", "trusted", "9", "4", "3")]), (), lambda _: True).table.columns) == 5
