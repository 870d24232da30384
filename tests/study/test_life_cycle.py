"""Real studies through their lives, with real Optuna databases: however one ends, nothing in it stays running."""

from __future__ import annotations

import io
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import optuna
import pytest
from rich.console import Console

from analysis.frontier.pareto import frontier
from analysis.layout import ENDED, StudyPaths, read_events, study_paths
from analysis.reading.runs import read_study
from study.config import StudyConfig
from study.execution.session import Session
from study.extend import extend
from study.launch import launch, resume
from study.search.searcher import Search

Tiny = Callable[..., StudyConfig]
pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("studies")]

SPACE = {"unlisted": "fixed", "learning_rate": {"low": 0.05, "high": 1.0}, "m": [1, 2]}


@contextmanager
def stopped_in(number: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Ctrl-C after the first epoch of trial ``number``."""
    reported = Session.reported

    def interrupting(session: Session, of: int) -> None:
        reported(session, of)
        if of == number:
            signal.raise_signal(signal.SIGINT)

    with monkeypatch.context() as patch:
        patch.setattr(Session, "reported", interrupting)
        with pytest.raises(SystemExit):
            yield


def assert_whole(paths: StudyPaths, trials: int) -> None:
    """Every trial is there once and has ended, in Optuna as in its folder, and both have the same frontier."""
    stored = optuna.load_study(study_name=paths.name, storage=f"sqlite:///{paths.optuna}")
    assert all(trial.state.is_finished() for trial in stored.trials)
    folders = list(paths.each_trial())
    assert len(folders) == trials
    assert all([event["kind"] for event in read_events(folder)].count(ENDED) == 1 for folder in folders)
    config = StudyConfig.load(paths.study_file)
    search = Search.open(paths, config, config.search_space())
    assert [trial.number for trial in search.trials()] == [folder.number for folder in folders]
    assert {trial.number for trial in search.frontier()} == set(frontier(read_study(paths))["number"])
    search.close()


def test_stopped_resumed_extended_and_learned_from(tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    quiet: dict[str, Any] = {"backend": "inline", "console": Console(file=io.StringIO())}
    config = tiny(space=SPACE, sampler="tpe", settings={"optimiser.epochs": 2}, budget={"trials": 3})
    with stopped_in(1, monkeypatch):
        launch(config, **quiet)
    paths = study_paths("tiny")
    resume("tiny", **quiet)
    assert_whole(paths, 3)
    first = [folder.events.read_bytes() for folder in paths.each_trial()]
    with stopped_in(3, monkeypatch):
        extend("tiny", trials=1, **quiet)
    other = {"sampler": "gp", "scheduler": "halving", "constraints": {"clean_accuracy": {"at_least": 0.01}}}
    extend("tiny", changes={"space.learning_rate": {"low": 2.0, "high": 3.0}} | other, **quiet)
    assert_whole(paths, 4)
    extend("tiny", trials=1, **quiet)
    assert_whole(paths, 5)
    assert [paths.trial(number).events.read_bytes() for number in range(3)] == first
    heir = tiny(name="heir", space=SPACE, settings={"optimiser.epochs": 2}, sampler="nsga2", budget={"trials": 2})
    heir = heir.with_warm_start(["tiny"])
    with stopped_in(4, monkeypatch):
        launch(heir, **quiet)
    resume("heir", **quiet)
    assert_whole(study_paths("heir"), 2)
