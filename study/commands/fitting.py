"""Tables in a window of any width: first headings fold, then the longest cells, and last a row becomes a block."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from rich.cells import cell_len
from rich.console import Console, Group, RenderableType
from rich.table import Column, Table
from rich.text import Text

Part = str | Table
"""A line, or a table, of what a command shows."""
_BLOCK = 2
"""Columns of a block: a heading, and what stands under it."""
_FOLDED = 24
"""A cell that folds is at least so wide, so that its words stay together."""
_PARTS = re.compile(r"(?<=[ _-])(?=\w|\()")
"""Where a heading may be broken."""
_ENOUGH = 9
"""Lines of a heading that no word asks for more."""


def fitted(found: RenderableType, console: Console) -> RenderableType:
    """``found`` so that the console cuts and breaks none of its cells, but for what folds. A title has the whole
    window's width: Rich folds it to that of its table, which may be a column of numbers."""
    if not isinstance(found, Table):
        return found
    title, found.title = found.title, None
    fits = len(found.columns) <= _BLOCK or _fold(found, console.width)
    parts = [found] if fits else _stacked(found)
    return Group(*([title] if title else []), *parts)


def narrowest(table: Table) -> int:
    """Columns of a window in which no cell of ``table`` folds; its headings may."""
    return sum(_widths(table, _ENOUGH)) + _frame(table)


def _fold(table: Table, width: int) -> bool:
    """Set the columns' widths; whether they fit. Rather fold headings than cells, and neither more than need be."""
    room = width - _frame(table)
    for lines in range(1, _ENOUGH + 1):
        if sum(widths := _widths(table, lines)) <= room:
            if lines > 1:
                _set(table, widths)
            return True
    for lines in range(1, _ENOUGH + 1):
        widths = _widths(table, lines)
        long = [place for place, column in enumerate(table.columns) if _may_fold(column)]
        rest = room - sum(own for place, own in enumerate(widths) if place not in long)
        if long and (each := rest // len(long)) >= _FOLDED:
            _set(table, [min(each, own) if place in long else own for place, own in enumerate(widths)])
            return True
    return False


def _set(table: Table, widths: Sequence[int]) -> None:
    for column, width in zip(table.columns, widths, strict=True):
        column.width, column.overflow = width, "fold"
        column.header = Text("\n".join(_wrapped(column, width)))


def _frame(table: Table) -> int:
    """Rules between the columns, and a space on both sides of a cell."""
    return 3 * len(table.columns) + 1


def _may_fold(column: Column) -> bool:
    return column.justify == "left" and _longest(column) > _FOLDED


def _longest(column: Column) -> int:
    return max((cell_len(line) for cell in column.cells for line in _plain(cell).splitlines()), default=0)


def _widths(table: Table, lines: int) -> list[int]:
    """Of each column, with so many lines for its heading."""
    return [_width(column, lines) for column in table.columns]


def _width(column: Column, lines: int) -> int:
    heading, least = cell_len(_plain(column.header)), max(1, _longest(column))
    return next((width for width in range(least, heading) if _folds(column, width, lines)), max(least, heading))


def _folds(column: Column, width: int, lines: int) -> bool:
    """Whether the heading, of that ``width``, has at most so many lines and no word of it is broken."""
    folded = _wrapped(column, width)
    return len(folded) <= lines and all(cell_len(line) <= width for line in folded)


def _wrapped(column: Column, width: int) -> list[str]:
    """The heading in lines of that width, as far as its words and their parts, ``crop_`` and ``scale_``, allow."""
    lines = [""]
    for part in _PARTS.split(_plain(column.header)):
        joined = lines[-1] + part
        lines = [*lines[:-1], joined] if cell_len(joined.rstrip()) <= width or not lines[-1] else [*lines, part]
    return [line.rstrip() for line in lines]


def _plain(cell: Any) -> str:
    return cell.plain if isinstance(cell, Text) else str(cell)


def _stacked(table: Table) -> list[Table]:
    """A block a row, a line a cell."""
    headings = [column.header for column in table.columns]
    blocks = []
    for cells in zip(*(column.cells for column in table.columns), strict=True):
        block = Table(show_header=False, title_justify="left")
        for _ in range(_BLOCK):
            block.add_column(overflow="fold")
        for heading, cell in zip(headings, cells, strict=True):
            block.add_row(heading, cell)
        blocks.append(block)
    return blocks
