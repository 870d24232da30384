"""Tables as a window of any width shows them: nothing is cut."""

from __future__ import annotations

import io

import pandas as pd
import pytest
from rich.console import Console
from rich.table import Table

from analysis.tables.table import Column
from analysis.tables.table import Table as TableOf
from study.commands import show


def table() -> Table:
    found = Table(title="What was found")
    for heading in ("Trial", "Trainable", "Clean accuracy, %"):
        found.add_column(heading)
    found.add_row("0005", "robust_simclr", "92.7 [89.1, 95.2]")
    found.add_row("0002", "cf_amc_ssl", "91.3 [87.5, 94.1]")
    return found


@pytest.mark.parametrize(("width", "blocks"), [(100, 1), (42, 2)])
def test_no_cell_is_cut_or_broken(monkeypatch: pytest.MonkeyPatch, width: int, blocks: int) -> None:
    screen = io.StringIO()
    monkeypatch.setattr(
        "study.say.terminal", lambda: Console(file=screen, width=width, force_terminal=True, color_system=None)
    )
    show.print_rich(table())
    text = screen.getvalue()
    assert max(map(len, text.splitlines())) <= width
    assert text.count("What was found") == 1
    for cell in ("0005", "robust_simclr", "92.7 [89.1, 95.2]", "0002", "cf_amc_ssl", "91.3 [87.5, 94.1]"):
        assert cell in text
    assert text.count("Clean accuracy, %") == blocks


def test_a_title_has_the_windows_width_and_not_its_tables(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    narrow = Table(title="All trials; robust head, validation split, n = 503 images")
    narrow.add_column("Trial")
    narrow.add_row("0005")
    show.print_rich(narrow)
    assert capsys.readouterr().out.splitlines()[0] == "All trials; robust head, validation split, n = 503 images"


@pytest.mark.parametrize(
    ("columns", "tables", "widest"),
    [(None, 1, 700), ("", 1, 700), ("700", 1, 700), ("120", 1, 120), ("42", 3, 42)],
    ids=["as wide as it is", "no number", "wide enough", "one cell folds", "blocks"],
)
def test_what_is_printed_into_a_pipe_is_as_wide_as_it_is_or_as_columns_says(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], columns: str | None, tables: int, widest: int
) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    if columns is not None:
        monkeypatch.setenv("COLUMNS", columns)
    found, reason = table(), " ".join(["a word"] * 80)
    found.add_row("0007", reason, "1")
    show.print_rich(found)
    text = capsys.readouterr().out
    assert text.count("Clean accuracy, %") == tables
    assert (reason in text) == (widest == 700)
    assert text.count("word") == 80
    assert max(map(len, text.splitlines())) <= widest


def test_headings_fold_before_a_row_becomes_a_block(monkeypatch: pytest.MonkeyPatch) -> None:
    screen, found = io.StringIO(), table()
    found.add_column("crop_scale_min", justify="right")
    for cell in ("0.293", "0.5"):
        found.columns[-1]._cells.append(cell)
    monkeypatch.setattr(
        "study.say.terminal", lambda: Console(file=screen, width=60, force_terminal=True, color_system=None)
    )
    show.print_rich(found)
    lines = screen.getvalue().splitlines()
    assert max(map(len, lines)) <= 60
    assert [line for line in lines if "0005" in line and "robust_simclr" in line and "0.293" in line]
    heads = [line.split("┃")[-2].strip() for line in lines if line.startswith("┃")]
    assert heads == ["crop_", "scale_min"], "at what joins the parts of a name, in as few lines as there is room for"


def test_headings_beside_what_they_say_stay_one_table_whatever_the_width(monkeypatch: pytest.MonkeyPatch) -> None:
    screen, folder = io.StringIO(), "/home/somebody/studies/first/trials/0003"
    monkeypatch.setattr(
        "study.say.terminal", lambda: Console(file=screen, width=30, force_terminal=True, color_system=None)
    )
    page = pd.DataFrame([["Trainable", "cf_amc_ssl"], ["Files", folder]])
    columns = (Column("", False, ()), Column(" ", False, ()))
    show.print_rich(TableOf("Trial first/0003", columns, tuple(map(tuple, page.to_numpy())), page).rich())
    lines = screen.getvalue().splitlines()
    assert any("Trainable" in line and "cf_amc_ssl" in line for line in lines)
    assert folder in "".join(line.split("│")[2].strip() for line in lines if line.startswith("│"))


def test_what_is_longer_than_a_block_is_folded(monkeypatch: pytest.MonkeyPatch) -> None:
    screen, found = io.StringIO(), table()
    found.add_row("0007", "x" * 100, "1")
    monkeypatch.setattr(
        "study.say.terminal", lambda: Console(file=screen, width=42, force_terminal=True, color_system=None)
    )
    show.print_rich(found)
    assert "0007" in screen.getvalue()
    assert screen.getvalue().count("x") == 100
