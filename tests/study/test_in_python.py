"""What the guide shows in Python runs as it stands there, and the columns that it names are there."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from analysis.layout import study_paths
from analysis.reading.runs import read_study
from analysis.tables.rows import trial_rows
from study.config import StudyConfig

GUIDE = (Path(__file__).parents[2] / "docs" / "results.md").read_text("utf-8")
SECTION = GUIDE.partition("## In Python\n")[2].partition("\n## ")[0]


@pytest.fixture
def told(studies: Path, tiny: Callable[..., StudyConfig], monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the snippet leaves, run beside a ``first.yaml`` of tiny trials."""
    monkeypatch.chdir(studies)
    Path("first.yaml").write_text(tiny(name="first", budget={"trials": 2}).to_yaml())
    (snippet,) = re.findall(r"```python\n(.*?)```", SECTION, re.DOTALL)
    left: dict[str, Any] = {}
    exec(compile(snippet, "results.md", "exec"), left)
    return left


@pytest.mark.slow
def test_the_snippet_of_the_guide_runs(told: dict[str, Any], studies: Path) -> None:
    assert (len(told["study"].trials), len(told["study"].finished)) == (2, 2)
    assert 1 <= len(told["best"]) <= 2
    assert 0 < told["volume"] < 1
    assert "plotly" in (studies / "frontier.html").read_text()


def test_the_guide_names_the_columns_that_every_study_has(studies: Path) -> None:
    (studies / "empty").mkdir()
    always = list(trial_rows(read_study(study_paths("empty"))).values)
    assert [name for name in always if f"`{name}`" not in SECTION] == []
