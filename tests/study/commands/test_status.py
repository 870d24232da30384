"""How a study stands: what is told first, in how many lines, again and again until it has ended."""

from __future__ import annotations

import io
import json
import re
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from rich.console import Console

from analysis.layout import ATTEMPT, ENDED, EPOCH, StudyPaths, append_event, append_exclusion, study_paths, write_json
from study.commands import watching
from study.files.lock import sole_driver
from study.files.stop import Request, ask

Study = Callable[..., tuple[int, str, str]]
REASON = "RuntimeError: " + "what went wrong in that trial and in no other, told at length, " * 5


def begin(paths: StudyPaths, number: int, time: float = 1000.0) -> None:
    params = {"crops": 2 + number % 3, "epsilon": number / 600, "held": 5}
    config = {"trainable": "cf_amc_ssl", "seed": number, "optimiser": {"epochs": 4}}
    write_json(paths.trial(number).config, {"trainable": "cf_amc_ssl", "params": params, "config": config})
    append_event(paths.trial(number), ATTEMPT, 1, time=time, gpu_share=1.0)


def end(paths: StudyPaths, number: int, clean: float, status: str = "finished", reason: str = "", **rest: Any) -> None:
    found = {"clean_accuracy": clean, "pgd_accuracy": 1 - clean, "gpu_minutes": 6.0, "evaluation_images": 100}
    metrics = found if status == "finished" else {}
    append_event(paths.trial(number), ENDED, 1, status=status, reason=reason, metrics=metrics, **rest)


@pytest.fixture
def paths(studies: Any) -> StudyPaths:
    paths = study_paths("first")
    paths.root.mkdir()
    paths.study_file.write_text("name: first\n")
    objectives = [{"metric": "clean_accuracy"}, {"metric": "pgd_accuracy"}]
    write_json(paths.manifest, {"name": "first", "objectives": objectives, "budget": {"trials": 60}})
    return paths


def fill(paths: StudyPaths, trials: int) -> None:
    """One in ten fails for a reason of its own; a third have both figures of another; the rest trade one for the
    other."""
    for number in range(trials):
        begin(paths, number)
        if number % 10 == 9:
            end(paths, number, 0.0, "failed", f"{REASON}{number}", time=1060.0)
        else:
            end(paths, number, (number % 30) / 60, time=1060.0)


@pytest.mark.parametrize("width", [80, 120, 200])
@pytest.mark.parametrize("trials", [6, 60])
def test_it_stays_on_one_screen_however_many_trials_there_are(
    study: Study, paths: StudyPaths, monkeypatch: pytest.MonkeyPatch, trials: int, width: int
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    fill(paths, trials)
    told = study("status", "first")[1]
    tables = [line for line in told.splitlines() if line[:1] in "┏┃┡│└"]
    assert max(map(len, tables)) <= width
    assert len(tables) <= 2 * 6 + 5 + 8, "two tables, of the frontier five rows at most, of the trials eight"
    assert len(told.splitlines()) <= len(tables) + 24
    assert re.search("^The same in all: Trainable cf_amc_ssl, .*held 5$", told, re.MULTILINE)
    assert told.startswith("first: nobody runs it" if trials == 6 else "first: complete: all 60 trials were begun")
    assert len([line for line in tables if re.match(r"│ +\d{4} │", line)]) == (5 + 6 if trials == 6 else 5 + 8)


def test_all_has_every_trial_and_reason(study: Study, paths: StudyPaths) -> None:
    fill(paths, 60)
    short, whole = study("status", "first")[1], study("status", "first", "--all")[1]
    assert "6 failed" in short
    assert "told at length" in REASON[100:]
    assert "  failed, RuntimeError: what went wrong in" in short
    assert max(map(len, re.findall(r"^  failed, .*$", short, re.MULTILINE))) < 130, "a reason takes a line or two"
    assert {f"│  {number:04d} │" in whole for number in range(60)} == {True}
    assert [f"{REASON}{number}: {number:04d}" in whole for number in range(9, 60, 10)] == [True] * 6
    assert "All of them: study status first --all" in short


def test_what_is_spent_and_left_and_for_how_long_it_will_do(study: Study, paths: StudyPaths) -> None:
    write_json(paths.manifest, {"name": "first", "budget": {"trials": 6, "gpu_hours": 10}})
    now = time.time()
    for number in range(2):
        begin(paths, number, now - 600)
        end(paths, number, 0.5, time=now - 300)
    begin(paths, 2, now - 300)
    append_event(paths.trial(2), EPOCH, 1, time=now - 60, epoch=2, metrics={})
    with sole_driver(paths):
        lines = study("status", "first")[1].splitlines()
        told = json.loads(study("status", "first", "--json")[1])
    assert lines[1] == "Trials: 2 of 6 ended (2 finished), 1 running"
    assert re.fullmatch(r"Used: 0.2 GPU-hours; 10 min 0\d s of wall time without pauses", lines[2])
    assert lines[3] == "Left: 3 of 6 trials, 9.8 of 10 GPU-hours; about 10 min left at its pace so far"
    assert lines[4] == "Running:"
    assert re.fullmatch(r"  0002: epoch 2 of 4; began 5 min 0\d s ago; heard of 1 min 0\d s ago", lines[5])
    assert "Look on: study status first --watch" in lines
    assert (told["state"], told["trials"]) == ("running", {"finished": 2, "running": 1})
    assert told["budget"] == {"trials": 6, "wall_minutes": None, "gpu_hours": 10, "least_gain": None}
    assert told["spent"]["gpu_hours"] == pytest.approx(0.2)
    assert told["minutes_left"] == pytest.approx(10, abs=0.2)
    assert [(one["number"], one["epoch"], one["epochs"]) for one in told["running"]] == [(2, 2, 4)]
    assert [one["number"] for one in told["frontier"]] == [0, 1]


def test_of_a_search_that_gains_too_little_and_still_runs_nothing_is_said_to_be_left(
    study: Study, paths: StudyPaths
) -> None:
    write_json(paths.manifest, {"name": "first", "budget": {"trials": 200, "least_gain": 0.02}})
    for number in range(51):
        begin(paths, number)
        if number < 50:
            end(paths, number, 0.5, time=1060.0)
    with sole_driver(paths):
        told = study("status", "first")[1]
    assert "\nNo other trial begins: after 40 trials and after 50 a quarter more were unlikely to add 2 %" in told
    assert "Left: " not in told


def test_an_excluded_trial_that_runs_is_told_as_running(study: Study, paths: StudyPaths) -> None:
    for number in range(3):
        begin(paths, number)
        append_exclusion(paths.trial(number), "wrong images")
    end(paths, 0, 0.5, time=1060.0)
    with sole_driver(paths):
        lines = study("status", "first")[1].splitlines()
        told = json.loads(study("status", "first", "--json")[1])
    assert lines[1] == "Trials: 1 of 60 ended (1 excluded), 2 running"
    assert told["trials"] == {"running": 2, "excluded": 1}
    assert "Trials: 1 of 60 ended (1 excluded), 2 interrupted" in study("status", "first")[1]


def test_json_has_null_for_a_dimension_that_a_trial_has_not(study: Study, paths: StudyPaths) -> None:
    for number in range(2):
        begin(paths, number)
        end(paths, number, number / 2)
    write_json(paths.trial(0).config, {"trainable": "cf_amc_ssl", "params": {"m": 3}, "config": {}})
    told = json.loads(study("status", "first", "--json")[1])
    assert {one["number"]: (one["m"], one["crops"]) for one in told["frontier"]} == {0: (3, None), 1: (None, 3)}


def test_json_is_of_a_study_that_has_begun_nothing_and_of_all_studies(study: Study, paths: StudyPaths) -> None:
    told = json.loads(study("status", "first", "--json")[1])
    assert (told["state"], told["minutes_left"], told["frontier"]) == ("idle", None, [])
    assert json.loads(study("status", "--json")[1]) == [{"name": "first", "trials": {}}]


@pytest.mark.parametrize("budget", [None, "much", {"trials": "six"}, {"trials": -1}, {"weeks": 3}])
def test_a_budget_that_cannot_be_read_is_unknown(study: Study, paths: StudyPaths, budget: Any) -> None:
    write_json(paths.manifest, {"name": "first", "budget": budget})
    begin(paths, 0)
    assert "Budget: unknown" in study("status", "first")[1].splitlines()


@pytest.mark.parametrize(
    ("budget", "why"),
    [
        ({"gpu_hours": 0.1}, "0.1 of 0.1 GPU-hours are spent"),
        ({"trials": 9, "wall_minutes": 2}, "the time limit of 2 minutes is reached"),
    ],
)
def test_a_budget_of_hours_is_complete_when_they_are_spent(
    study: Study, paths: StudyPaths, budget: dict[str, float], why: str
) -> None:
    write_json(paths.manifest, {"name": "first", "budget": budget})
    begin(paths, 0)
    end(paths, 0, 0.5, time=1120.0)
    assert study("status", "first")[1].startswith(f"first: complete: {why}\n")
    begin(paths, 1, 2000.0)
    assert study("status", "first")[1].startswith("first: nobody runs it"), "a trial that was interrupted is left"


@pytest.fixture
def looked(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[float]]:
    """Has what happens between two looks happen there, and tells how long was waited."""

    def prepare(*steps: Callable[[], object]) -> list[float]:
        waited, following = [], iter(steps)

        def pause(seconds: float) -> None:
            waited.append(seconds)
            next(following)()

        monkeypatch.setattr(watching.time, "sleep", pause)
        return waited

    return prepare


def test_into_a_pipe_a_line_is_written_when_something_changes(
    study: Study, paths: StudyPaths, looked: Callable[..., list[float]]
) -> None:
    begin(paths, 0)
    with ExitStack() as driver:
        driver.enter_context(sole_driver(paths))
        waited = looked(
            lambda: append_event(paths.trial(0), EPOCH, 1, epoch=1, metrics={}),
            lambda: end(paths, 0, 0.5),
            lambda: ask(paths, Request.DRAIN),
            driver.close,
        )
        code, out, _ = study("status", "first", "--watch")
    told = [line.partition("  ")[2] for line in out.splitlines()]
    assert (code, len(waited)) == (0, 4)
    assert told == [
        "running; 0 of 60 ended, 1 running",
        "running; 1 of 60 ended (1 finished); on the frontier: 0000",
        "it ends as asked: no other trial begins; 1 of 60 ended (1 finished); on the frontier: 0000",
        "nobody runs it; go on with: study resume first; 1 of 60 ended (1 finished); on the frontier: 0000",
    ], "an epoch is no news"
    assert min(waited) >= watching.EVERY_S


def test_a_look_that_takes_long_is_taken_less_often(
    study: Study, paths: StudyPaths, looked: Callable[..., list[float]], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter(range(0, 100, 3))
    with ExitStack() as driver:
        driver.enter_context(sole_driver(paths))
        waited = looked(driver.close)
        monkeypatch.setattr(watching.time, "monotonic", lambda: next(clock))
        study("status", "first", "--watch")
    assert waited == [3 * watching.BURDEN]


def test_ctrl_c_leaves_the_study_alone(study: Study, paths: StudyPaths, looked: Callable[..., list[float]]) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    looked(interrupt)
    with sole_driver(paths):
        code, out, _ = study("status", "first", "--watch")
    assert (code, out.splitlines()[-1]) == (0, "No longer watched; how it stands: study status first")


def test_on_a_terminal_it_is_drawn_in_place(
    study: Study, paths: StudyPaths, looked: Callable[..., list[float]], monkeypatch: pytest.MonkeyPatch
) -> None:
    screen = io.StringIO()
    monkeypatch.setattr("study.say.terminal", lambda: Console(file=screen, width=80, height=60, force_terminal=True))
    begin(paths, 0)
    with ExitStack() as driver:
        driver.enter_context(sole_driver(paths))
        looked(lambda: end(paths, 0, 0.5), driver.close)
        assert study("status", "first", "--watch")[0] == 0
    text = screen.getvalue()
    assert text.count("first: running") == 2
    assert text.index("first: nobody runs it") > text.rindex("first: running")
    assert "\x1b[1A" in text, "the cursor goes up again"


def test_it_is_watched_without_the_folders_of_600_trials_being_read_each_time(
    paths: StudyPaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    from analysis.reading import runs

    read: list[int] = []
    real = runs.read_events
    monkeypatch.setattr(runs, "read_events", lambda trial: read.append(trial.number) or real(trial))
    fill(paths, 20)
    begin(paths, 20)
    with sole_driver(paths):
        looks: Iterator[Any] = watching.looks(paths)
        monkeypatch.setattr(watching.time, "sleep", lambda _: append_event(paths.trial(20), EPOCH, 1, epoch=1))
        next(looks)
        read.clear()
        next(looks)
    assert read == [20]
