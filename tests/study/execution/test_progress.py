"""What a running study shows of the time."""

from __future__ import annotations

import io
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from rich.console import Console

from analysis.layout import study_paths
from analysis.schema import TrialStatus
from study.config import StudyConfig
from study.execution import progress
from study.execution.progress import Progress, frontier_table, running
from study.search.searcher import Search
from trainables.metrics import CLEAN_ACCURACY, FORWARD_EQUIVALENTS


def test_the_live_table_says_when_running_trials_began_and_is_drawn_anew_without_news(
    studies: Path, tiny: Callable[..., StudyConfig], monkeypatch: pytest.MonkeyPatch
) -> None:
    config, shown = tiny(), io.StringIO()
    paths = study_paths("tiny")
    paths.root.mkdir()
    with closing(Search.open(paths, config, config.search_space())) as search:
        assert running(search, time.time()) == []
        assert search.ask() is not None
        now = search.trials()[0].datetime_start
        assert now is not None
        assert running(search, now.timestamp() + 200) == ["running trials began: 0000 3 min 20 s ago"]
        with Progress(Console(file=shown, force_terminal=True, width=120), config) as live:
            live.began(search)
            assert "running trials began: 0000" in shown.getvalue()
            drawn = len(shown.getvalue())
            live.still(search)
            assert len(shown.getvalue()) == drawn, "a moment ago"
            monkeypatch.setattr(progress, "STILL_S", 0.0)
            live.still(search)
            assert len(shown.getvalue()) > drawn


def test_figures_read_as_everywhere(studies: Path, tiny: Callable[..., StudyConfig]) -> None:
    config, shown = tiny(objectives=[CLEAN_ACCURACY, FORWARD_EQUIVALENTS]), io.StringIO()
    paths = study_paths("tiny")
    paths.root.mkdir()
    with closing(Search.open(paths, config, config.search_space())) as search:
        assert search.ask() is not None
        search.tell(0, TrialStatus.FINISHED, {CLEAN_ACCURACY: 0.61, FORWARD_EQUIVALENTS: 98_304.0})
        Console(file=shown, width=120).print(frontier_table(search, config))
    assert [word for word in ("61.0%", "98.3 k", "–") if word not in shown.getvalue()] == []  # noqa: RUF001
