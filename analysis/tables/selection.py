"""Rows and columns of a table by their names, in a small language: a name, a comparison, a value."""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from numbers import Real
from typing import Any

import pandas as pd

from analysis import labels
from analysis.reading.runs import CONFIG, PARAM
from analysis.tables.table import Column, Table
from trainables.config import UserError
from trainables.metrics import is_share
from trainables.wording import meant

_ORDERED: Mapping[str, Callable[[Any, Any], bool]] = {
    "<=": operator.le,
    ">=": operator.ge,
    "<": operator.lt,
    ">": operator.gt,
}
_EQUAL: Mapping[str, Callable[[Any, Any], bool]] = {"!=": operator.ne, "=": operator.eq}
_COMPARISONS = {**_ORDERED, **_EQUAL}
_CONDITION = re.compile(r"\s*([^\s<>=!]+)\s*(<=|>=|!=|<|>|=)(?![<>=])\s*(\S.*?)\s*")
_MOST_WORDS = 6
"""Different values of a column that a line tells."""
_MOMENTS = ("started", "ended")
NOTHING = '""'
"""How a condition names the empty word."""


@dataclass(frozen=True, kw_only=True)
class Condition:
    """What a row must keep."""

    name: str
    comparison: str
    value: str

    @classmethod
    def parse(cls, text: str) -> Condition:
        """``epochs > 4``, ``note != ""``; raises ``UserError``."""
        if (found := _CONDITION.fullmatch(text)) is None:
            known = " ".join(_COMPARISONS)
            raise UserError(f"--where {text!r} is no condition; write NAME, one of {known} and a value: 'epochs > 4'")
        name, comparison, value = found.groups()
        return cls(name=name, comparison=comparison, value=_unquoted(value))

    def __str__(self) -> str:
        return f"{self.name} {self.comparison} {self.value or NOTHING}"

    def keeps(self, values: pd.Series[Any]) -> list[bool]:
        """Whether each of ``values`` keeps it: none does that is not known. Raises ``UserError`` where that is no
        question to ask of them."""
        asked = _number(self.value)
        known = [value for value in values if not _is_unknown(value)]
        if self.comparison in _ORDERED and (asked is None or (known and not any(map(_is_number, known)))):
            what = f"{self.value!r} is no number" if asked is None else f"{self.name} has no numbers"
            raise UserError(f"--where '{self}': {what}; compare with = or !=")
        return [not _is_unknown(value) and self._holds(value, asked) for value in values]

    def _holds(self, value: object, asked: float | None) -> bool:
        if asked is not None and _is_number(value):
            known = float(str(value))
            alike = math.isclose(known, asked, rel_tol=1e-9)
            strict = self.comparison in ("<", ">", "!=")
            return not strict if alike else _COMPARISONS[self.comparison](known, asked)
        return self.comparison in _EQUAL and _EQUAL[self.comparison](_text(value, self.name), self.value)


def select(
    table: Table,
    *,
    where: Iterable[Condition] = (),
    sort: str | None = None,
    limit: int | None = None,
    columns: Sequence[str] = (),
) -> Table:
    """The rows of ``table`` that keep every condition, the best in ``sort`` first, ``limit`` at most, and of these the
    ``columns`` in that order; all where none are named.

    Names are those of ``table.values``; of a searched dimension and of a setting also without what comes before them.
    More of an accuracy is better, of all else less; what is not known comes last. Raises ``UserError``.
    """
    kept = [condition.keeps(table.values[column_of(table, condition.name, "--where")]) for condition in where]
    rows = [place for place in range(len(table.rows)) if all(keeps[place] for keeps in kept)]
    if sort is not None:
        rows = _sorted(rows, table.values[(name := column_of(table, sort, "--sort"))].tolist(), falling=is_share(name))
    chosen = table.at(rows[:limit])
    if len(chosen.rows) < len(table.rows):
        chosen = replace(chosen, caption=f"{table.caption}; {len(chosen.rows)} of {len(table.rows)} rows")
    return _of(chosen, [column_of(table, name, "--columns") for name in columns]) if columns else chosen


def why_none(table: Table, conditions: Sequence[Condition]) -> str:
    """Of ``table``, which has rows, none of which keeps all ``conditions``: what those hold that no row keeps."""
    told = []
    for condition in conditions:
        values = table.values[name := column_of(table, condition.name, "--where")]
        if not any(condition.keeps(values)):
            told.append(f"No row keeps '{condition}': {condition.name} {_held(name, values)}")
    return "\n".join(told) or "No row keeps all of these conditions, though each is kept by some"


def _held(name: str, values: pd.Series[Any]) -> str:
    """``is 0.188 to 0.799``, ``is failed or finished``."""
    known = [value for value in values if not _is_unknown(value)]
    numbers = sorted(value for value in known if _is_number(value))
    words = sorted({_text(value, name) or NOTHING for value in known if not _is_number(value)})
    spelled = [labels.param(name.removeprefix(PARAM).removeprefix(CONFIG), value) for value in numbers]
    between = list(dict.fromkeys([spelled[0], spelled[-1]])) if spelled else []
    more = f" or one of {len(words) - _MOST_WORDS} more" if len(words) > _MOST_WORDS else ""
    held = [" to ".join(between)] * bool(between) + words[:_MOST_WORDS]
    return f"is {' or '.join(held)}{more}" if held else "is not known of any"


def column_of(table: Table, name: str, option: str) -> str:
    """What the column that ``name`` means is called in ``table.values``; ``UserError`` where there is none."""
    for full in (name, PARAM + name, CONFIG + name):
        if full in table.values:
            return full
    names = list(dict.fromkeys(str(full).removeprefix(PARAM).removeprefix(CONFIG) for full in table.values))
    raise UserError(f"{option}: there is no column {name!r}; {meant(name, names)}the first line of --csv has all names")


def _of(table: Table, names: Sequence[str]) -> Table:
    """The columns of these full names; a figure that no column shows is written as such."""
    shown = {column.sources[0]: place for place, column in enumerate(table.columns)}
    cells = [
        [row[shown[name]] for row in table.rows]
        if name in shown
        else [_cell(name, value) for value in table.values[name]]
        for name in names
    ]
    return replace(
        table,
        columns=tuple(table.columns[shown[name]] if name in shown else _column(table, name) for name in names),
        rows=tuple(zip(*cells, strict=True)),
        values=table.values[list(names)],
    )


def _column(table: Table, name: str) -> Column:
    title = name.removeprefix(PARAM).removeprefix(CONFIG)
    return Column(f"{title}, %" if is_share(name) else title, any(map(_is_number, table.values[name])), (name,))


def _cell(name: str, value: object) -> str:
    if _is_unknown(value):
        return labels.ABSENT
    if name in _MOMENTS:
        return labels.moment(float(str(value)))
    return labels.percent(float(str(value))) if is_share(name) else labels.param(name.removeprefix(CONFIG), value)


def _sorted(rows: Sequence[int], values: Sequence[object], *, falling: bool) -> list[int]:
    """Numbers before words before what is not known; equals stay in their order."""

    def key(row: int) -> tuple[int, float, str]:
        value = values[row]
        if _is_unknown(value):
            return 2, 0.0, ""
        if not _is_number(value):
            return 1, 0.0, _text(value)
        return 0, -float(str(value)) if falling else float(str(value)), ""

    return sorted(rows, key=key)


def _number(text: str) -> float | None:
    """``0.5``, ``8/255``; ``None`` for what is no number."""
    numerator, slash, denominator = text.partition("/")
    try:
        number = float(numerator) / float(denominator) if slash else float(numerator)
    except (ValueError, ZeroDivisionError):
        return None
    return None if math.isnan(number) else number


def _unquoted(value: str) -> str:
    return value[1:-1] if len(value) > 1 and value[0] == value[-1] and value[0] in "'\"" else value


def _text(value: object, name: str = "") -> str:
    """As a study file has a setting called ``name``: ``robust``, ``true``, ``[pgd, fgsm]``, ``[8/255]``."""
    return labels.param(name, value) if isinstance(value, list | tuple) else labels.plain_text(value)


def _is_number(value: object) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)


def _is_unknown(value: object) -> bool:
    return value is None or value is pd.NA or (isinstance(value, float) and math.isnan(value))
