"""A table: cells ready to read and the values behind them, for the terminal, as Markdown, CSV and JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import pandas as pd
from rich.table import Table as RichTable
from rich.text import Text


@dataclass(frozen=True)
class Column:
    """A column's heading, whether it holds figures, and the columns of ``Study.trials`` that it shows."""

    title: str
    numeric: bool
    sources: tuple[str, ...]


@dataclass(frozen=True)
class Table:
    """Cells ready to read, and the values behind them."""

    caption: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[str, ...], ...]
    values: pd.DataFrame
    """The same rows unrounded, under the names of ``Study.trials``."""

    def rich(self) -> RichTable:
        """For the terminal."""
        table = RichTable(title=Text(self.caption), title_justify="left")
        for column in self.columns:
            justify: Literal["left", "right"] = "right" if column.numeric else "left"
            table.add_column(Text(column.title), justify=justify, overflow="fold")
        for row in self.rows:
            table.add_row(*map(Text, row))
        return table

    def at(self, rows: Sequence[int]) -> Table:
        """These rows by their places, in that order."""
        return replace(self, rows=tuple(self.rows[row] for row in rows), values=self.values.iloc[list(rows)])

    def of(self, columns: Sequence[int]) -> Table:
        """These columns by their places, in that order; the values stay."""
        return replace(
            self,
            columns=tuple(self.columns[place] for place in columns),
            rows=tuple(tuple(row[place] for place in columns) for row in self.rows),
        )

    def markdown(self) -> str:
        """A GitHub-flavoured table under its caption."""
        lines = [
            _markdown_row(column.title for column in self.columns),
            _markdown_row("---:" if column.numeric else "---" for column in self.columns),
            *(_markdown_row(row) for row in self.rows),
        ]
        return "\n".join([self.caption, "", *lines]) + "\n"

    def csv(self) -> str:
        """The values at full precision; accuracies are shares in [0, 1], lists are as in JSON."""
        written = self.values.map(lambda value: json.dumps(value) if isinstance(value, tuple) else value)
        return written.to_csv(index=False)

    def json(self) -> str:
        """The same as JSON, an object a row; null for what is not known or no number. Pandas' own rounds small ones."""
        records = self.values.astype(object).to_dict("records")
        known = [{name: None if _is_missing(value) else value for name, value in row.items()} for row in records]
        return json.dumps(known, indent=2)


def _is_missing(value: object) -> bool:
    return value is pd.NA or (isinstance(value, float) and not math.isfinite(value))


def _markdown_row(cells: Any) -> str:
    return "| " + " | ".join(str(cell).replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"
