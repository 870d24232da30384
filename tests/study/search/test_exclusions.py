"""What a search learns of a trial that somebody excluded: nothing, until it is taken in again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from optuna.trial import TrialState

from analysis.layout import ATTEMPT, ENDED, StudyPaths, append_event, append_exclusion, write_json
from analysis.schema import TrialStatus
from study.config import StudyConfig
from study.samplers.trials import EXCLUDED, REPEATS
from study.search.budget import Spent
from study.search.searcher import Assignment, Search
from trainables.metrics import CLEAN_ACCURACY, GPU_MINUTES, PGD_ACCURACY

Tiny = Callable[..., StudyConfig]
WHY = "trained on the wrong images"


@contextmanager
def opened(paths: StudyPaths, config: StudyConfig) -> Iterator[Search]:
    search = Search.open(paths, config, config.search_space())
    try:
        yield search
    finally:
        search.close()


def ask(search: Search) -> int:
    assignment = search.ask()
    assert isinstance(assignment, Assignment)
    return assignment.number


def end(paths: StudyPaths, search: Search, number: int, clean: float, status: str = "finished") -> None:
    metrics = {CLEAN_ACCURACY: clean, PGD_ACCURACY: 0.4, GPU_MINUTES: 30.0}
    append_event(paths.trial(number), ATTEMPT, 1, gpu_share=1.0)
    append_event(paths.trial(number), ENDED, 1, status=status, reason=None, metrics=metrics)
    assert search.settle(number)


def run(paths: StudyPaths, search: Search, trials: int) -> list[int]:
    """So many trials, each better than the one before."""
    numbers = []
    for _ in range(trials):
        numbers.append(ask(search))
        end(paths, search, numbers[-1], 0.3 + numbers[-1] / 100)
    return numbers


def learned(search: Search) -> list[int]:
    """What a sampler learns from."""
    states = (TrialState.COMPLETE, TrialState.PRUNED)
    return [trial.number for trial in search._study._get_trials(deepcopy=True, states=states, use_cache=True)]


def best(search: Search) -> list[int]:
    return [trial.number for trial in search.frontier()]


def test_it_stands_nowhere_and_teaches_nothing_until_it_is_taken_in_again(paths: StudyPaths, tiny: Tiny) -> None:
    with opened(paths, tiny(budget={"trials": 20})) as search:
        run(paths, search, 3)
        assert (learned(search), best(search)) == ([0, 1, 2], [2])
        append_exclusion(paths.trial(2), WHY)
        ask(search)  # a driver that runs hears of it when it next begins a trial
        assert (learned(search), best(search)) == ([0, 1], [1])
        excluded = search.trials()[2]
        assert (excluded.state, excluded.values) == (TrialState.FAIL, None)
        assert excluded.user_attrs[EXCLUDED] == WHY
        assert search.spent() == Spent(trials=4, ended=3, gpu_hours=1.5, promised_gpu_hours=0.5), "it was paid for"
        assert search.hopeless() is None
    with opened(paths, tiny(budget={"trials": 20})) as search:
        assert (learned(search), best(search)) == ([0, 1], [1]), "the next driver knows it from the folder"
        append_exclusion(paths.trial(2), "")
    with opened(paths, tiny(budget={"trials": 20})) as search:
        assert (learned(search), best(search)) == ([0, 1, 2], [2])
        assert search.trials()[2].values == [0.32, 0.4]


def test_one_that_runs_goes_on_and_ends_without_being_heard(paths: StudyPaths, tiny: Tiny) -> None:
    with opened(paths, tiny()) as search:
        number = ask(search)
        append_exclusion(paths.trial(number), WHY)
        ask(search)
        assert [trial.number for trial in search.running()] == [0, 1]
        end(paths, search, number, 0.9)
        assert (learned(search), best(search)) == ([], [])
        append_exclusion(paths.trial(number), "")
    with opened(paths, tiny()) as search:
        assert (learned(search), best(search)) == ([0], [0])


SAME = {"unlisted": "fixed", "learning_rate": [0.5], "m": [1, 2]}


@pytest.mark.parametrize("status", ["finished", "stopped", "running"])
def test_its_configuration_may_run_again(paths: StudyPaths, tiny: Tiny, status: str) -> None:
    config = tiny(space=SAME, budget={"trials": 5})
    with opened(paths, config) as search:
        first, other = ask(search), ask(search)
        write_json(paths.trial(first).stop, {"reason": "halving: rank 9 of 9"})
        if status != "running":
            end(paths, search, first, 0.5, status)
        end(paths, search, other, 0.5)
        assert not isinstance(search.ask(), Assignment), "all of the space is tried, or runs"
    append_exclusion(paths.trial(first), WHY)
    with opened(paths, config) as search:
        if status == "running":
            assert ask(search) == first
        again = ask(search)
        params = {trial.number: trial.params for trial in search.trials()}
        assert params[again] == params[first] != params[other]


def test_a_draw_that_repeated_it_teaches_nothing_either(paths: StudyPaths, tiny: Tiny) -> None:
    with opened(paths, tiny(budget={"trials": 20})) as search:
        run(paths, search, 2)
        search._study.enqueue_trial(search.trials()[0].params)
        assert (ask(search), search._study.trials[2].user_attrs[REPEATS]) == (3, 0)
        assert learned(search) == [0, 1, 2]
        append_exclusion(paths.trial(0), WHY)
        ask(search)
        assert learned(search) == [1]


@pytest.mark.parametrize("sampler", ["nsga2", "nsga3"])
@pytest.mark.parametrize("out", [[0], [0, 1, 2, 3], list(range(8))])
def test_nobody_descends_from_it(paths: StudyPaths, tiny: Tiny, sampler: str, out: list[int]) -> None:
    """Optuna writes down who the parents are, once for a generation."""
    config = tiny(sampler={"name": sampler, "population": 4}, budget={"trials": 40})
    with opened(paths, config) as search:
        run(paths, search, 10)
        stored = search._study.sampler
        generation = max(trial.system_attrs[stored._get_generation_key()] for trial in search._study.trials)
        assert stored.get_parent_population(search._study, generation)
        gone = {search.trials()[place].number for place in out}
        for number in gone:
            append_exclusion(paths.trial(number), WHY)
        run(paths, search, 8)
        parents = stored.get_parent_population(search._study, generation)
        assert not {trial.number for trial in parents} & gone
        assert not set(learned(search)) & gone


def test_a_grid_draws_it_again_and_then_ends(paths: StudyPaths, tiny: Tiny) -> None:
    space = {"unlisted": "fixed", "learning_rate": [0.1, 0.5], "m": [1, 2]}
    config = tiny(space=space, sampler="grid", budget={"trials": 20})
    with opened(paths, config) as search:
        run(paths, search, 4)
        assert search.ask() is None
        append_exclusion(paths.trial(1), WHY)
        again = run(paths, search, 1)
        assert search.trials()[again[0]].params == search.trials()[1].params
        assert search.ask() is None


@pytest.mark.parametrize("sampler", ["tpe", "gp", "qmc", "random"])
def test_every_sampler_goes_on_without_it(paths: StudyPaths, tiny: Tiny, sampler: str) -> None:
    numbers = {"startup_trials": 2} if sampler in ("tpe", "gp") else {}
    config = tiny(sampler={"name": sampler, **numbers}, budget={"trials": 40})
    with opened(paths, config) as search:
        first, *_, last = run(paths, search, 4)
        for number in (first, last):
            append_exclusion(paths.trial(number), WHY)
        run(paths, search, 3)
        points = [tuple(trial.params.values()) for trial in search.trials()]
        assert len(set(points)) == len(points) == 7, "a sequence goes on where it was"
        told = [trial.number for trial in search._study.trials if trial.number not in (first, last)]
        assert learned(search) == told


def test_it_is_excluded_in_an_extension_too(paths: StudyPaths, tiny: Tiny) -> None:
    """The database that is made anew has all that was measured; what counts is told by the folders."""
    from study.search.rebuild import rebuild

    config = tiny(budget={"trials": 20})
    with opened(paths, config) as search:
        run(paths, search, 3)
    append_exclusion(paths.trial(2), WHY)
    other: Any = tiny(sampler="tpe", budget={"trials": 20})
    rebuild(paths, other, other.search_space())
    paths.optuna_next.replace(paths.optuna)
    with opened(paths, other) as search:
        assert (learned(search), best(search)) == ([0, 1], [1])
        assert search.trials()[0].user_attrs["status"] == TrialStatus.FINISHED
        append_exclusion(paths.trial(2), "")
    with opened(paths, other) as search:
        assert best(search) == [2]
