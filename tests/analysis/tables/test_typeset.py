"""Markdown and LaTeX show what was written, whatever was written."""

from __future__ import annotations

import itertools
import re

from hypothesis import example, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from analysis.tables.marking import Mark
from analysis.tables.paper import Cell, Heading, PaperTable
from analysis.tables.typeset import escape_latex, escape_markdown, latex, markdown

TEXT = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Zl", "Zp")), max_size=20)
NASTY = st.lists(st.sampled_from([*'\\`*_{}[]<>()#+-!|~&$%^" a', "--", "&amp;", "**b**", "\\n", "a_b"]), max_size=8)
ANY = st.one_of(TEXT, NASTY.map("".join))


def shown(text: str) -> str:
    """As it reads: white space runs together."""
    return " ".join(text.split())


def table(text: str, section: str = "This study", note: str = "A note.") -> PaperTable:
    return PaperTable(
        caption=text,
        headings=(Heading("Method", False), Heading("Clean, %", True)),
        cells=((Cell(text), Cell("1.0", "[0.5, 1.5]", Mark.BEST)), (Cell("b"), Cell("0.5", mark=Mark.SECOND))),
        sections=(section, section),
        notes=(note,),
    )


def plain(token: object) -> str:
    return "".join(
        child.content for child in token.children or [] if child.type in ("text", "text_special", "code_inline")
    )  # type: ignore[attr-defined]


@settings(deadline=None)
@given(text=ANY)
@example(text="__0__")
def test_a_markdown_cell_reads_as_it_was_written(text: str) -> None:
    tokens = MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(markdown(table(text)))
    cells = [plain(token) for before, token in itertools.pairwise(tokens) if before.type == "td_open"]
    assert [shown(cell) for cell in cells] == [shown(text), "1.0 [0.5, 1.5]", "b", "0.5"]
    kinds = {child.type for token in tokens for child in token.children or []}
    assert kinds <= {"text", "text_special", "strong_open", "strong_close", "html_inline"}


def test_markdown_marks() -> None:
    lines = markdown(table("a")).splitlines()
    assert lines[4:6] == [r"| a | **1.0** \[0.5, 1.5\] |", "| b | <u>0.5</u> |"]
    assert escape_markdown("cf_amc_ssl, 16 (m=3)") == "cf_amc_ssl, 16 (m=3)", "what needs no escape stays legible"


@settings(deadline=None)
@given(text=ANY, section=ANY, note=ANY)
def test_latex_is_balanced_and_holds_no_bare_special_letter(text: str, section: str, note: str) -> None:
    made = latex(table(text, section, note))
    body = made.partition(r"\toprule")[2].partition(r"\bottomrule")[0]
    rows = [line for line in body.splitlines() if line.endswith(r"\\")]
    assert [len(re.findall(r"(?<!\\)&", row)) for row in rows] == [1, 0, 1, 1]
    depth = 0
    for token in re.findall(r"\\.|[{}]", made, flags=re.DOTALL):
        depth += {"{": 1, "}": -1}.get(token, 0)
        assert depth >= 0
    assert depth == 0
    for escaped in (escape_latex(text), escape_latex(section)):
        bare = re.sub(r"\\(text[a-z]+\{\}|symbol\{34\}|[{}$&#_%])|-\{\}", "", escaped)
        assert not set(bare) & set('\\{}$&#_%~^<>|"`')
        assert "--" not in escaped
    assert made.count(r"\begin{") == made.count(r"\end{")


@settings(deadline=None)
@given(text=ANY)
def test_latex_reads_back(text: str) -> None:
    names = {"backslash": "\\", "asciitilde": "~", "asciicircum": "^", "less": "<", "greater": ">", "bar": "|"}
    names |= {"asciigrave": "`", "endash": "–"}  # noqa: RUF001
    read = re.sub(
        r"\\text([a-z]+)\{\}|\\([{}$&#_%])|-\{\}",
        lambda found: names[found[1]] if found[1] else found[2] or "-",
        escape_latex(text).replace(r"\symbol{34}", '"'),
    )
    assert read == shown(text)


def test_latex_marks_and_sections() -> None:
    lines = latex(table("a_b")).splitlines()
    assert r"{}a\_b & \textbf{1.0} {\scriptsize [0.5, 1.5]} \\" in lines
    assert r"{}b & \underline{0.5} \\" in lines
    assert r"\multicolumn{2}{@{}l}{\emph{This study}} \\" in lines
    assert lines.count(r"\midrule") == 1
    assert r"\begin{tabular}{@{}lr@{}}" in lines


def test_no_row_no_tabular() -> None:
    empty = PaperTable(caption="a", headings=(), cells=(), sections=(), notes=("Nothing.",))
    assert "tabular" not in latex(empty)
    assert markdown(empty) == "**a**\n\n- Nothing.\n"
