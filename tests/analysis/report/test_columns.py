"""Columns that several traces hold stand once in the page."""

from __future__ import annotations

from typing import Any

from analysis.report.columns import SHARED, with_columns


def restored(value: Any, columns: list[Any]) -> Any:
    if isinstance(value, dict):
        found = {key: restored(one, columns) for key, one in value.items()}
        return columns[value[SHARED]] if SHARED in value else found
    return [restored(one, columns) for one in value] if isinstance(value, list) else value


def test_what_is_held_twice_is_written_once_and_found_again() -> None:
    numbers = [f"{number:04d}" for number in range(100)]
    packed = {"dtype": "f4", "bdata": "A" * 64}
    content = {
        "one": {"data": [{"ids": numbers, "x": packed, "y": list(range(100))}, {"x": packed}], "layout": {"height": 3}},
        "two": {"data": [{"ids": list(numbers), "x": [1, 2], "dimensions": [{"values": [0] * 50}] * 2}]},
    }
    written, columns = with_columns(content)
    assert columns == [numbers, packed, [0] * 50]
    assert written["two"]["data"][0] == {"ids": {SHARED: 0}, "x": [1, 2], "dimensions": [{"values": {SHARED: 2}}] * 2}
    assert written["one"]["data"][0]["y"] == list(range(100))
    assert restored(written, columns) == content


def test_nothing_is_shared_where_nothing_repeats() -> None:
    content = {"data": [{"x": list(range(100))}, {"x": [1]}, {"x": [1]}]}
    assert with_columns(content) == (content, [])
