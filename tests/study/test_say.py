"""What is printed reads as it was written."""

from __future__ import annotations

import pytest
from rich.table import Table

from study.commands.show import print_rich
from study.say import say, terminal


def test_lists_in_cells_and_lines_are_no_markup(capsys: pytest.CaptureFixture[str]) -> None:
    table = Table("evaluation.attacks")
    table.add_row("[pgd, auto_attack]")
    print_rich(table)
    assert "[pgd, auto_attack]" in capsys.readouterr().out
    console = terminal(stderr=True)
    console.print("[pgd]")
    say(console, "[fgsm]")
    assert capsys.readouterr().err.splitlines() == ["[pgd]", "[fgsm]"]
