"""What a running study shows, of its trials and of the time."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from analysis.layout import study_paths
from analysis.schema import TrialStatus
from study.config import StudyConfig
from study.execution import progress
from study.execution.progress import Progress, frontier_table, trial_line
from study.execution.standing import Standing
from study.search.budget import about
from study.search.searcher import Search
from trainables.metrics import (
    AUTO_ATTACK_ACCURACY,
    AUTO_ATTACK_IMAGES,
    CLEAN_ACCURACY,
    EVALUATION_IMAGES,
    FORWARD_EQUIVALENTS,
    GPU_MINUTES,
    PGD_ACCURACY,
)


@contextmanager
def begun(config: StudyConfig, trials: int = 1) -> Iterator[Search]:
    """A search that has handed out so many."""
    paths = study_paths("tiny")
    paths.root.mkdir(exist_ok=True)
    search = Search.open(paths, config, config.search_space())
    for _ in range(trials):
        assert search.ask() is not None
    yield search
    search.close()


def test_the_live_table_says_when_running_trials_began_and_is_drawn_anew_without_news(
    studies: Path, tiny: Callable[..., StudyConfig], monkeypatch: pytest.MonkeyPatch
) -> None:
    config, shown = tiny(), io.StringIO()
    with begun(config) as search:
        start = search.trials()[0].datetime_start
        assert start is not None
        later = replace(Standing.read(search), now=start.timestamp() + 200)
        assert later.began() == ["running trials began: 0000 3 min 20 s ago"]
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
    with begun(config) as search:
        search.tell(0, TrialStatus.FINISHED, {CLEAN_ACCURACY: 0.61, FORWARD_EQUIVALENTS: 98_304.0})
        Console(file=shown, width=120).print(frontier_table(search.frontier(), 1, config))
    assert [word for word in ("61.0%", "98.3 k", "–") if word not in shown.getvalue()] == []  # noqa: RUF001


@pytest.mark.parametrize(("seen", "told"), [(20.0, "AutoAttack 50.0% of 20 images"), (80.0, "AutoAttack 50.0%")])
def test_a_line_says_whose_network_it_is_and_how_few_images_autoattack_saw(
    studies: Path, tiny: Callable[..., StudyConfig], seen: float, told: str
) -> None:
    figures = {CLEAN_ACCURACY: 0.7, PGD_ACCURACY: 0.475, AUTO_ATTACK_ACCURACY: 0.5}
    with begun(tiny()) as search:
        search.tell(0, TrialStatus.FINISHED, {**figures, AUTO_ATTACK_IMAGES: seen, EVALUATION_IMAGES: 80.0})
        line = trial_line(search.trials()[0], optimal=False, origin="first/0004")
    assert line.split("  ")[0] == "trial 0000 (first/0004)"
    assert told in line.split("  ")


def test_a_reason_is_told_as_it_is_and_steers_nothing(studies: Path, tiny: Callable[..., StudyConfig]) -> None:
    config, shown = tiny(), io.StringIO()
    with begun(config) as search, Progress(Console(file=shown, width=80), config) as told:
        search.tell(0, TrialStatus.FAILED, {}, "ValueError: [/red] of shape [b, d] \x1b[2J")
        told.ended(search, 0)
    assert r"failed: ValueError: [/red] of shape [b, d] \x1b[2J" in shown.getvalue()


@pytest.mark.parametrize("terminal", [True, False])
def test_what_ended_and_the_time_left_are_told(
    studies: Path, tiny: Callable[..., StudyConfig], monkeypatch: pytest.MonkeyPatch, terminal: bool
) -> None:
    config, shown = tiny(budget={"trials": 6}), io.StringIO()
    monkeypatch.setattr(progress, "REDRAW_S", 0.0)
    with (
        begun(config, 4) as search,
        Progress(Console(file=shown, force_terminal=terminal, width=200), config) as told,
    ):
        told.began(search)
        assert "0 of 6 trials ended, 4 running; 0.0 minutes" in shown.getvalue()
        assert "left" not in shown.getvalue()
        for number in (0, 1):
            search.tell(number, TrialStatus.FINISHED, {CLEAN_ACCURACY: 0.6, PGD_ACCURACY: 0.3, GPU_MINUTES: 10.0})
        search.tell(2, TrialStatus.FAILED, {}, "out of luck")
        monkeypatch.setattr(search, "wall_minutes", lambda: 30.0)
        monkeypatch.setattr(search, "own_minutes", lambda: 0.0)
        told.ended(search, 2)
        *_, last = shown.getvalue().split("3 of 6 trials ended (1 failed)")
        assert "about 30 min left" in last


def test_a_trial_that_waits_to_be_gone_on_with_does_not_run(studies: Path, tiny: Callable[..., StudyConfig]) -> None:
    with begun(tiny(), 2):
        pass
    with begun(tiny(), 1) as search:
        assert Standing.read(search).counts(tiny().budget) == "0 of 3 trials ended, 1 running; 0.0 minutes"


def test_a_reading_of_the_search_asks_for_its_trials_once(
    studies: Path, tiny: Callable[..., StudyConfig], monkeypatch: pytest.MonkeyPatch
) -> None:
    config, asked = tiny(), list[int]()
    with begun(config) as search, Progress(Console(file=io.StringIO(), force_terminal=True), config) as live:
        trials = search.trials
        monkeypatch.setattr(search, "trials", lambda: asked.append(1) or trials())
        live.began(search)
        assert len(asked) == 1


@pytest.mark.parametrize(
    ("minutes", "words"), [(0.2, "about 1 min left"), (12.3, "about 12 min left"), (150.0, "about 2.5 h left")]
)
def test_hours_are_told_as_hours(minutes: float, words: str) -> None:
    assert about(minutes) == words


def test_once_nothing_more_begins_the_time_left_is_that_of_those_that_run(
    studies: Path, tiny: Callable[..., StudyConfig], monkeypatch: pytest.MonkeyPatch
) -> None:
    config, shown = tiny(budget={"trials": 60}), io.StringIO()
    with begun(config, 2) as search, Progress(Console(file=shown, force_terminal=True, width=200), config) as live:
        search.tell(0, TrialStatus.FINISHED, {CLEAN_ACCURACY: 0.6, PGD_ACCURACY: 0.3, GPU_MINUTES: 10.0})
        monkeypatch.setattr(search, "wall_minutes", lambda: 10.0)
        monkeypatch.setattr(search, "own_minutes", lambda: 0.0)
        live.began(search)
        assert "1 of 60 trials ended, 1 running; 10.0 minutes; about 9.8 h left" in shown.getvalue()
        live.expect(search, config.budget.model_copy(update={"trials": 0}))
        *_, last = shown.getvalue().split("1 of 60 trials ended")
        assert "about 10 min left" in last
        live.expect(search, None)
        *_, last = shown.getvalue().split("1 of 60 trials ended")
        assert "left" not in last
