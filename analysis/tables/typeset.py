"""A table for papers as Markdown, CSV or LaTeX; whatever users wrote reads there as they wrote it."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from itertools import groupby
from typing import Any, Literal

import pandas as pd

from analysis import labels
from analysis.papers.beside import Beside
from analysis.papers.rows import Figure
from analysis.tables.marking import Mark
from analysis.tables.paper import Cell, PaperTable, accuracies, accuracy_marks, minutes_marks, paper_table

Format = Literal["markdown", "csv", "latex"]
SUFFIXES: dict[str, Format] = {".md": "markdown", ".csv": "csv", ".tex": "latex"}
_LATEX = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\symbol{34}",  # \textquotedbl is unknown to LaTeX's default encoding
    "`": r"\textasciigrave{}",
    labels.ABSENT: r"\textendash{}",
    **{letter: f"\\{letter}" for letter in "{}$&#_%"},
}
_MARKDOWN = re.compile(r"[\\`*\[\]<>|~&$]|(?<![^\W_])_|_(?![^\W_])")


def typeset(found: Beside, kind: Format) -> str:
    """The whole text of a file of that kind."""
    if kind == "csv":
        return csv(found)
    return {"markdown": markdown, "latex": latex}[kind](paper_table(found))


def markdown(table: PaperTable) -> str:
    """A GitHub-flavoured table under its caption, its notes as a list."""
    lines = [
        _markdown_row(escape_markdown(heading.title) for heading in table.headings),
        _markdown_row("---:" if heading.numeric else "---" for heading in table.headings),
        *(_markdown_row(map(_markdown_cell, cells)) for cells in table.cells),
    ]
    body = ["", *lines] if table.cells else []
    notes = [f"- {escape_markdown(note)}" for note in table.notes]
    return "\n".join([f"**{escape_markdown(table.caption)}**", *body, "", *notes]) + "\n"


def latex(table: PaperTable) -> str:
    r"""A ``table*`` for a document that loads ``booktabs`` and ``graphicx``; it is scaled to the text's width."""
    columns = "".join("r" if heading.numeric else "l" for heading in table.headings)
    titles = _latex_row(escape_latex(heading.title) for heading in table.headings)
    body = [
        *(r"\resizebox{\textwidth}{!}{%", rf"\begin{{tabular}}{{@{{}}{columns}@{{}}}}", r"\toprule", titles),
        *_latex_sections(table),
        *(r"\bottomrule", r"\end{tabular}%", "}"),
    ]
    notes = " ".join(escape_latex(note) for note in table.notes)
    return (
        "\n".join(
            [
                *(r"% needs \usepackage{booktabs,graphicx}", r"\begin{table*}", r"\centering"),
                rf"\caption{{{escape_latex(table.caption)}}}",
                *(body if table.cells else []),
                *(rf"\par\smallskip\footnotesize {notes}", r"\end{table*}"),
            ]
        )
        + "\n"
    )


def csv(found: Beside) -> str:
    """Unrounded, accuracies as shares in [0, 1], a column of marks beside each figure that is ranked."""
    frame: dict[str, list[Any]] = {
        name: [getattr(row, name) for row in found.rows]
        for name in ("section", "method", "source", "data", "head", "network", "flagged", "epochs")
    }
    for name in accuracies(found):
        figures = [row.figures.get(name, Figure(math.nan)) for row in found.rows]
        ends = {"": "value", "_low": "low", "_high": "high"}
        frame |= {name + end: [getattr(figure, key) / 100 for figure in figures] for end, key in ends.items()}
        frame[f"{name}_mark"] = [mark.value for mark in accuracy_marks(found, name)]
    for name in ("seeds", "images", "minutes", "hardware"):
        frame[name] = [getattr(row, name) for row in found.rows]
    frame["minutes_mark"] = [mark.value for mark in minutes_marks(found)]
    for name in dict.fromkeys(name for row in found.rows for name in row.settings):
        frame[f"param.{name}"] = [row.settings.get(name) for row in found.rows]
    whole = dict.fromkeys(("epochs", "seeds", "images"), "Int64")
    return pd.DataFrame(frame).astype(whole).to_csv(index=False, float_format="%.12g")


def escape_markdown(text: str) -> str:
    """``text`` that GitHub's Markdown shows as it is, on one line."""
    return _MARKDOWN.sub(lambda found: f"\\{found[0]}", " ".join(text.split()))


def escape_latex(text: str) -> str:
    """``text`` that LaTeX sets as it is, on one line."""
    escaped = "".join(_LATEX.get(letter, letter) for letter in " ".join(text.split()))
    return re.sub("-(?=-)", "-{}", escaped)  # two hyphens would be set as a dash


def _markdown_cell(cell: Cell) -> str:
    wrapped = {Mark.NONE: "{}", Mark.BEST: "**{}**", Mark.SECOND: "<u>{}</u>"}[cell.mark]
    return " ".join(
        part for part in (wrapped.format(escape_markdown(cell.text)), escape_markdown(cell.interval)) if part
    )


def _markdown_row(cells: Any) -> str:
    return "| " + " | ".join(cells) + " |"


def _latex_cell(cell: Cell) -> str:
    command: Callable[[str], str] = {
        Mark.NONE: lambda text: text,
        Mark.BEST: lambda text: rf"\textbf{{{text}}}",
        Mark.SECOND: lambda text: rf"\underline{{{text}}}",
    }[cell.mark]
    interval = rf" {{\scriptsize {escape_latex(cell.interval)}}}" if cell.interval else ""
    return command(escape_latex(cell.text)) + interval


def _latex_row(cells: Any) -> str:
    # a row that began with a bracket would be read as an argument of the line break before it
    return "{}" + " & ".join(cells) + r" \\"


def _latex_sections(table: PaperTable) -> Iterator[str]:
    rows = zip(table.sections, table.cells, strict=True)
    for section, group in groupby(rows, key=lambda row: row[0]):
        yield r"\midrule"
        yield rf"\multicolumn{{{len(table.headings)}}}{{@{{}}l}}{{\emph{{{escape_latex(section)}}}}} \\"
        yield from (_latex_row(map(_latex_cell, cells)) for _, cells in group)
