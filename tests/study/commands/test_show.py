"""Tables as a window of any width shows them: nothing is cut."""

from __future__ import annotations

import io

import pytest
from rich.console import Console
from rich.table import Table

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
        "rich.console.Console", lambda: Console(file=screen, width=width, force_terminal=True, color_system=None)
    )
    show.print_rich(table())
    text = screen.getvalue()
    assert max(map(len, text.splitlines())) <= width
    assert text.count("What was found") == 1
    for cell in ("0005", "robust_simclr", "92.7 [89.1, 95.2]", "0002", "cf_amc_ssl", "91.3 [87.5, 94.1]"):
        assert cell in text
    assert text.count("Clean accuracy, %") == blocks
