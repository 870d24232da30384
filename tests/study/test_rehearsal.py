"""What a resume would do is told, and not done."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from analysis.layout import ATTEMPT, ENDED, EPOCH, LOST, StudyPaths, append_event, study_paths, write_json
from study.commands.main import app
from study.config import StudyConfig
from study.files.added import leave
from study.files.lock import sole_driver
from study.launch import resume
from study.manifest import environment
from study.rehearsal import SHOWN, named, resumption
from study.search.searcher import Search
from study.search.warm_start import Gathered, Observation, Refusal, record
from trainables.config import UserError

Tiny = Callable[..., StudyConfig]
FOUND = {"clean_accuracy": 0.5, "pgd_accuracy": 0.2, "gpu_minutes": 30.0}


@pytest.fixture
def stopped(tiny: Tiny, studies: Path) -> StudyPaths:
    """Of its six trials the first has ended, four were begun, and the last of them was lost once too often."""
    config = tiny({"optimiser.epochs": 3}, budget={"trials": 6, "gpu_hours": 2.0})
    paths = study_paths("tiny")
    paths.root.mkdir()
    paths.study_file.write_text(config.to_yaml())
    told = {"name": "tiny", "budget": config.budget.model_dump(), "objectives": []}
    write_json(paths.manifest, told | {"environment": environment() | {"torch": "0.4", "hardware": None}})
    search = Search.open(paths, config, config.search_space())
    for _ in range(5):
        search.ask()
    append_event(paths.trial(0), ENDED, 1, status="finished", reason=None, metrics=FOUND)
    for number, epochs in ((1, 2), (2, 0), (3, 3), (4, 1)):
        append_event(paths.trial(number), ATTEMPT, 1)
        for epoch in range(epochs):
            append_event(paths.trial(number), EPOCH, 1, epoch=epoch + 1, metrics={})
    for _ in range(config.resources.max_failures + 1):
        append_event(paths.trial(4), LOST, 1, reason="its process was killed", excuse=None)
    search.settle(0)
    search.close()
    return paths


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file() and path.name != ".lock"}


def test_what_goes_on_from_where_is_left_and_has_changed_is_told_and_nothing_is_written(stopped: StudyPaths) -> None:
    leave(stopped, [{"learning_rate": 0.1, "m": 2}])
    before = contents(stopped.root)
    found = resumption("tiny", trials=8)
    assert contents(stopped.root) == before
    assert (found.begun, found.config.budget.trials) == (5, 8)
    *told, torch, hardware = found.lines
    assert told == [
        "budget: 8 trials, 2 GPU-hours (before: 6 trials, 2 GPU-hours)",
        "left of the budget: 3 of 8 trials, 1.5 of 2 GPU-hours",
        "3 trials taken up again:",
        "  0001: after epoch 2 of 3",
        "  0002: from its beginning",
        "  0003: in its evaluation",
        "1 trial given up:",
        f"  0004: lost {found.config.resources.max_failures + 1} times: its process was killed",
        "1 configuration added by hand, before any that is drawn",
    ]
    assert torch == f"torch: {environment()['torch']} (before: 0.4)"
    assert hardware == f"hardware: {environment()['hardware']} (before: none)"


def test_the_command_shows_it_beside_a_driver_too(stopped: StudyPaths) -> None:
    with sole_driver(stopped):
        shown = CliRunner().invoke(app, ["resume", "tiny", "--dry-run"], catch_exceptions=False)
    assert shown.exit_code == 0
    assert "left of the budget: 1 of 6 trials" in shown.output
    assert "for 1 trial." in shown.output
    assert "warning: it would be refused: study tiny is being run by another process" in shown.output
    assert "refused" not in CliRunner().invoke(app, ["resume", "tiny", "--dry-run"]).output


def test_what_it_learned_from_is_told_though_that_is_gone(stopped: StudyPaths, tiny: Tiny) -> None:
    config = tiny({"optimiser.epochs": 3}, budget={"trials": 6}, warm_start=["older"])
    stopped.study_file.write_text(config.to_yaml())
    one = Observation(trial="older/0001", source="older", config=config.search_space().sample(1), metrics=FOUND)
    record(stopped, Gathered((one,), (Refusal("older/0002", "older", "m is 5, held at 1"),)))
    shown = CliRunner().invoke(app, ["resume", "tiny", "--dry-run"])
    assert shown.exit_code == 0
    assert "the search learns from 1 of 2 finished trials of older" in shown.output


@pytest.mark.parametrize("asked", [{"trials": 4}, {"backend": "replay"}])
def test_what_a_resume_refuses_its_rehearsal_does(stopped: StudyPaths, asked: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(UserError) as rehearsed:
        resumption("tiny", **asked)
    curves = {"curves": Path(__file__).parent / "recorded" / "digits.jsonl"} if "backend" in asked else {}
    with pytest.raises(UserError) as tried:
        resume("tiny", **{"backend": "inline", **asked}, **curves)
    assert str(rehearsed.value) == str(tried.value)


def test_a_budget_that_is_spent_is_told(stopped: StudyPaths) -> None:
    for number in (1, 2, 3):
        append_event(stopped.trial(number), ENDED, 1, status="stopped", reason="why", metrics={})
    assert resumption("tiny", trials=5).lines[1] == "nothing to do: all 5 trials were begun"


def test_no_study_is_rehearsed_that_is_not_there(studies: Path) -> None:
    with pytest.raises(UserError, match="no study named 'absent'"):
        resumption("absent")


def test_of_many_trials_the_last_are_named_alone() -> None:
    lines = list(named((f"{number:04d}", "why") for number in range(SHOWN + 2)))
    assert lines[SHOWN - 1 :] == ["  0009: why", "  and 0010, 0011"]
