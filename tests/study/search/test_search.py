"""The search against real Optuna storage: every ending is told, nothing is doubled, nothing stays running."""

from __future__ import annotations

import itertools
import json
import math
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from optuna.samplers import PartialFixedSampler
from optuna.trial import TrialState

from analysis.layout import ATTEMPT, ENDED, EPOCH, StudyPaths, append_event, read_events, write_json
from analysis.schema import TrialFault, TrialStatus
from search_spaces.space import SearchSpace
from study.config import Budget, StudyConfig
from study.samplers.trials import status_of
from study.search.budget import out_of_time
from study.search.searcher import KEEP_TIME_S, LATER, Search
from study.search.storage import SearchError, release
from trainables.config import ConfigError, from_dict
from trainables.metrics import CLEAN_ACCURACY, PGD_ACCURACY

Tiny = Callable[..., StudyConfig]
GOOD = {CLEAN_ACCURACY: 0.6, PGD_ACCURACY: 0.4, "gpu_minutes": 30.0}


@contextmanager
def opened(paths: StudyPaths, config: StudyConfig, *, ended: str | None = None) -> Iterator[Search]:
    search = Search.open(paths, config, config.search_space())
    try:
        yield search
    finally:
        search.close(ended=ended)


def ask(search: Search) -> int:
    assignment = search.ask()
    assert assignment is not None
    return assignment.number


def states(search: Search) -> list[TrialState]:
    return [trial.state for trial in search.trials()]


def test_the_configuration_is_on_disk_before_the_trial_is_handed_out(paths: StudyPaths, tiny: Tiny) -> None:
    config = tiny()
    with opened(paths, config) as search:
        number = ask(search)
        written = json.loads(paths.trial(number).config.read_text())
        trial = search.trials()[number]
    assert written["number"] == number == 0
    assert written["params"] == trial.params
    assert from_dict(written["config"]) == config.search_space().config(written["params"])
    assert trial.user_attrs["trial_id"] == "tiny/0000"
    assert trial.user_attrs["trainable"] == written["trainable"] == "cf_amc_ssl"


def test_a_finished_trial_is_a_point(paths: StudyPaths, tiny: Tiny) -> None:
    with opened(paths, tiny()) as search:
        search.tell(ask(search), TrialStatus.FINISHED, GOOD)
        (trial,) = search.frontier()
        assert trial.values == [0.6, 0.4]
        assert search._study.metric_names == [CLEAN_ACCURACY, PGD_ACCURACY]
        assert trial.user_attrs["metrics"] == GOOD


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf, None])
def test_an_objective_that_is_no_number_never_reaches_the_frontier(
    paths: StudyPaths, tiny: Tiny, bad: float | None
) -> None:
    metrics = {CLEAN_ACCURACY: 0.9} | ({} if bad is None else {PGD_ACCURACY: bad})
    with opened(paths, tiny()) as search:
        search.tell(ask(search), TrialStatus.FINISHED, metrics)
        assert states(search) == [TrialState.FAIL]
        assert search.frontier() == []
        reason = search.trials()[0].user_attrs["reason"]
    assert reason == ("objective pgd_accuracy is missing" if bad is None else f"objective pgd_accuracy is {bad}")


def test_a_stopped_trial_is_pruned_and_keeps_what_it_had_measured(paths: StudyPaths, tiny: Tiny) -> None:
    with opened(paths, tiny(sampler="tpe")) as search:
        search.tell(ask(search), TrialStatus.STOPPED, GOOD, "time is up")
        trial = search.trials()[0]
        assert (trial.state, trial.values) == (TrialState.PRUNED, None)
        assert trial.user_attrs["metrics"] == GOOD
        assert trial.user_attrs["reason"] == "time is up"
        assert search.frontier() == []
        assert ask(search) == 1


def test_a_late_second_ending_changes_nothing(paths: StudyPaths, tiny: Tiny) -> None:
    with opened(paths, tiny()) as search:
        number = ask(search)
        search.tell(number, TrialStatus.FAILED, {}, "ValueError: no")
        search.tell(number, TrialStatus.FINISHED, GOOD)
        assert states(search) == [TrialState.FAIL]


def test_a_trial_that_was_given_up_is_settled_once(paths: StudyPaths, tiny: Tiny) -> None:
    """Its process may have been slow and not dead, and end all the same."""
    with opened(paths, tiny()) as search:
        number = ask(search)
        assert search.settle(number, lost="lost 4 times", fault=TrialFault.LOST)
        assert search.settle(number)
        assert states(search) == [TrialState.FAIL]
        assert [event["kind"] for event in read_events(paths.trial(number))] == [ENDED]


def test_the_budget_of_trials_counts_those_that_run(paths: StudyPaths, tiny: Tiny) -> None:
    with opened(paths, tiny(budget={"trials": 2})) as search:
        assert [ask(search), ask(search)] == [0, 1]
        assert search.ask() is None
        assert search.exhausted() == "all 2 trials were begun"


def test_the_budget_of_gpu_hours_counts_what_ended(paths: StudyPaths, tiny: Tiny) -> None:
    with opened(paths, tiny(budget={"gpu_hours": 1.0})) as search:
        for _ in range(2):
            search.tell(ask(search), TrialStatus.FINISHED, GOOD)
        assert search.spent().gpu_hours == 1.0
        assert search.ask() is None


def test_gpu_hours_that_running_trials_will_use_are_not_given_to_others(paths: StudyPaths, tiny: Tiny) -> None:
    """Trials of half an hour, three side by side, two hours: without it, three would begin at an hour and a half."""
    with opened(paths, tiny(budget={"gpu_hours": 2.0})) as search:
        first = [ask(search), ask(search), ask(search)]  # what they cost nobody knows yet
        search.tell(first[0], TrialStatus.FINISHED, GOOD)
        assert search.spent().promised_gpu_hours == pytest.approx(1.0)
        fourth = ask(search)
        assert search.ask() is LATER
        search.tell(first[1], TrialStatus.FINISHED, GOOD | {"gpu_minutes": 18.0})
        assert ask(search), "one cost less than was expected of it"
        assert search.ask() is LATER
        for number in (first[2], fourth, fourth + 1):
            search.tell(number, TrialStatus.FINISHED, GOOD)
        assert search.ask() is None
        assert search.exhausted() == "2.3 of 2 GPU-hours are spent"


def test_before_any_trial_has_ended_the_measured_speed_says_what_they_cost(paths: StudyPaths, tiny: Tiny) -> None:
    """Half an hour each on half a GPU: four of them use the hour."""
    share = {"processes": 2, "fraction": 0.5, "throughput": {"1": 1500.0, "2": 2000.0}}
    write_json(paths.probe, {"trainables": {"cf_amc_ssl": share}})
    config = tiny(budget={"gpu_hours": 1.0}, resources={"gpus_per_trial": "auto"})
    search = Search.open(paths, config, config.search_space(), lambda _: 1000.0 * 30 * 60)
    try:
        begun = [ask(search) for _ in range(4)]
        assert search.spent().promised_gpu_hours == pytest.approx(1.0)
        assert search.ask() is LATER
        search.tell(begun[0], TrialStatus.FINISHED, GOOD | {"gpu_minutes": 6.0})
        assert search.spent().promised_gpu_hours == pytest.approx(0.3), "what has ended knows better"
        assert ask(search) == 4
    finally:
        search.close()


@pytest.mark.parametrize("damage", [None, [], {"trainables": {"cf_amc_ssl": {"processes": 1, "throughput": {}}}}])
def test_without_a_measured_speed_nothing_is_expected(paths: StudyPaths, tiny: Tiny, damage: Any) -> None:
    write_json(paths.probe, damage)
    config = tiny(budget={"gpu_hours": 1.0}, resources={"gpus_per_trial": "auto"})
    search = Search.open(paths, config, config.search_space(), lambda _: 1e9)
    try:
        ask(search)
        assert search.spent().promised_gpu_hours == 0.0
    finally:
        search.close()


def test_the_time_limit_counts_all_drivers(paths: StudyPaths, tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = itertools.count(step=60.0)
    monkeypatch.setattr("study.search.searcher.time.monotonic", lambda: next(clock))
    config = tiny(budget={"wall_minutes": 30.0})
    drivers = 0
    while drivers < 31:
        with opened(paths, config) as search:
            if search.ask() is None:
                break
            drivers += 1
    assert 0 < drivers < 30


def test_a_killed_drivers_time_is_late_by_no_more_than_its_clock_is_kept(
    paths: StudyPaths, tiny: Tiny, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [0.0]
    monkeypatch.setattr("study.search.searcher.time.monotonic", lambda: now[0])
    config = tiny()
    search = Search.open(paths, config, config.search_space())
    for now[0] in map(float, range(0, 600, 7)):
        search.keep_time()
    release(search._storage)
    with opened(paths, config) as search:
        assert 9.0 - KEEP_TIME_S / 60 < search.wall_minutes() <= 10.0


def test_open_again_hands_out_the_unfinished_under_their_numbers(paths: StudyPaths, tiny: Tiny) -> None:
    config = tiny(budget={"trials": 5})
    with opened(paths, config) as search:
        for _ in range(3):
            ask(search)
        search.tell(1, TrialStatus.FINISHED, GOOD)
        before = [paths.trial(number).config.read_text() for number in (0, 2)]
    with opened(paths, config) as search:
        again = [search.ask() for _ in range(2)]
        assert [(found.number, found.resumed) for found in again if found] == [(0, True), (2, True)]
        assert [paths.trial(number).config.read_text() for number in (0, 2)] == before
        assert [ask(search), ask(search)] == [3, 4]
        assert search.ask() is None


def test_open_again_tells_what_ended_while_nobody_looked(paths: StudyPaths, tiny: Tiny) -> None:
    config = tiny()
    with opened(paths, config) as search:
        number = ask(search)
    append_event(paths.trial(number), ATTEMPT, 1)
    append_event(paths.trial(number), ENDED, 1, status="finished", reason=None, metrics=GOOD)
    with opened(paths, config) as search:
        assert states(search) == [TrialState.COMPLETE]
        assert ask(search) == 1


def test_an_end_that_only_its_folder_has_lost_is_written_again(paths: StudyPaths, tiny: Tiny) -> None:
    with opened(paths, tiny()) as search:
        good, bad = ask(search), ask(search)
        for number, status, fault in ((good, "finished", {}), (bad, "failed", {"fault": "error"})):
            append_event(paths.trial(number), ATTEMPT, 1, resumed_epoch=0)
            append_event(paths.trial(number), ENDED, 1, status=status, reason="as it was", metrics=GOOD, **fault)
            search.settle(number)
    before = [read_events(paths.trial(number)) for number in (good, bad)]
    for number in (good, bad):
        events = paths.trial(number).events
        events.write_text(events.read_text().splitlines()[0] + "\n")
    with opened(paths, tiny()):
        after = [read_events(paths.trial(number)) for number in (good, bad)]
    assert [[event | {"time": 0} for event in events] for events in after] == [
        [event | {"time": 0} for event in events] for events in before
    ]


def test_a_trial_asked_for_but_never_written_down_gets_its_configuration(paths: StudyPaths, tiny: Tiny) -> None:
    config = tiny()
    with opened(paths, config) as search:
        search._study.ask()
    with opened(paths, config) as search:
        assert ask(search) == 0
        assert paths.trial(0).config.exists()


def test_random_numbers_do_not_repeat_when_a_search_is_opened_again(paths: StudyPaths, tiny: Tiny) -> None:
    config = tiny(budget={"trials": 10})
    for _ in range(5):
        with opened(paths, config) as search:
            search.tell(ask(search), TrialStatus.FINISHED, GOOD)
    with opened(paths, config) as search:
        assert len({trial.params["learning_rate"] for trial in search.trials()}) == 5


def test_equal_seeds_search_alike(tmp_path: Path, tiny: Tiny) -> None:
    found = []
    for folder in ("a", "b"):
        paths = StudyPaths(tmp_path / folder / "tiny")
        paths.root.mkdir(parents=True)
        with opened(paths, tiny(sampler="tpe", seed=3)) as search:
            for _ in range(3):
                search.tell(ask(search), TrialStatus.FINISHED, GOOD)
            found.append([trial.params for trial in search.trials()])
    assert found[0] == found[1]


@pytest.mark.parametrize(
    "change",
    [
        {"objectives": [CLEAN_ACCURACY, "gpu_minutes"]},
        {"objectives": [PGD_ACCURACY, CLEAN_ACCURACY]},
        {"space": {"unlisted": "fixed", "learning_rate": {"low": 0.05, "high": 2.0}, "m": [1, 2]}},
        {"settings": {"optimiser.epochs": 2}},
        {"constraints": {"gpu_minutes": 3.0}},
        {"sampler": "qmc"},
        {"scheduler": "halving"},
    ],
)
def test_another_question_is_refused(paths: StudyPaths, tiny: Tiny, change: dict[str, Any]) -> None:
    with opened(paths, tiny()):
        pass
    with pytest.raises(SearchError, match="give the changed study another name"):
        Search.open(paths, tiny(**change), tiny(**change).search_space())


def test_trials_of_a_lost_database_are_not_overwritten(paths: StudyPaths, tiny: Tiny) -> None:
    with opened(paths, tiny()) as search:
        ask(search)
    paths.optuna.unlink()
    with pytest.raises(SearchError, match="put back the database"):
        Search.open(paths, tiny(), tiny().search_space())


def test_a_database_that_is_none_is_named(paths: StudyPaths, tiny: Tiny) -> None:
    paths.optuna.write_text("no database")
    with pytest.raises(SearchError, match=f"{paths.optuna} cannot be read .*; put back"):
        Search.open(paths, tiny(), tiny().search_space())


def test_recipes_are_tried_first_and_once(paths: StudyPaths, tiny: Tiny) -> None:
    space = {"unlisted": "fixed", "learning_rate": {"low": 0.05, "high": 1.0}, "m": {"low": 1, "high": 5}}
    config = tiny(space=space, start_from=["table1/cf_amc_ssl"], budget={"trials": 6})
    for _ in range(2):
        with opened(paths, config) as search:
            search.tell(ask(search), TrialStatus.FINISHED, GOOD)
    with opened(paths, config) as search:
        first, second = search.trials()
    from trainables.recipes import recipe

    assert first.params == config.search_space().params(recipe("table1/cf_amc_ssl"))
    assert first.user_attrs["recipe"] == "table1/cf_amc_ssl"
    assert "recipe" not in second.user_attrs


class _Picky(SearchSpace):
    """Draws as its base does, and then refuses odd numbers of trials."""

    def suggest(self, trial: Any) -> Any:
        config = super().suggest(trial)
        if trial.number % 2:
            raise ConfigError(f"number {trial.number} is odd")
        return config


def test_an_invalid_draw_fails_and_the_search_goes_on(paths: StudyPaths, tiny: Tiny) -> None:
    config = tiny(budget={"trials": 4})
    search = Search.open(paths, config, _Picky(config.search_space().parts))
    assert [ask(search), ask(search), search.ask()] == [0, 2, None]
    assert [trial.user_attrs.get("reason") for trial in search.trials()] == [
        None,
        "ConfigError: number 1 is odd",
        None,
        "ConfigError: number 3 is odd",
    ]
    assert read_events(paths.trial(1))[-1]["status"] == "failed"
    search.close()


def test_an_invalid_draw_among_the_unfinished_does_not_end_the_search(paths: StudyPaths, tiny: Tiny) -> None:
    config = tiny(budget={"trials": 3})
    with opened(paths, config) as search:
        for _ in range(2):
            search._study.ask()
    search = Search.open(paths, config, _Picky(config.search_space().parts))
    assert [ask(search), ask(search), search.ask()] == [0, 2, None]
    search.close()


def test_a_space_that_is_all_measured_ends_the_search_without_training_twice(paths: StudyPaths, tiny: Tiny) -> None:
    config = tiny(space={"unlisted": "fixed", "m": [1, 2, 3]}, budget={"trials": 50})
    seen = []
    with opened(paths, config) as search:
        while (assignment := search.ask()) is not None:
            seen.append(json.loads(paths.trial(assignment.number).config.read_text())["params"]["m"])
            search.tell(assignment.number, TrialStatus.FINISHED, GOOD)
        assert len(search.frontier()) == 3
        assert search.spent().trials == 3
        assert str(search.hopeless()).startswith("all 3 configurations of the space were tried; widen the ranges with")
    assert sorted(seen) == [1, 2, 3]


@pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
def test_a_small_space_is_searched_whole_though_its_sampler_has_settled(paths: StudyPaths, tiny: Tiny) -> None:
    """Of conditional dimensions, and with a sampler that leaves most of it alone."""
    ratio = {"choices": [1.0, 1.25], "when": {"views.kind": "patches"}}
    space = {"unlisted": "fixed", "m": [1, 2], "views.kind": ["crops", "patches"], "views.ratio_max": ratio}
    with opened(paths, tiny(space=space, budget={"trials": 50})) as search:
        search._study.sampler = PartialFixedSampler({"views.kind": "crops"}, search._study.sampler)
        while (assignment := search.ask()) is not None:
            search.tell(assignment.number, TrialStatus.FINISHED, GOOD)
        assert "all 6 configurations of the space were tried" in str(search.hopeless())
        assert len({frozenset(trial.params.items()) for trial in search.trials()}) == len(search.trials()) == 6


def test_a_space_that_holds_no_valid_draw_ends_by_its_failures(paths: StudyPaths, tiny: Tiny) -> None:
    config = tiny(space={"unlisted": "fixed", "m": [1, 2]}, budget={"trials": 50})
    with opened(paths, config) as search:
        while (assignment := search.ask()) is not None:
            search.tell(assignment.number, TrialStatus.FAILED, {}, "ValueError: no")
        assert "the last 20 trials failed" in str(search.hopeless())


def test_what_has_failed_may_run_again_in_a_small_space(paths: StudyPaths, tiny: Tiny) -> None:
    config = tiny(space={"unlisted": "fixed", "m": [1, 2]}, budget={"trials": 50})
    with opened(paths, config) as search:
        search.tell(ask(search), TrialStatus.FAILED, {}, "ValueError: no")
        while (assignment := search.ask()) is not None:
            search.tell(assignment.number, TrialStatus.FINISHED, GOOD)
        assert search.spent().trials == 3
        assert "all 2 configurations of the space were tried" in str(search.hopeless())


@pytest.mark.parametrize("sampler", ["tpe", "nsga2", "nsga3", "gp", "qmc", "random"])
def test_every_sampler_asks_and_hears(paths: StudyPaths, tiny: Tiny, sampler: str) -> None:
    with opened(paths, tiny(sampler=sampler, budget={"trials": 12})) as search:
        for index in range(12):
            status = (TrialStatus.FINISHED, TrialStatus.FAILED, TrialStatus.STOPPED)[index % 3]
            search.tell(ask(search), status, GOOD if status is TrialStatus.FINISHED else {}, "why")


def test_tpe_searches_several_trainables(paths: StudyPaths, tiny: Tiny) -> None:
    config = tiny(trainables=["cf_amc_ssl", "robust_simclr"], sampler="tpe", space={}, budget={"trials": 15})
    with opened(paths, config) as search:
        while (assignment := search.ask()) is not None:
            search.tell(assignment.number, TrialStatus.FINISHED, GOOD)
        assert {trial.user_attrs["trainable"] for trial in search.trials()} == {"cf_amc_ssl", "robust_simclr"}


def test_a_repeat_that_was_cut_short_does_not_stay_running(paths: StudyPaths, tiny: Tiny) -> None:
    config = tiny(space={"unlisted": "fixed", "m": [1, 2]}, budget={"trials": 9})
    with opened(paths, config) as search:
        search.tell(ask(search), TrialStatus.FINISHED, GOOD)
        repeated = search._study.ask()
        search._space.suggest(repeated)
        repeated.set_user_attr("repeats", 0)
    with opened(paths, config) as search:
        assert [trial.state for trial in search._study.get_trials()] == [TrialState.COMPLETE] * 2
        assert len(search.trials()) == 1


def test_no_two_equal_configurations_train_side_by_side(paths: StudyPaths, tiny: Tiny) -> None:
    config = tiny(space={"unlisted": "fixed", "m": [1, 2, 3]}, budget={"trials": 9}, sampler="random")
    with opened(paths, config) as search:
        running = [ask(search) for _ in range(3)]
        assert sorted(trial.params["m"] for trial in search.trials()) == [1, 2, 3]
        assert search.ask() is LATER, "the rest of the space runs"
        search.tell(running[0], TrialStatus.FAILED, {}, "no luck")
        again = ask(search)
        assert search.trials()[-1].params == search.trials()[0].params, "it told nothing"
        for number in (*running[1:], again):
            search.tell(number, TrialStatus.FINISHED, GOOD)
        assert search.ask() is None
        assert "all 3 configurations of the space were tried" in (search.hopeless() or "")


def test_equal_configurations_side_by_side_have_seeds_of_their_own_where_that_is_asked(
    paths: StudyPaths, tiny: Tiny
) -> None:
    config = tiny(space={"unlisted": "fixed", "m": [1, 2]}, budget={"trials": 4}, repeats="new_seed")
    with opened(paths, config) as search:
        numbers = [ask(search) for _ in range(4)]
    written = [json.loads(paths.trial(number).config.read_text()) for number in numbers]
    assert len({(each["params"]["m"], each["config"]["seed"]) for each in written}) == 4


def test_what_equals_a_trial_that_runs_is_settled_when_its_driver_dies(paths: StudyPaths, tiny: Tiny) -> None:
    config = tiny(space={"unlisted": "fixed", "m": [1, 2]}, budget={"trials": 9})
    with opened(paths, config) as search:
        ask(search)
        equal = search._study.ask()
        search._space.suggest(equal)
        equal.set_user_attr("repeats", 0)
    with opened(paths, config) as search:
        assert [trial.state for trial in search._study.get_trials()] == [TrialState.RUNNING, TrialState.FAIL]


def test_a_grid_ends_the_search_when_it_is_exhausted(paths: StudyPaths, tiny: Tiny) -> None:
    config = tiny(sampler="grid", space={"unlisted": "fixed", "m": [1, 2, 3]}, budget={"trials": 50})
    with opened(paths, config) as search:
        for _ in range(2):
            search.tell(ask(search), TrialStatus.FINISHED, GOOD)
    with opened(paths, config) as search:
        number = ask(search)
        assert search.ask() is None
        search.tell(number, TrialStatus.FAILED, {}, "no luck")
        assert search.ask() is None
        assert search.exhausted() == "all 3 configurations of the grid were begun"
        assert sorted(trial.params["m"] for trial in search.trials()) == [1, 2, 3]


def test_a_grid_of_fractions_has_each_point_once_wherever_it_begins(paths: StudyPaths, tiny: Tiny) -> None:
    steps = {"low": 4 / 255, "high": 12 / 255, "step": 4 / 255}
    config = tiny(
        sampler="grid",
        space={"unlisted": "fixed", "epsilon": steps},
        start_from=["table1/cf_amc_ssl"],
        budget={"trials": 9},
    )
    with opened(paths, config) as search:
        while (assignment := search.ask()) is not None:
            search.tell(assignment.number, TrialStatus.FINISHED, GOOD)
        levels = [round(trial.params["epsilon"] * 255) for trial in search.trials()]
    assert (levels[0], sorted(levels)) == (8, [4, 8, 12])


def test_a_trial_is_named_in_optuna_though_its_driver_died_before(
    paths: StudyPaths, tiny: Tiny, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch, opened(paths, tiny()) as search:
        patch.setattr(Search, "_name", lambda *_: None)
        ask(search)
    with opened(paths, tiny()) as search:
        ask(search)
        attributes = search.trials()[0].user_attrs
    assert (attributes["trainable"], attributes["trial_id"]) == ("cf_amc_ssl", "tiny/0000")


def test_a_repeated_draw_runs_again_with_a_new_seed_where_that_is_asked(paths: StudyPaths, tiny: Tiny) -> None:
    space = {"unlisted": "fixed", "m": [1, 2]}
    config = tiny(space=space, budget={"trials": 8}, repeats="new_seed", settings={"seed": 5})
    seeds: dict[int, list[int]] = {1: [], 2: []}
    for _ in range(2):
        with opened(paths, config) as search:
            for index in range(4):
                number = ask(search)
                written = json.loads(paths.trial(number).config.read_text())
                seeds[written["params"]["m"]].append(written["config"]["seed"])
                status = TrialStatus.FAILED if index == 1 else TrialStatus.FINISHED
                search.tell(number, status, GOOD)
    assert all(found == list(range(5, 5 + len(found))) for found in seeds.values())
    assert sum(map(len, seeds.values())) == 8


@pytest.mark.parametrize("repeats", ["redraw", "new_seed"])
def test_what_early_stopping_ended_is_not_run_again(
    paths: StudyPaths, tiny: Tiny, monkeypatch: pytest.MonkeyPatch, repeats: str
) -> None:
    monkeypatch.setattr("study.search.searcher.REPEATS_IN_A_ROW", 20)
    config = tiny(space={"unlisted": "fixed", "m": [1, 2]}, budget={"trials": 9}, repeats=repeats, sampler="tpe")
    with opened(paths, config) as search:
        begun = []
        while assignment := search.ask():
            begun.append(assignment.number)
            write_json(paths.trial(assignment.number).stop, {"reason": "halving: rank 9 of 9"})
            search.tell(assignment.number, TrialStatus.STOPPED, {}, "halving: rank 9 of 9")
        assert {trial.params["m"] for trial in search.trials()} == {1, 2}
        assert search.spent().trials == len(begun) == 2
        draws = search._study.get_trials()
        assert len(draws) > 2
        assert all(draw.state is TrialState.PRUNED for draw in draws)


def test_what_a_time_limit_ended_is_drawn_again(paths: StudyPaths, tiny: Tiny) -> None:
    with opened(paths, tiny(space={"unlisted": "fixed", "m": [1]}, budget={"trials": 2})) as search:
        for _ in range(2):
            search.tell(ask(search), TrialStatus.STOPPED, {}, out_of_time(Budget(wall_minutes=30), 31))
        assert search.spent().trials == 2
        assert states(search) == [TrialState.FAIL] * 2, "the clock says nothing of a configuration"
        assert {trial.user_attrs["reason"] for trial in search.trials()} == {"the time limit of 30 minutes is reached"}


BOUNDS = {"peak_memory_gib": 24, "forward_equivalents": 5e6}
HEAVY = GOOD | {CLEAN_ACCURACY: 0.9, "peak_memory_gib": 30.0}


def test_every_trial_is_told_with_every_constraint(paths: StudyPaths, tiny: Tiny) -> None:
    with opened(paths, tiny(constraints=BOUNDS, budget={"trials": 5})) as search:
        search.tell(ask(search), TrialStatus.FINISHED, HEAVY)
        search.tell(ask(search), TrialStatus.FINISHED, GOOD)
        search.tell(ask(search), TrialStatus.STOPPED, {}, "early")
        search.tell(ask(search), TrialStatus.FAILED, {}, "no")
        told = [trial.constraints for trial in search.trials()]
        assert told[0] == {"peak_memory_gib": pytest.approx(0.25), "forward_equivalents": 0.0}
        assert told[1:] == [{"peak_memory_gib": 0.0, "forward_equivalents": 0.0}] * 3
        assert [trial.number for trial in search.frontier()] == [1]


def test_what_ended_early_is_no_example_of_a_figure_that_is_asked_for(paths: StudyPaths, tiny: Tiny) -> None:
    """TPE takes for good, once no finished trial that keeps the bounds is left, what ended early within them."""
    config = tiny(constraints={CLEAN_ACCURACY: {"at_least": 0.8}}, budget={"trials": 5})
    with opened(paths, config) as search:
        search.tell(ask(search), TrialStatus.FINISHED, GOOD | {CLEAN_ACCURACY: 0.6})
        search.tell(ask(search), TrialStatus.FINISHED, GOOD | {CLEAN_ACCURACY: 0.8})
        search.tell(ask(search), TrialStatus.STOPPED, {}, "early")
        told = [trial.constraints[CLEAN_ACCURACY] for trial in search.trials()]
        assert told == [pytest.approx(0.25), 0.0, 1.0]
        assert [trial.number for trial in search.frontier()] == [1]


def test_a_trial_that_ran_out_of_memory_teaches_the_sampler(paths: StudyPaths, tiny: Tiny) -> None:
    with opened(paths, tiny(sampler="tpe", budget={"trials": 20})) as search:
        for number in (ask(search), ask(search)):
            fault = "out_of_memory" if number == 0 else "error"
            append_event(paths.trial(number), ENDED, 1, status="failed", reason="why", metrics={}, fault=fault)
            search.settle(number)
        assert states(search)[:2] == [TrialState.PRUNED, TrialState.FAIL]
        assert [status_of(trial) for trial in search.trials()[:2]] == [TrialStatus.FAILED] * 2
        assert search.trials()[0].constraints == {"peak_memory_gib": 1.0}
        assert search.trials()[1].constraints == {}
        while (assignment := search.ask()) is not None:
            search.tell(assignment.number, TrialStatus.FINISHED, GOOD)


def test_telling_goes_on_where_a_driver_died_between_constraint_and_state(paths: StudyPaths, tiny: Tiny) -> None:
    config = tiny(constraints=BOUNDS)
    with opened(paths, config) as search:
        number = ask(search)
        search._trial(number).set_constraint("peak_memory_gib", 0.25)
        append_event(paths.trial(number), ENDED, 1, status="finished", reason=None, metrics=HEAVY)
    with opened(paths, config) as search:
        assert states(search) == [TrialState.COMPLETE]
        assert search.trials()[0].constraints == {
            "peak_memory_gib": pytest.approx(0.25),
            "forward_equivalents": 0.0,
        }


STEPS = st.lists(st.sampled_from(["ask", "finish", "fail", "stop", "nan", "end on disk", "reopen"]), max_size=20)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
def test_whatever_happens_no_number_is_doubled_and_nothing_stays_running(tiny: Tiny, steps: list[str]) -> None:
    config = tiny(budget={"trials": 8}, space={"unlisted": "fixed", "learning_rate": {"low": 0.05, "high": 1.0}})
    with tempfile.TemporaryDirectory() as folder:
        paths = StudyPaths(Path(folder))
        search = Search.open(paths, config, config.search_space())
        running: list[int] = []
        handed_out: set[int] = set()
        for step in steps:
            if step == "ask":
                assignment = search.ask()
                if assignment is not None:
                    assert assignment.number not in running
                    assert assignment.resumed == (assignment.number in handed_out)
                    running.append(assignment.number)
                    handed_out.add(assignment.number)
            elif step == "reopen":
                search.close()
                search = Search.open(paths, config, config.search_space())
                running.clear()
            elif running:
                _end(search, paths, running.pop(0), step)
        search.close(ended="over")
        search = Search.open(paths, config, config.search_space())
        assert all(trial.state.is_finished() for trial in search.trials())
        assert handed_out == {trial.number for trial in search.trials()} == set(range(len(handed_out)))
        assert len(handed_out) <= 8
        assert all(read_events(paths.trial(number))[-1]["kind"] == ENDED for number in _silent(search, paths))
        search.close()


def _end(search: Search, paths: StudyPaths, number: int, how: str) -> None:
    trial = paths.trial(number)
    append_event(trial, EPOCH, 1, epoch=1, metrics={"train/loss": 1.0})
    if how == "end on disk":
        append_event(trial, ENDED, 1, status="finished", reason=None, metrics=GOOD)
        search.settle(number)
        return
    status = {"fail": TrialStatus.FAILED, "stop": TrialStatus.STOPPED}.get(how, TrialStatus.FINISHED)
    search.tell(number, status, GOOD | ({PGD_ACCURACY: math.nan} if how == "nan" else {}), how)


def _silent(search: Search, paths: StudyPaths) -> list[int]:
    """Trials that the search ended by itself: their folders must say so too."""
    return [trial.number for trial in search.trials() if trial.user_attrs.get("reason") == "over"]


def test_a_study_in_which_every_trial_fails_ends(paths: StudyPaths, tiny: Tiny) -> None:
    with opened(paths, tiny(budget={"gpu_hours": 1000.0})) as search:
        begun = 0
        while (assignment := search.ask()) and begun < 100:
            begun += 1
            search.tell(assignment.number, TrialStatus.FAILED, {}, "no luck")
        assert begun == 20
        assert "no luck" in str(search.hopeless())


def test_a_study_in_which_every_trial_failed_goes_on_when_it_is_resumed(
    paths: StudyPaths, tiny: Tiny, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("study.search.searcher.FAILURES_IN_A_ROW", 3)
    config = tiny(budget={"trials": 60})
    with opened(paths, config) as search:
        for number in [ask(search) for _ in range(3)]:
            append_event(paths.trial(number), ENDED, 1, status="failed", reason="no disk", metrics={})
            if number < 2:  # the driver dies before it hears of the last
                search.settle(number)
    for begun in (6, 9):
        with opened(paths, config) as search:
            assert search.hopeless() is None
            while assignment := search.ask():
                search.tell(assignment.number, TrialStatus.FAILED, {}, "still none")
            assert search.spent().trials == begun
            assert str(search.hopeless()).endswith("still none; when the cause is mended: study resume tiny")


def test_one_success_in_between_is_hope(paths: StudyPaths, tiny: Tiny) -> None:
    with opened(paths, tiny(budget={"trials": 60})) as search:
        for begun in range(45):
            number = ask(search)
            status = TrialStatus.FINISHED if begun % 15 == 0 else TrialStatus.FAILED
            search.tell(number, status, GOOD, None)
        assert search.hopeless() is None


def test_trials_that_fail_are_paid_for(paths: StudyPaths, tiny: Tiny) -> None:
    with opened(paths, tiny(budget={"gpu_hours": 1.0})) as search:
        search.tell(ask(search), TrialStatus.FAILED, {"train/seconds": 1800.0}, "out of memory")
        assert search.spent().gpu_hours == pytest.approx(0.5)
        search.tell(ask(search), TrialStatus.STOPPED, {"train/seconds": 1800.0}, "enough")
        assert search.ask() is None
