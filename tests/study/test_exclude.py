"""``study exclude`` on real studies: what was taken out stays out of all that follows, whoever dies in between."""

from __future__ import annotations

import io
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from analysis.frontier.pareto import frontier
from analysis.layout import StudyPaths, append_exclusion, exclusion_of, read_events, read_json, study_paths
from analysis.reading.runs import read_study
from search_spaces.work import total_on
from study.add import add
from study.choosing.choice import choose
from study.config import StudyConfig
from study.confirming.request import Confirm
from study.early_stopping.scheduler import Scheduler
from study.extend import extend
from study.launch import launch, resume
from study.search.searcher import Search
from study.search.warm_start import gather

Tiny = Callable[..., StudyConfig]
Study = Callable[..., tuple[int, str, str]]
Once = Callable[[str, Callable[[], object]], StudyPaths]
pytestmark = pytest.mark.usefixtures("studies")
CURVES = Path(__file__).parent / "recorded" / "digits.jsonl"
WHY = "a broken node"


def quiet() -> Console:
    return Console(file=io.StringIO(), width=200)


@pytest.fixture
def paths(tiny: Tiny, once: Once) -> StudyPaths:
    return once("tiny", lambda: launch(tiny(budget={"trials": 4}), backend="inline", console=quiet()))


def best(paths: StudyPaths) -> list[int]:
    return sorted(map(int, frontier(read_study(paths))["number"]))


def best_to_the_search(paths: StudyPaths) -> list[int]:
    config = StudyConfig.load(paths.study_file)
    search = Search.open(paths, config, config.search_space())
    try:
        return [trial.number for trial in search.frontier()]
    finally:
        search.close()


def test_a_trial_is_taken_out_and_in_again(paths: StudyPaths, study: Study) -> None:
    before, number = best(paths), best(paths)[0]
    trial = f"tiny/{number}"
    code, out, _ = study("exclude", trial, WHY)
    assert (code, out) == (
        0,
        f"tiny/{number:04d} is excluded: {WHY}; report and MLflow have it with: study sync tiny\n",
    )
    assert number not in best(paths)
    assert best_to_the_search(paths) == best(paths)
    front = study("front", "tiny")[1]
    told = f"\nExcluded: {number:04d} ({WHY})\n"
    assert f"│  {number:04d} " not in front
    assert told in front
    shown = study("status", "tiny")[1]
    assert told in shown
    assert "3 finished, 1 excluded" in shown
    chosen = ("trials", "tiny", "--where", 'excluded != ""', "--columns", "number,excluded")
    assert [line for line in study(*chosen)[1].splitlines() if line.startswith("│")] == [f"│  {number:04d} │ {WHY} │"]
    page = study("status", trial)[1]
    assert f"Take it in again: study exclude {trial} --undo" in page
    assert "export" not in page
    assert study("exclude", trial, "--undo")[1].startswith(f"tiny/{number:04d} counts again;")
    assert study(*chosen)[1] == 'No row keeps \'excluded != ""\': excluded is ""\n'
    assert best(paths) == best_to_the_search(paths) == before


def test_a_front_of_nothing_says_so_in_the_place_of_a_table(paths: StudyPaths, study: Study) -> None:
    for trial in paths.each_trial():
        study("exclude", f"tiny/{trial.number}", WHY)
    code, front, _ = study("front", "tiny")
    assert code == 0
    assert front.startswith("Pareto frontier of tiny: ")
    assert "\nThere is no frontier: of 4 finished trials 4 excluded." in front
    assert "┏" not in front


def test_a_mistake_changes_nothing(paths: StudyPaths, study: Study) -> None:
    for arguments, words in (
        (["tiny/0"], "give a reason"),
        (["tiny/0", WHY, "--undo"], "give a reason"),
        (["tiny/0", "--undo"], "trial tiny/0 is not excluded"),
        (["tiny/9", WHY], "there is no trial tiny/9"),
        (["tiny/0", "x" * 1001], "a reason has 1000 at most"),
        (["tiny", WHY], "'tiny' is no trial; name it STUDY/NUMBER"),
    ):
        code, _, err = study("exclude", *arguments)
        assert (code, words in err, len(err.splitlines())) == (2, True, 1)
    assert not any(trial.exclusions.exists() for trial in paths.each_trial())


def test_nothing_is_made_of_it(paths: StudyPaths, study: Study, tiny: Tiny, tmp_path: Path) -> None:
    """It is refused by name, and left out where nobody names it."""
    number = best(paths)[0]
    append_exclusion(paths.trial(number), WHY)
    refused = f"trial tiny/{number} is excluded: {WHY}; take it in again with: study exclude tiny/{number} --undo"
    for command in ("confirm", "reseed", "measure"):
        code, _, err = study(command, "tiny", "--trials", number, "--dry-run")
        assert (code, refused in err) == (2, True)
    assert refused in study("export", f"tiny/{number}", tmp_path / "out")[2]
    assert refused in study("compare", f"tiny/{number}", f"tiny/{best(paths)[0]}")[2]
    _, out, _ = study("confirm", "tiny", "--dry-run")
    assert f"{number:04d}" not in out
    assert study("record", "tiny", "-o", tmp_path / "curves.jsonl")[1].endswith("left out: 1\n")
    assert f'"tiny/{number:04d}"' not in (tmp_path / "curves.jsonl").read_text()
    learning = tiny(name="next", warm_start=["tiny"])
    learned = gather(learning, learning.search_space(), read_json(paths.manifest)["data"])
    assert [(one.trial, one.reason) for one in learned.refused] == [
        (f"tiny/{number:04d}", f"it is excluded there: {WHY}")
    ]
    assert len(learned.accepted) == 3


def test_what_was_best_over_seeds_is_left_out_where_the_search_excludes_it(paths: StudyPaths) -> None:
    """What is confirmed of a study that reseeded it is named by that, and not by the search."""
    append_exclusion(paths.trial(1), WHY)
    parent = read_study(paths)
    numbers, remarks = choose(parent, parent.trials[:3], Confirm(study="tiny"))
    assert (sorted(numbers), remarks[0]) == ([0, 2], f"trial 0001 is left out, excluded: {WHY}")


def test_a_study_goes_on_without_it(paths: StudyPaths) -> None:
    number = best(paths)[0]
    append_exclusion(paths.trial(number), WHY)
    params = read_json(paths.trial(number).config)["params"]
    assert add("tiny", params)[0].startswith("1 configuration added to tiny"), "what it tried need not count as tried"
    extend("tiny", trials=1, changes={"sampler": "tpe"}, backend="inline", console=quiet())
    assert read_json(paths.trial(4).config)["params"] == params
    metrics = [read_events(paths.trial(each))[-1]["metrics"]["clean_accuracy"] for each in (number, 4)]
    assert metrics[0] == metrics[1], "the same configuration and seed"
    assert number not in best(paths)
    assert best_to_the_search(paths) == best(paths)


KILLED = """
import os, sys
from pathlib import Path
from analysis.layout import append_exclusion
from study.config import StudyConfig
from study.execution.session import Session
from study.launch import launch
ended = Session.ended
def dying(session, number, **rest):
    ended(session, number, **rest)
    if number == 3:
        append_exclusion(session.paths.trial(1), "a broken node")
        os._exit(9)
Session.ended = dying
launch(StudyConfig.load(sys.argv[1]), backend="replay", curves=Path(sys.argv[2]))
"""


def test_a_driver_that_is_killed_after_an_exclusion_is_followed_by_one_that_heeds_it(
    tiny: Tiny, tmp_path: Path
) -> None:
    early = {"eta": 2.0, "rungs": 2, "minimum": 2, "best": 0.1, "finished": 1, "loss": 0.9}
    space = {"unlisted": "fixed", "learning_rate": {"low": 0.001, "high": 2.0, "log": True}, "m": [1, 2]}
    asked: dict[str, Any] = {"settings": {"optimiser.epochs": 4}, "space": space, "scheduler": early, "sampler": "tpe"}
    file = tmp_path / "tiny.yaml"
    file.write_text(tiny(budget={"trials": 8}, **asked).to_yaml())
    assert subprocess.run([sys.executable, "-c", KILLED, file, CURVES], check=False).returncode == 9
    paths = study_paths("tiny")
    assert exclusion_of(paths.trial(1)) == WHY
    resume("tiny", backend="replay", curves=CURVES, console=quiet())
    assert [trial.number for trial in paths.each_trial()] == list(range(8)), "its place in the budget it keeps"
    assert best_to_the_search(paths) == best(paths)
    assert 1 not in best(paths)
    config = StudyConfig.load(paths.study_file)
    known = (config.objectives, config.constraints, total_on(config.search_space()))
    scheduler = Scheduler.open(paths, "halving", config.scheduler.rule, *known)
    others = set(scheduler.rungs.finals)
    assert 1 not in others
    append_exclusion(paths.trial(1), "")
    scheduler.catch_up()
    assert set(scheduler.rungs.finals) == others | ({1} if not paths.trial(1).stop.exists() else set())
