"""Long columns that several traces of a page hold, such as its trials' numbers, written once."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from typing import Any

SHARED = "shared"
"""The key under which the place of a column stands where the column stood."""
_LONG = 32
"""Entries, or letters of a packed column, below which sharing is not worth its words."""


def with_columns(content: dict[str, Any]) -> tuple[dict[str, Any], list[Any]]:
    """``content``, plain JSON, with its repeated columns replaced by ``{SHARED: place}``; and those columns."""
    texts: Counter[str] = Counter()

    def count(column: Any) -> Any:
        texts[json.dumps(column)] += 1
        return column

    _each_column(content, count)
    places = {text: place for place, text in enumerate(text for text, times in texts.items() if times > 1)}

    def replace(column: Any) -> Any:
        place = places.get(json.dumps(column))
        return column if place is None else {SHARED: place}

    return _each_column(content, replace), list(map(json.loads, places))


def _each_column(value: Any, change: Callable[[Any], Any]) -> Any:
    if _is_column(value):
        return change(value)
    if isinstance(value, dict):
        return {key: _each_column(item, change) for key, item in value.items()}
    return [_each_column(item, change) for item in value] if isinstance(value, list) else value


def _is_column(value: Any) -> bool:
    if isinstance(value, dict):
        return len(value.get("bdata", "")) >= _LONG
    return isinstance(value, list) and len(value) >= _LONG and not any(isinstance(one, dict | list) for one in value)
