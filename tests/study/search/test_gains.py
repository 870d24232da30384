"""A search that ends because its trials gain too little, and goes on all the same when it is extended."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from analysis.frontier.levelling import EARLIEST, checks
from analysis.layout import (
    ATTEMPT,
    ENDED,
    StudyPaths,
    append_event,
    append_exclusion,
    study_paths,
    write_atomically,
    write_json,
)
from analysis.reading.runs import read_study
from study.add import add
from study.config import StudyConfig
from study.extend import rehearse
from study.launch import launch
from study.outlook import outlook
from study.preflight import idle
from study.search import gains
from study.search.searcher import Assignment, Search
from trainables.metrics import CLEAN_ACCURACY, GPU_MINUTES, PGD_ACCURACY

Tiny = Callable[..., StudyConfig]
Studied = Callable[..., StudyPaths]
CURVES = Path(__file__).parents[1] / "recorded" / "digits.jsonl"
BUDGET = {"trials": 120, "least_gain": 0.02}


@pytest.fixture
def studied(tiny: Tiny, studies: object) -> Studied:
    """A study whose trials all reach the same but for those of ``better``, asked for to its end."""

    def build(better: frozenset[int] = frozenset(), **budget: float) -> StudyPaths:
        config = tiny(budget={**BUDGET, **budget})
        paths = study_paths("tiny")
        paths.root.mkdir()
        write_atomically(paths.study_file, config.to_yaml())
        described = {"name": "tiny", "space": config.search_space().to_json(), "budget": config.budget.model_dump()}
        write_json(paths.manifest, described | {"objectives": [{"metric": name} for name in config.objectives]})
        search = Search.open(paths, config, config.search_space())
        while isinstance(assignment := search.ask(), Assignment):
            end(paths, search, assignment.number, 0.9 if assignment.number in better else 0.5)
        search.close()
        return paths

    return build


@pytest.fixture
def flat(studied: Studied, once: Callable[[str, Callable[[], object]], StudyPaths]) -> StudyPaths:
    return once("tiny", studied)


def end(paths: StudyPaths, search: Search, number: int, clean: float) -> None:
    metrics = {CLEAN_ACCURACY: clean, PGD_ACCURACY: 0.4, GPU_MINUTES: 30.0}
    append_event(paths.trial(number), ATTEMPT, 1, gpu_share=1.0)
    append_event(paths.trial(number), ENDED, 1, status="finished", reason=None, metrics=metrics)
    assert search.settle(number)


def reopened(paths: StudyPaths) -> Search:
    config = StudyConfig.load(paths.study_file)
    return Search.open(paths, config, config.search_space())


def begun(paths: StudyPaths) -> int:
    return sum(1 for _ in paths.each_trial())


def test_it_ends_long_before_its_budget_and_everybody_says_why(flat: StudyPaths) -> None:
    assert begun(flat) == EARLIEST
    search = reopened(flat)
    told = search.exhausted()
    search.close()
    assert told is not None
    assert told.startswith(f"after 40 trials and after {EARLIEST} a quarter more were unlikely to add 2 %")
    assert outlook(read_study(flat), flat, now=0.0).exhausted == told


def test_a_search_that_ended_so_takes_no_time_any_more(flat: StudyPaths) -> None:
    study = read_study(flat)
    ended = study.trials["number"].to_numpy() * 60.0 + 60.0
    timed = replace(study, trials=study.trials.assign(started=ended - 60.0, ended=ended))
    assert outlook(timed, flat, now=ended[-1]).minutes_left == 0.0
    goes_on = replace(timed, manifest=timed.manifest | {"budget": {"trials": 120}})
    assert outlook(goes_on, flat, now=ended[-1]).minutes_left is not None
    assert outlook(goes_on, flat, now=ended[-1]).minutes_left != 0.0


def test_who_replays_is_not_sent_to_an_extension_which_replays_have_not(tiny: Tiny, studies: object) -> None:
    space = {"unlisted": "fixed", "learning_rate": {"low": 0.001, "high": 2.0, "log": True}}
    asked = {"settings": {"optimiser.epochs": 4}, "space": space, "scheduler": "none", "sampler": "random"}
    console = Console(file=io.StringIO(), width=300)
    launch(tiny(budget=BUDGET | {"least_gain": 0.9}, **asked), backend="replay", curves=CURVES, console=console)
    (line,) = (line for line in console.file.getvalue().splitlines() if "no further trial was begun" in line)
    assert line.endswith("to the hypervolume; replay a study of another name without least_gain")


def test_a_gain_keeps_it_going_and_the_folders_are_read_only_when_the_answer_may_differ(
    studied: Studied, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[StudyPaths] = []

    def counting(paths: StudyPaths) -> object:
        asked.append(paths)
        return read_study(paths)

    monkeypatch.setattr(gains, "read_study", counting)
    paths = studied(frozenset(range(45, 100)), least_gain=0.3)  # a gain in the last fifth of the first 50 trials
    assert begun(paths) == checks(100)[3] == 79
    assert len(asked) == 3, "once a check, from the second on"
    search = reopened(paths)
    asked.clear()
    assert search.exhausted() is not None
    assert search.exhausted() is not None
    assert len(asked) == 1
    append_exclusion(paths.trial(3), "trained on the wrong images")
    search.ask()
    assert len(asked) == 2
    search.close()


def test_an_extension_goes_on_all_the_same(flat: StudyPaths) -> None:
    rehearsed = rehearse("tiny", trials=20)
    assert rehearsed.config.budget.least_gain is None
    assert rehearsed.config.budget.trials == EARLIEST + 20, "on top of what was begun: the rest was not wanted"
    assert any("it goes on all the same, without least_gain" in line for line in rehearsed.lines)
    assert StudyConfig.load(flat.study_file).budget.least_gain == 0.02


def test_what_is_added_to_a_search_that_ended_so_is_told_to_wait_for_an_extension(flat: StudyPaths) -> None:
    lines = add("tiny", {"learning_rate": 0.777}, like="3")
    assert lines[-1].endswith("so the search has ended; what waits needs: study extend tiny --trials 1")
    assert rehearse("tiny", trials=1).config.budget.trials == EARLIEST + 1


def test_an_extension_of_one_that_was_not_ended_so_keeps_it(studied: Studied) -> None:
    studied(trials=45)
    budget = rehearse("tiny", trials=20).config.budget
    assert (budget.trials, budget.least_gain) == (65, 0.02)


@pytest.mark.parametrize(("trials", "warned"), [(EARLIEST, True), (EARLIEST + 1, False), (None, False)])
def test_a_budget_too_small_for_it_is_told(tiny: Tiny, trials: int | None, warned: bool) -> None:
    config = tiny(budget={"trials": trials, "gpu_hours": 5.0, "least_gain": 0.02}, scheduler="none")
    assert idle(config, 0) == (
        [f"warning: least_gain ends no search before {EARLIEST} trials, and the budget holds {trials}"]
        if warned
        else []
    )
