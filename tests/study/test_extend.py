"""Studies that are given more budget and another search: nothing is lost, renumbered or trained again."""

from __future__ import annotations

import io
import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
from optuna.trial import TrialState
from rich.console import Console
from typer.testing import CliRunner, Result

from analysis.frontier.pareto import frontier
from analysis.layout import ATTEMPT, ENDED, StudyPaths, append_event, study_paths, write_atomically, write_json
from analysis.reading.runs import read_study
from analysis.schema import BY_HAND, TrialStatus
from study import supervise
from study.commands.main import app
from study.config import Budget, StudyConfig
from study.config.confirmation import Confirmation
from study.dry_run import plan
from study.extend import ExtensionError, _check_search, _extend, _extended, extend, rehearse
from study.files.added import leave
from study.files.lock import sole_driver
from study.launch import launch, resume
from study.rehearsal import resumption
from study.samplers.trials import OUTSIDE, WITHDRAWN, is_own
from study.search.extension import complete, extend_folder
from study.search.micro_batches import INSTEAD_OF, MICRO_BATCHES
from study.search.searcher import LATER, Assignment, Search
from study.supervise import Continuation
from trainables.config import UserError
from trainables.metrics import CLEAN_ACCURACY, PGD_ACCURACY

Tiny = Callable[..., StudyConfig]
pytestmark = pytest.mark.usefixtures("studies")

RATES = [0.05, 0.1, 0.2, 0.4, 0.8]
WIDE = {"unlisted": "fixed", "learning_rate": RATES, "m": [1, 2]}
SMOOTH = {
    "unlisted": "fixed",
    "learning_rate": {"low": 0.05, "high": 1.0, "log": True},
    "epsilon": {"low": "4/255", "high": "12/255"},
    "m": {"low": 1, "high": 5},
}
NARROWER = {"space.learning_rate": [0.2, 0.4, 0.8, 1.6]}


def metrics(rate: float) -> dict[str, float]:
    return {CLEAN_ACCURACY: rate, PGD_ACCURACY: 1 - rate, "gpu_minutes": 6.0}


def on_disk(paths: StudyPaths, number: int, status: str, found: dict[str, float]) -> None:
    append_event(paths.trial(number), ATTEMPT, 1)
    append_event(paths.trial(number), ENDED, 1, status=status, reason="why", metrics=found)


@pytest.fixture
def studied(tiny: Tiny) -> Callable[..., StudyPaths]:
    """A study on disk whose trials have ended with made-up figures; the last one runs."""

    def build(trials: int = 7, **keys: Any) -> StudyPaths:
        config = tiny(**({"space": WIDE, "budget": {"trials": trials}} | keys))
        paths = study_paths("tiny")
        paths.root.mkdir()
        write_atomically(paths.study_file, config.to_yaml())
        manifest = {"space": config.search_space().to_json(), "budget": config.budget.model_dump()}
        write_json(paths.manifest, manifest | {"name": "tiny", "objectives": []})
        search = Search.open(paths, config, config.search_space())
        while (assignment := search.ask()) is not None:
            number = assignment.number
            status = "failed" if number % 4 == 3 else "finished"
            rate = search._frozen(number).params["learning_rate"]
            if search.spent().trials < trials:
                on_disk(paths, number, status, metrics(rate) if status == "finished" else {})
                search.settle(number)
        search.close()
        return paths

    return build


def reopened(paths: StudyPaths) -> Search:
    config = StudyConfig.load(paths.study_file)
    return Search.open(paths, config, config.search_space())


def extended(paths: StudyPaths, changes: dict[str, Any], trials: int | None = None) -> list[Any]:
    config, space = _extended(paths, StudyConfig.load(paths.study_file), changes)
    if trials is not None:
        config = config.model_copy(update={"budget": Budget(trials=trials)})
    return extend_folder(paths, config, space)


def described(search: Search) -> list[tuple[int, TrialStatus | str, Any]]:
    return [
        (trial.number, trial.user_attrs.get("status", "running"), trial.user_attrs.get("metrics"))
        for trial in search.trials()
    ]


def test_trials_keep_their_numbers_and_what_they_measured(studied: Callable[..., StudyPaths]) -> None:
    paths = studied()
    with_old = reopened(paths)
    before, best = described(with_old), [trial.number for trial in with_old.frontier()]
    numbers = {trial.number: trial.params["learning_rate"] for trial in with_old.trials()}
    with_old.close()
    outside = extended(paths, NARROWER)
    assert {int(left.trial) for left in outside} == {number for number, rate in numbers.items() if rate < 0.2}
    assert all("learning_rate is 0." in left.reason for left in outside)
    search = reopened(paths)
    assert described(search) == before
    assert [trial.number for trial in search.frontier()] == best
    for trial in search.trials():
        if OUTSIDE in trial.user_attrs:
            assert trial.state in (TrialState.FAIL, TrialState.RUNNING)
            assert trial.params == {}
        else:
            assert trial.params["learning_rate"] == numbers[trial.number]
            assert trial.distributions["learning_rate"].choices == (0.2, 0.4, 0.8, 1.6)
    search.close()


def test_the_frontier_in_progress_is_that_of_the_report(studied: Callable[..., StudyPaths]) -> None:
    paths = studied()
    extended(paths, NARROWER)
    search = reopened(paths)
    assert {trial.number for trial in search.frontier()} == set(frontier(read_study(paths))["number"])
    search.close()


def test_new_trials_come_from_the_new_ranges_and_go_on_counting(studied: Callable[..., StudyPaths]) -> None:
    paths = studied(trials=6)
    extended(paths, {"space.learning_rate": [1.6, 3.2], "budget.trials": 6})
    config = StudyConfig.load(paths.study_file, {"budget.trials": 9})
    search = Search.open(paths, config, config.search_space())
    resumed = search.ask()
    assert resumed is not None
    assert resumed.resumed
    new = [search.ask() for _ in range(3)]
    assert search.ask() is None
    numbers = [assignment.number for assignment in new if assignment]
    assert len(numbers) == 3
    assert min(numbers) > resumed.number
    for number in numbers:
        written = json.loads(paths.trial(number).config.read_text())
        assert written["config"]["optimiser"]["learning_rate"] in (1.6, 3.2)
    search.tell(resumed.number, TrialStatus.FINISHED, metrics(0.9))
    assert search._frozen(resumed.number).state is TrialState.FAIL, "it lies outside: the sampler must not heed it"
    assert resumed.number in [trial.number for trial in search.frontier()]
    search.close(ended="over")
    assert all(trial.state.is_finished() for trial in reopened(paths).trials())


def test_a_trial_outside_that_runs_takes_no_configuration_of_the_new_space(studied: Callable[..., StudyPaths]) -> None:
    paths = studied(trials=6)
    extended(paths, {"space.learning_rate": [1.6, 3.2], "space.m": [1, 2], "budget.trials": 6})
    config = StudyConfig.load(paths.study_file, {"budget.trials": 30})
    search = Search.open(paths, config, config.search_space())
    asked = [search.ask() for _ in range(6)]
    search.close()
    assert config.search_space().size == 4
    assert [isinstance(one, Assignment) for one in asked] == [True] * 5 + [False]
    assert asked[5] is LATER


def test_ranges_may_come_back(studied: Callable[..., StudyPaths]) -> None:
    paths = studied(sampler="tpe", constraints={"gpu_minutes": 3.0})
    search = reopened(paths)
    before = [(trial.state, trial.values, trial.params, trial.constraints) for trial in search.trials()]
    search.close()
    extended(paths, NARROWER)
    extended(paths, {"space.learning_rate": RATES})
    search = reopened(paths)
    assert [(trial.state, trial.values, trial.params, trial.constraints) for trial in search.trials()] == before
    search.close()
    manifest = json.loads(paths.manifest.read_text())
    assert [bool(record["outside"]) for record in manifest["extensions"]] == [True, False]
    assert paths.optuna_before(1).exists()
    assert paths.optuna_before(2).exists()


def test_a_dimension_may_be_fixed_and_another_searched(studied: Callable[..., StudyPaths]) -> None:
    paths = studied()
    outside = extended(paths, {"space.m": 2, "space.crop_scale_min": {"low": 0.05, "high": 0.2}})
    search = reopened(paths)
    written = {
        trial.number: json.loads(paths.trial(trial.number).config.read_text())["config"]["adversary"]["replays"]
        for trial in search.trials()
    }
    assert {int(left.trial) for left in outside} == {number for number, m in written.items() if m == 1}
    assert all(left.reason == "m is 1, held at 2" for left in outside)
    inside = [trial for trial in search.trials() if trial.params]
    assert all(set(trial.params) == {"learning_rate", "crop_scale_min"} for trial in inside)
    search.close()


def test_the_choices_of_a_text_may_change(studied: Callable[..., StudyPaths]) -> None:
    texts = {"unlisted": "fixed", "network.stem": ["cifar", "imagenet"], "learning_rate": RATES}
    paths = studied(space=texts)

    def found() -> dict[int, dict[str, Any]]:
        search = reopened(paths)
        trials = search.trials()
        search.close()
        return {trial.number: dict(trial.params) for trial in trials}

    before = found()
    gone = [number for number, params in before.items() if params["network.stem"] == "cifar"]
    assert 0 < len(gone) < len(before)
    outside = extended(paths, {"space.network.stem": "imagenet"})
    assert [int(left.trial) for left in outside] == gone
    assert outside[0].reason == "network.stem is cifar, held at imagenet"
    more = {"space.network.stem": ["vgg", "imagenet", "cifar"], "space.optimiser.nesterov": [True, False]}
    with pytest.raises(UserError, match=r"network\.stem cannot be vgg"):
        extended(paths, more)
    assert extended(paths, more | {"space.network.stem": ["imagenet", "cifar"]}) == []
    assert found() == {number: params | {"optimiser.nesterov": True} for number, params in before.items()}


def test_null_may_be_among_the_choices_that_change(studied: Callable[..., StudyPaths]) -> None:
    periods = {"unlisted": "fixed", "views.strength_period": [None, 1, 2], "learning_rate": RATES}
    paths = studied(space=periods, settings={"optimiser.epochs": 3})
    search = reopened(paths)
    drawn = {trial.number: trial.params["views.strength_period"] for trial in search.trials()}
    before = state(search)
    search.close()
    assert set(drawn.values()) == {None, 1, 2}
    outside = extended(paths, {"space.views.strength_period": [2, None]})
    assert [int(left.trial) for left in outside] == [number for number, period in drawn.items() if period == 1]
    outside = extended(paths, {"space.views.strength_period": None})
    told = {left.reason for left in outside}
    assert told == {f"views.strength_period is {period}, held at null" for period in (1, 2)}
    assert extended(paths, {"space.views.strength_period": [None, 1, 2]}) == []
    search = reopened(paths)
    assert state(search) == before
    search.close()


def test_a_samplers_numbers_change_and_stay(studied: Callable[..., StudyPaths]) -> None:
    paths = studied(trials=9, space=SMOOTH, sampler={"name": "nsga2", "population": 3})
    search = reopened(paths)
    before = state(search)
    assert search._study.sampler.population_size == 3
    search.close()
    extended(paths, {"sampler.population": 4}, trials=12)
    assert json.loads(paths.manifest.read_text())["sampler"] == {"name": "nsga2", "population": 4}
    search = reopened(paths)
    sampler = search._study.sampler
    assert sampler.population_size == 4
    assert state(search) == before
    assert len(sampler.get_population(search._study, 0)) == 3, "what was a generation stays one"
    assert search.ask().resumed
    new = search.ask().number
    assert sampler.get_trial_generation(search._study, search._frozen(new)) == 1, "which now has room for a fourth"
    search.close()
    other = StudyConfig.load(paths.study_file, {"sampler.population": 5})
    with pytest.raises(UserError, match="was launched with other sampler; put it back and change it with `study ext"):
        Search.open(paths, other, other.search_space())


def state(search: Search) -> list[Any]:
    """What a sampler reads of the trials."""
    return [
        (trial.number, trial.state, trial.values, trial.params, trial.constraints, trial.distributions)
        for trial in search.trials()
    ]


@pytest.mark.parametrize(
    "sampler",
    ["nsga2", "grid", *(pytest.param(name, marks=pytest.mark.exhaustive) for name in ("tpe", "nsga3", "gp", "qmc"))],
)
def test_another_sampler_takes_over_what_was_found(studied: Callable[..., StudyPaths], sampler: str) -> None:
    paths = studied(trials=5, **({} if sampler == "grid" else {"space": SMOOTH}))
    search = reopened(paths)
    before, told = state(search), described(search)
    search.close()
    assert extended(paths, {"sampler": sampler}) == []
    search = further(paths, 7)
    assert (state(search), described(search)) == (before, told)
    assert search.ask().resumed
    new = [search.ask().number for _ in range(2)]
    assert search.ask() is None
    assert min(new) > before[-1][0]
    complete = [trial for trial in search._study.get_trials() if trial.state is TrialState.COMPLETE]
    if sampler.startswith("nsga"):
        assert search._study.sampler.get_population(search._study, 0) == complete, "what was found is bred from"
    search.close()
    (record,) = json.loads(paths.manifest.read_text())["extensions"]
    assert record.keys() == {"time", "budget_before", "from_trial", "sampler_before"}
    assert (record["sampler_before"], record["from_trial"]) == ("random", before[-1][0] + 1)
    assert paths.optuna_before(1).exists()
    assert json.loads(paths.manifest.read_text())["sampler"] == sampler


def test_other_bounds_hold_for_all_trials(studied: Callable[..., StudyPaths]) -> None:
    paths = studied(trials=6, constraints={"gpu_minutes": 3.0})
    search = reopened(paths)
    assert search.frontier() == [], "each used 6"
    before = state(search)
    search.close()
    extended(paths, {"constraints": {CLEAN_ACCURACY: {"at_least": 0.4}}})
    search = reopened(paths)
    best = {trial.number for trial in search.frontier()}
    assert best == set(frontier(read_study(paths))["number"])
    rates = {trial.number: trial.params["learning_rate"] for trial in search.trials()}
    assert {rates[number] for number in best} <= {0.4, 0.8}
    finished = [trial for trial in search.trials() if trial.state is TrialState.COMPLETE]
    assert all(
        trial.constraints == {CLEAN_ACCURACY: pytest.approx(1 - rates[trial.number] / 0.4)} for trial in finished
    )
    search.close()
    beyond = read_study(paths).finished.set_index("number")["violation"]
    assert {number for number, text in beyond.items() if text == ""} == {n for n in beyond.index if rates[n] >= 0.4}
    extended(paths, {"constraints": {"gpu_minutes": 3.0}})
    search = reopened(paths)
    assert state(search) == before
    search.close()


@pytest.mark.parametrize("before", ["grid", "qmc"])
def test_a_grid_draws_again_what_another_bound_had_refused(tiny: Tiny, before: str) -> None:
    def work(config: Any) -> float:
        return float(config.optimiser.learning_rate)

    def search_of(paths: StudyPaths) -> Search:
        config = StudyConfig.load(paths.study_file)
        return Search.open(paths, config, config.search_space(), work)

    def trained(search: Search) -> list[float]:
        rates = []
        while (assignment := search.ask()) is not None:
            rates.append(search._frozen(assignment.number).params["learning_rate"])
            on_disk(paths, assignment.number, "finished", metrics(rates[-1]))
            search.settle(assignment.number)
        search.close()
        return sorted(rates)

    config = tiny(
        sampler=before,
        constraints={"forward_equivalents": 0.15},
        space={"unlisted": "fixed", "learning_rate": RATES},
        budget={"trials": 2},
    )
    paths = study_paths("tiny")
    paths.root.mkdir()
    write_atomically(paths.study_file, config.to_yaml())
    write_json(paths.manifest, {"space": config.search_space().to_json(), "budget": config.budget.model_dump()})
    assert trained(search_of(paths)) == [0.05, 0.1]
    extended(paths, {"constraints.forward_equivalents": 0.5})
    search_of(paths).close()
    extended(paths, {"sampler": "grid"}, trials=9)
    assert trained(search_of(paths)) == [0.2, 0.4]
    extended(paths, {"constraints": {}})
    assert trained(search_of(paths)) == [0.8]


def test_what_a_step_reaches_but_for_rounding_was_tried(tiny: Tiny) -> None:
    """A search that was changed has its trials at 0.3, a sampler steps to 0.30000000000000004."""
    steps = {"low": 0.1, "high": 0.4, "step": 0.1}
    config = tiny(sampler="random", space={"unlisted": "fixed", "learning_rate": steps}, budget={"trials": 4})
    paths = study_paths("tiny")
    paths.root.mkdir()
    write_atomically(paths.study_file, config.to_yaml())
    write_json(paths.manifest, {"space": config.search_space().to_json(), "budget": config.budget.model_dump()})
    search = reopened(paths)
    while (assignment := search.ask()) is not None:
        on_disk(paths, assignment.number, "finished", metrics(0.5))
        search.settle(assignment.number)
    assert 0.3 not in [trial.params["learning_rate"] for trial in search.trials()]
    search.close()
    extended(paths, {"sampler": "tpe"}, trials=5)
    search = reopened(paths)
    assert 0.3 in [trial.params["learning_rate"] for trial in search.trials()]
    assert search.ask() is None
    assert "all 4 configurations of the space were tried" in str(search.hopeless())
    search.close()


def test_resources_change_without_another_search(studied: Callable[..., StudyPaths]) -> None:
    paths = studied(trials=1)
    database = paths.optuna.read_bytes()
    extended(paths, {"resources.cpus_per_trial": 2, "resources.max_concurrent": 3})
    found = StudyConfig.load(paths.study_file).resources
    assert (found.cpus_per_trial, found.max_concurrent) == (2, 3)
    (record,) = json.loads(paths.manifest.read_text())["extensions"]
    assert record.keys() == {"time", "budget_before"}
    assert paths.optuna.read_bytes() == database
    assert not paths.optuna_before(1).exists()


def test_what_the_command_line_sets_is_said_and_holds(
    studied: Callable[..., StudyPaths], monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = studied(trials=1)
    monkeypatch.setattr("study.extend.resume", Mock(return_value=paths))
    words = ["sampler=tpe", "scheduler=halving", "constraints.clean_accuracy.at_least=0.2", "resources.max_failures=1"]
    options = [option for word in words for option in ("--set", word)]
    result = CliRunner().invoke(app, ["extend", "tiny", "--backend", "inline", *options])
    assert result.exit_code == 0, result.output
    for line in (
        "sampler: tpe (before: random)",
        "scheduler: halving (before: none)",
        "constraints: clean_accuracy at least 20 % (before: none)",
        "resources changed: each trial is given them from its next start on",
    ):
        assert line in result.output
    config = StudyConfig.load(paths.study_file)
    assert (config.sampler.name, config.scheduler.name, config.resources.max_failures) == ("tpe", "halving", 1)


def test_where_trials_are_listed_nothing_is_changed_and_none_is_added(tiny: Tiny) -> None:
    confirms = Confirmation.of("first", [1], [(3, {}, tiny().base_configs()["cf_amc_ssl"])])
    child = StudyConfig(name="child", trainables=confirms.trainables, budget=Budget(trials=1), confirms=confirms)
    for trials, changes in ((None, {"sampler": "gp"}), (None, {"resources.cpus_per_trial": 2}), (3, {})):
        with pytest.raises(ExtensionError, match="trials of child are given, not searched; give more seeds to `study"):
            _check_search(child, trials, changes)
    _check_search(child, None, {})
    _check_search(tiny(), 3, {"sampler": "gp"})


def test_recipes_that_wait_come_in_the_new_ranges_or_are_withdrawn(tiny: Tiny, studied: Any) -> None:
    space = {"unlisted": "fixed", "learning_rate": {"low": 0.05, "high": 1.0}, "m": {"low": 1, "high": 12}}
    recipes = ["table1/cf_amc_ssl", "ablation-m/m_7"]
    paths = studied(trials=1, space=space, start_from=recipes)
    outside = extended(paths, {"space.m": {"low": 1, "high": 5}})
    assert [(left.trial, "m is 7" in left.reason) for left in outside] == [("ablation-m/m_7", True)]
    assert StudyConfig.load(paths.study_file).start_from == ["table1/cf_amc_ssl"]
    search = reopened(paths)
    assert [trial.number for trial in search.trials()] == [0]
    search.close()


def test_what_was_added_by_hand_comes_in_the_new_ranges_or_is_withdrawn(studied: Callable[..., StudyPaths]) -> None:
    paths = studied(trials=1)
    leave(paths, [{"learning_rate": rate, "m": 2} for rate in (RATES[0], RATES[-1])])
    search = reopened(paths)
    search.write_down()
    search.close()
    assert list(paths.each_added()) == []
    outside = extended(paths, {"space.learning_rate": [RATES[-1], 3.2]})
    waited = [left.reason for left in outside if left.trial == BY_HAND]
    assert waited == [f"learning_rate is {RATES[0]}, outside one of {RATES[-1]}, 3.2 of cf_amc_ssl"]
    search = further(paths, 3)
    numbers = [assignment.number for assignment in (search.ask() for _ in range(3)) if assignment]
    told = [json.loads(paths.trial(number).config.read_text()) for number in numbers]
    assert [one.get("origin") for one in told] == [None, BY_HAND, None]
    assert told[1]["params"] == {"learning_rate": RATES[-1], "m": 2}
    search.close()


def test_a_recipe_that_was_begun_is_left_out_under_its_number(studied: Callable[..., StudyPaths]) -> None:
    space = {"unlisted": "fixed", "learning_rate": {"low": 0.05, "high": 1.0}, "m": {"low": 1, "high": 12}}
    paths = studied(trials=2, space=space, start_from=["ablation-m/m_7"])
    outside = extended(paths, {"space.m": {"low": 1, "high": 5}})
    assert ("0000", False) in [(left.trial, left.withdrawn) for left in outside]


def test_what_was_stopped_by_hand_teaches_nothing_in_the_new_ranges_either(
    studied: Callable[..., StudyPaths],
) -> None:
    paths = studied(trials=1)
    append_event(paths.trial(0), ENDED, 1, status="stopped", reason=BY_HAND, metrics=metrics(0.4))
    extended_by = reopened(paths)
    extended_by.close()
    extended(paths, {"space.learning_rate": [*RATES, 1.6]})
    search = reopened(paths)
    assert [trial.state for trial in search.trials()] == [TrialState.FAIL]
    assert described(search) == [(0, "stopped", metrics(0.4))]
    search.close()


def runs_out_of_memory(search: Search, paths: StudyPaths, number: int) -> None:
    append_event(paths.trial(number), ATTEMPT, 1)
    end = {"status": "failed", "reason": "out of memory", "metrics": {}, "fault": "out_of_memory"}
    append_event(paths.trial(number), ENDED, 1, **end)
    search.settle(number)


@pytest.fixture
def short_of_memory(studied: Callable[..., StudyPaths]) -> StudyPaths:
    """Trial 0 ran out of memory; another, with its batch cut in two, waits."""
    paths = studied(trials=1)
    search = reopened(paths)
    runs_out_of_memory(search, paths, 0)
    assert [trial.state for trial in search.trials()] == [TrialState.PRUNED, TrialState.WAITING]
    search.close()
    return paths


def further(paths: StudyPaths, trials: int) -> Search:
    config = StudyConfig.load(paths.study_file, {"budget.trials": trials})
    return Search.open(paths, config, config.search_space())


def around(paths: StudyPaths, *, inside: bool) -> dict[str, Any]:
    """Ranges that hold trial 0, or do not."""
    rate = json.loads(paths.trial(0).config.read_text())["params"]["learning_rate"]
    return {"space.learning_rate": [1.6, rate] if inside else [1.6, 3.2]}


def test_a_trial_with_its_batch_cut_that_waits_is_still_begun(short_of_memory: StudyPaths) -> None:
    assert extended(short_of_memory, around(short_of_memory, inside=True)) == []
    search = further(short_of_memory, 2)
    assert search.ask() is not None
    first, second = (json.loads(short_of_memory.trial(number).config.read_text()) for number in (0, 1))
    assert second["params"] == first["params"] | {MICRO_BATCHES: 2}
    assert second[INSTEAD_OF] == 0
    assert second["config"]["optimiser"]["micro_batches"] == 2
    search.close()


def test_a_trial_with_its_batch_cut_that_waits_is_withdrawn_with_the_one_that_it_replaces(
    short_of_memory: StudyPaths,
) -> None:
    outside = extended(short_of_memory, around(short_of_memory, inside=False))
    assert [left.trial for left in outside] == ["0000"], "the one that waits was never a trial"
    search = further(short_of_memory, 2)
    assert WITHDRAWN in search._frozen(1).user_attrs
    assignment = search.ask()
    assert assignment is not None
    assert assignment.number == 2
    assert INSTEAD_OF not in json.loads(short_of_memory.trial(2).config.read_text())
    search.close()
    extended(short_of_memory, {"space.learning_rate": RATES})
    assert WITHDRAWN in reopened(short_of_memory)._frozen(1).user_attrs


def test_a_trial_with_its_batch_cut_lies_where_the_one_that_it_replaces_does(short_of_memory: StudyPaths) -> None:
    paths = short_of_memory
    search = further(paths, 3)
    for number in (1, 2):
        assert search.ask() is not None
        if number == 1:
            runs_out_of_memory(search, paths, 1)
    on_disk(paths, 2, "finished", metrics(0.4))
    search.settle(2)
    before = [(trial.state, trial.values, trial.params) for trial in search.trials()]
    marks = [trial.user_attrs.get(MICRO_BATCHES) for trial in search.trials()]
    assert marks == [None, 2, 4]
    search.close()
    assert extended(paths, around(paths, inside=True)) == []
    search = reopened(paths)
    assert [(trial.state, trial.values, trial.params) for trial in search.trials()] == before
    assert [trial.user_attrs.get(MICRO_BATCHES) for trial in search.trials()] == marks
    search.close()
    assert [left.trial for left in extended(paths, around(paths, inside=False))] == ["0000", "0001", "0002"]


def test_a_trial_outside_that_runs_out_of_memory_is_not_begun_again(studied: Callable[..., StudyPaths]) -> None:
    paths = studied(trials=1)
    assert [left.trial for left in extended(paths, around(paths, inside=False))] == ["0000"]
    search = further(paths, 2)
    assert search.ask() is not None
    runs_out_of_memory(search, paths, 0)
    assert search.ask() is not None
    assert INSTEAD_OF not in json.loads(paths.trial(1).config.read_text())
    search.close()


def _crashing(monkeypatch: pytest.MonkeyPatch, at: int, *, after: bool) -> None:
    """The ``at``-th change of the folder kills: just before it, or just after."""
    changes = 0

    def fatal(act: Callable[..., Any]) -> Callable[..., Any]:
        def step(path: Path, *args: Any, **keys: Any) -> Any:
            nonlocal changes
            changes += 1
            if changes == at and not after:
                raise KeyboardInterrupt
            found = act(path, *args, **keys)
            if changes == at:
                raise KeyboardInterrupt
            return found

        return step

    monkeypatch.setattr(Path, "replace", fatal(Path.replace))
    monkeypatch.setattr(Path, "unlink", fatal(Path.unlink))


@pytest.mark.slow
@pytest.mark.parametrize("after", [False, True])
def test_an_extension_that_is_killed_is_whole_or_not_begun(
    studied: Callable[..., StudyPaths], monkeypatch: pytest.MonkeyPatch, after: bool
) -> None:
    paths = studied(trials=4)
    narrow = reopened(paths)
    before = described(narrow)
    narrow.close()
    there = NARROWER | {"sampler": "tpe", "constraints.gpu_minutes": 9.0}
    back = {"space.learning_rate": RATES, "sampler": "random", "constraints": {}}
    at, outcomes = 0, []
    while True:
        at += 1
        wanted = [there, back][len([found for found in outcomes if found]) % 2]
        try:
            with monkeypatch.context() as patch:
                _crashing(patch, at, after=after)
                extended(paths, wanted)
        except KeyboardInterrupt:
            complete(paths)
        else:
            break
        config = StudyConfig.load(paths.study_file)
        outcomes.append(config.space["learning_rate"] == wanted["space.learning_rate"])
        assert (config.sampler.name == wanted["sampler"]) is outcomes[-1]
        assert not paths.extension.exists()
        manifest = json.loads(paths.manifest.read_text())
        assert manifest["space"] == json.loads(json.dumps(config.search_space().to_json()))
        assert manifest.get("sampler", "random") == config.sampler.name
        assert manifest.get("constraints", {}) == config.constraints
        search = reopened(paths)  # refuses a database of another space than the study file's
        assert described(search) == before
        search.close()
    assert outcomes[0] is False
    assert outcomes[-1] is True
    assert len(outcomes) > 6


def test_resume_completes_an_extension_that_was_killed(
    studied: Callable[..., StudyPaths], monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = studied(trials=2)
    with monkeypatch.context() as patch:
        patch.setattr("study.search.extension.complete", lambda paths: None)
        extended(paths, NARROWER)
    assert paths.extension.exists()
    resume("tiny", backend="inline", console=Console(file=io.StringIO()))
    assert not paths.extension.exists()
    assert StudyConfig.load(paths.study_file).space["learning_rate"] == [0.2, 0.4, 0.8, 1.6]


def _announced(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> tuple[Result, Continuation | None]:
    """How the command ended, and what a process that stood by would have heard of it."""
    reader, writer = os.pipe()
    monkeypatch.setattr(supervise, "_told", [writer])
    result = CliRunner().invoke(app, ["extend", "tiny", "--trials", "1", "--backend", "inline", *arguments])
    os.close(writer)
    return result, Continuation.read(reader)


def test_an_extension_that_failed_is_not_gone_on_with(
    studied: Callable[..., StudyPaths], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever stands by would resume the study as it was before, and call that success."""
    paths = studied(trials=1)
    manifest = paths.manifest.read_text()
    paths.manifest.write_text(manifest[:-9])
    result, continuation = _announced(monkeypatch)
    assert isinstance(result.exception, UserError)
    assert continuation is None
    paths.manifest.write_text(manifest)
    result, continuation = _announced(monkeypatch)
    assert result.exit_code == 0, result.output
    assert continuation is not None
    assert continuation.root == paths.root
    assert continuation.arguments[:4] == ["resume", "tiny", "--backend", "inline"]
    assert read_study(paths).trials["status"].tolist() == ["finished"] * 2


@pytest.mark.parametrize(
    ("asked", "complaint"),
    [
        ({}, "there is nothing to extend by; give --trials"),
        ({"changes": {"objectives": ["pgd_accuracy"]}}, "--set objectives: only space, sampler, scheduler, constr"),
        (
            {"changes": {"scheduler.loss": 0.1}},
            "--set scheduler.loss: tiny ends no trial early; add --set scheduler.name=",
        ),
        ({"changes": {"seed": 3}}, "--set seed: only space, sampler,"),
        ({"changes": {"sampler": "best"}}, "--set sampler: sampler.name is 'best'; choose one of"),
        ({"changes": {"constraints.clean_accuracy": 0.7}}, "write clean_accuracy: {at_least: 0.7}"),
        ({"changes": {"constraints.forward_equivalents": 1}}, "none of 1000 random draws of the space keeps"),
        ({"changes": {"space.learning_rate": {"low": 0.1, "high": 1.0}, "sampler": "grid"}}, "continuous range"),
        ({"changes": {"settings.network.width": 8}}, "launch another study, with --warm-start"),
        ({"changes": {"space.m": [0]}}, "m cannot be 0"),
        ({"trials": 2, "tracking_uri": "nonsense"}, "tracking.uri is 'nonsense'"),
    ],
)
def test_what_may_not_change_is_refused(
    studied: Callable[..., StudyPaths], asked: dict[str, Any], complaint: str
) -> None:
    paths = studied(trials=1)
    stored, manifest = paths.study_file.read_text(), paths.manifest.read_text()
    with pytest.raises(UserError, match=complaint):
        extend("tiny", backend="inline", console=Console(file=io.StringIO()), **asked)
    assert (paths.study_file.read_text(), paths.manifest.read_text()) == (stored, manifest)


def test_the_schedulers_numbers_may_change_with_it(studied: Callable[..., StudyPaths]) -> None:
    paths = studied(trials=1)
    stored = StudyConfig.load(paths.study_file)
    config, _ = _extended(paths, stored, {"scheduler.name": "halving", "scheduler.loss": 0.1})
    assert (config.scheduler.name, config.scheduler.loss) == ("halving", 0.1)


def contents(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name != ".lock"
    }


@pytest.mark.parametrize(
    ("changes", "trials"),
    [(NARROWER, 4), ({}, 4), ({"constraints.gpu_minutes": 5.0, "sampler": "tpe"}, None)],
)
def test_a_rehearsal_says_what_the_extension_does_and_writes_nothing(
    studied: Callable[..., StudyPaths], changes: dict[str, Any], trials: int | None
) -> None:
    paths = studied()
    leave(paths, [{"learning_rate": RATES[0], "m": 2}])
    paths.network(0).root.mkdir(parents=True)
    (paths.trial(0).root / "checkpoint.pt").write_bytes(b"large")
    before = contents(paths.root)
    found = rehearse("tiny", trials=trials, changes=changes)
    assert contents(paths.root) == before
    lines = _extend(paths, {"trials": trials, "wall_minutes": None, "gpu_hours": None}, changes, progress=False)
    assert found.lines == [*([f"budget: {7 + trials} trials (before: 7 trials)"] if trials else []), *lines]
    assert found.config == StudyConfig.load(paths.study_file)
    assert found.begun == 7
    console = Console(file=io.StringIO(), width=200)
    console.print(plan(found.config, begun=found.begun))
    told = console.file.getvalue()
    assert (f" for {trials} trials." if trials else "all 7 trials of the budget were begun.") in told


def test_a_rehearsal_completes_what_was_decided_in_its_copy_alone(
    studied: Callable[..., StudyPaths], monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = studied()
    with monkeypatch.context() as patch:
        patch.setattr("study.search.extension.complete", lambda paths: None)
        extended(paths, NARROWER)
    before = contents(paths.root)
    assert str(paths.extension.relative_to(paths.root)) in before
    found = rehearse("tiny", trials=1)
    assert contents(paths.root) == before
    assert found.config.space["learning_rate"] == NARROWER["space.learning_rate"]


@pytest.mark.parametrize("asked", [{}, {"changes": {"seed": 3}}, {"changes": {"sampler": "best"}}])
def test_a_rehearsal_refuses_what_an_extension_would(studied: Callable[..., StudyPaths], asked: dict[str, Any]) -> None:
    studied(trials=1)
    with pytest.raises(UserError) as rehearsed:
        rehearse("tiny", **asked)
    with pytest.raises(UserError) as tried:
        extend("tiny", backend="inline", console=Console(file=io.StringIO()), **asked)
    assert str(rehearsed.value) == str(tried.value)


def test_a_rehearsal_that_is_refused_names_the_studys_own_file(studied: Callable[..., StudyPaths]) -> None:
    paths = studied(trials=1)
    with paths.study_file.open("a", encoding="utf-8") as file:
        file.write("colour: red\n")
    for rehearsed in (rehearse, resumption):
        with pytest.raises(UserError, match=rf"^{re.escape(str(paths.study_file))}:\d+: unknown key 'colour'"):
            rehearsed("tiny", trials=2)


def test_a_study_that_runs_is_rehearsed_and_the_refusal_told(studied: Callable[..., StudyPaths]) -> None:
    paths = studied(trials=2)
    with sole_driver(paths):
        before = contents(paths.root)
        assert rehearse("tiny", trials=1).lines == ["budget: 3 trials (before: 2 trials)"]
        assert contents(paths.root) == before
        shown = CliRunner().invoke(app, ["extend", "tiny", "--trials", "1", "--dry-run"], catch_exceptions=False)
    assert "warning: it would be refused: study tiny is being run by another process" in shown.output


def test_other_bounds_name_who_leaves_the_frontier_and_who_comes(studied: Callable[..., StudyPaths]) -> None:
    paths = studied()
    stood = set(frontier(read_study(paths))["number"])
    bounded = {"constraints": {CLEAN_ACCURACY: {"at_least": 0.4}}}
    lines = rehearse("tiny", changes=bounded).lines
    extended(paths, bounded)
    stands, beyond = frontier(read_study(paths)), read_study(paths).trials.set_index("number")["violation"]
    fallen = sorted(stood - set(stands["number"]))
    assert fallen
    assert lines[1] == f"{len(fallen)} trials no longer on the frontier:"
    assert lines[2:] == [f"  {number:04d}: {beyond[number]}" for number in fallen]
    back = rehearse("tiny", changes={"constraints": {}}).lines
    assert back[1:] == [f"on the frontier with these bounds: trials {', '.join(f'{n:04d}' for n in fallen)}"]
    none = rehearse("tiny", changes={"constraints": {CLEAN_ACCURACY: {"at_least": 0.99}}}).lines
    assert none[-1].startswith("There is no frontier: ")


def test_a_study_that_replays_is_not_extended(studied: Callable[..., StudyPaths]) -> None:
    paths = studied(trials=1)
    write_json(paths.manifest, json.loads(paths.manifest.read_text()) | {"replayed": "curves.jsonl"})
    manifest = paths.manifest.read_text()
    with pytest.raises(UserError, match="a longer budget with: study resume tiny --backend replay"):
        extend("tiny", trials=1, backend="inline", console=Console(file=io.StringIO()))
    assert paths.manifest.read_text() == manifest


def test_what_fails_after_the_extension_is_told_from_it(
    studied: Callable[..., StudyPaths], monkeypatch: pytest.MonkeyPatch
) -> None:
    paths, console = studied(trials=1), Console(file=io.StringIO(), width=200)
    monkeypatch.setattr("study.extend.resume", Mock(side_effect=UserError("no cluster answers")))
    with pytest.raises(UserError, match="no cluster answers"):
        extend("tiny", trials=2, backend="inline", console=console)
    assert "tiny is extended all the same; go on with: study resume tiny" in console.file.getvalue()
    assert StudyConfig.load(paths.study_file).budget.trials == 3


def test_no_study_is_extended_that_is_not_there() -> None:
    with pytest.raises(UserError, match="no study named 'absent'"):
        extend("absent", trials=1)
    assert issubclass(ExtensionError, UserError)


def test_a_study_is_extended_and_goes_on(tiny: Tiny) -> None:
    """From launch to the last new trial, with real training: old trials are left alone, nothing stays running."""
    console = Console(file=io.StringIO(), width=200)
    space = {"unlisted": "fixed", "m": [1, 2]}
    paths = launch(tiny(sampler="grid", space=space, budget={"trials": 2}), backend="inline", console=console)
    before = [paths.trial(number).events.read_bytes() for number in (0, 1)]
    extend("tiny", trials=1, changes={"space.m": [2, 3]}, backend="inline", console=console)
    assert "1 of 2 trials lie outside the new ranges" in console.file.getvalue()
    assert [paths.trial(number).events.read_bytes() for number in (0, 1)] == before
    study = read_study(paths)
    assert study.trials["status"].tolist() == ["finished"] * 3
    assert study.manifest["budget"]["trials"] == 3
    assert study.trials["param.m"].tolist()[2] == 3, "2 was measured before, and a grid goes on where it stood"
    search = reopened(paths)
    assert all(trial.state.is_finished() for trial in search._study.get_trials())
    assert sum(map(is_own, search._study.get_trials())) == 3
    search.close()
    text, manifest = paths.study_file.read_text(), paths.manifest.read_bytes()
    paths.study_file.write_text(text.replace("- 3", "- 4"))
    with pytest.raises(UserError, match="launched with other"):
        resume("tiny", trials=9, backend="inline", console=console)
    assert paths.manifest.read_bytes() == manifest, "what is refused changes nothing"
    assert "trials: 9" not in paths.study_file.read_text()
    paths.study_file.write_text(text)
    with pytest.raises(UserError, match="3 trials were begun already and --trials 2 is the new total"):
        resume("tiny", trials=2, backend="inline", console=console)
