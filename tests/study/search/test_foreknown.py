"""Draws whose work is known to lie beyond a bound: none is trained, counted or learned from, whoever drew it."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from optuna.trial import TrialState
from rich.console import Console

from analysis import labels
from analysis.layout import StudyPaths, read_events
from analysis.schema import TrialStatus
from search_spaces.work import total_on
from study.config import StudyConfig
from study.dry_run import kept
from study.launch import launch
from study.preflight import check_bounds
from study.samplers.trials import REFUSED
from study.search.foreknown import Foreknown
from study.search.rebuild import rebuild
from study.search.searcher import Search
from study.search.storage import release
from trainables.config import ConfigError, TrialConfig
from trainables.metrics import CLEAN_ACCURACY, FORWARD_EQUIVALENTS, PGD_ACCURACY

Tiny = Callable[..., StudyConfig]
GOOD = {CLEAN_ACCURACY: 0.6, PGD_ACCURACY: 0.4, FORWARD_EQUIVALENTS: 10.0}
CURVES = Path(__file__).parents[1] / "recorded" / "digits.jsonl"
SPACE = {"unlisted": "fixed", "learning_rate": {"low": 0.0625, "high": 1.0}, "m": {"low": 1, "high": 4}}


def work(config: TrialConfig) -> float:
    return config.adversary.replays * config.optimiser.learning_rate


def bounded(tiny: Tiny, bound: float, **keys: Any) -> StudyConfig:
    return tiny(**{"space": SPACE, "constraints": {FORWARD_EQUIVALENTS: bound}, "budget": {"trials": 4}} | keys)


def opened(paths: StudyPaths, config: StudyConfig) -> Search:
    return Search.open(paths, config, config.search_space(), work)


def finish_all(search: Search) -> list[int]:
    numbers = []
    while (assignment := search.ask()) is not None:
        numbers.append(assignment.number)
        search.tell(assignment.number, TrialStatus.FINISHED, GOOD)
    return numbers


def works(search: Search, config: StudyConfig) -> list[float]:
    space = config.search_space()
    return [work(space.config(trial.params)) for trial in search.trials()]


@pytest.mark.parametrize(
    "sampler",
    ["random", "tpe", "gp", "qmc", *(pytest.param(name, marks=pytest.mark.exhaustive) for name in ("nsga2", "nsga3"))],
)
def test_the_whole_budget_is_spent_within_the_bound(paths: StudyPaths, tiny: Tiny, sampler: str) -> None:
    config = bounded(tiny, 0.6, sampler=sampler)
    search = opened(paths, config)
    numbers = finish_all(search)
    assert len(numbers) == search.spent().trials == 4
    assert [trial.number for trial in paths.each_trial()] == numbers
    assert max(works(search, config)) <= 0.6
    assert 0 < search.refusals() == len(search._study.get_trials()) - 4
    search.close()


def test_the_sampler_forgets_what_was_refused_and_the_reason_stays(paths: StudyPaths, tiny: Tiny) -> None:
    search = opened(paths, bounded(tiny, 0.4))
    finish_all(search)
    refused = [trial for trial in search._study.get_trials() if REFUSED in trial.user_attrs]
    assert {trial.state for trial in refused} == {TrialState.FAIL}
    assert all(trial.user_attrs[REFUSED].startswith("forward_equivalents is ") for trial in refused)
    assert all(trial.user_attrs[REFUSED].endswith(", above 0.4") for trial in refused)
    search.close()


def test_where_the_sampler_hardly_ever_keeps_the_bound_random_draws_do(
    paths: StudyPaths, tiny: Tiny, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("study.search.searcher.REFUSALS_IN_A_ROW", 2)
    config = bounded(tiny, 0.1)
    search = opened(paths, config)
    assert len(finish_all(search)) == 4
    assert max(works(search, config)) <= 0.1
    assert search.refusals() <= 8
    search.close()


def test_a_bound_that_nothing_keeps_ends_the_search_and_is_told_before_it(
    paths: StudyPaths, tiny: Tiny, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("study.search.foreknown.TRIES", 20)
    config = bounded(tiny, 0.01)
    told = r"none of 20 random draws .* keeps forward_equivalents at most 0\.01, the cheapest takes 0\.0\d+; raise"
    with pytest.raises(ConfigError, match=told):
        check_bounds(config, config.search_space(), work)
    search = opened(paths, config)
    assert search.ask() is None
    assert "none of 20 random draws" in str(search.hopeless())
    assert search.trials() == []
    search.close()


def test_a_grid_has_each_point_within_the_bound_once(paths: StudyPaths, tiny: Tiny) -> None:
    space = {"unlisted": "fixed", "learning_rate": [0.5, 1.0], "m": {"low": 1, "high": 5}}
    config = bounded(tiny, 2.0, space=space, sampler="grid", budget={"trials": 99})
    search = opened(paths, config)
    finish_all(search)
    found = sorted((trial.params["m"], trial.params["learning_rate"]) for trial in search.trials())
    assert found == sorted((m, rate) for m in range(1, 6) for rate in (0.5, 1.0) if m * rate <= 2.0)
    assert search.exhausted() == "all 10 configurations of the grid were begun"
    assert search.refusals() == 10 - len(found)
    search.close()


def test_what_was_asked_for_by_its_parameters_is_trained_all_the_same(paths: StudyPaths, tiny: Tiny) -> None:
    config = bounded(tiny, 0.4, start_from=["table1/cf_amc_ssl"])
    search = opened(paths, config)
    first = search.ask()
    assert first is not None
    assert works(search, config)[0] > 0.4
    search.close()


@pytest.mark.parametrize("died", ["before it was judged", "before it was told"])
def test_a_draw_whose_driver_died_is_refused_by_the_next(
    paths: StudyPaths, tiny: Tiny, died: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = bounded(tiny, 0.4)
    with monkeypatch.context() as patch:
        patch.setattr("optuna.Study.tell", _die)
        if died == "before it was judged":
            patch.setattr(Search, "_mark", _die)
        search = opened(paths, config)
        with pytest.raises(KeyboardInterrupt):
            finish_all(search)
        release(search._storage)
    search = opened(paths, config)
    numbers = finish_all(search)
    assert len(numbers) == 4
    assert max(works(search, config)) <= 0.4
    assert not [trial for trial in search._study.get_trials() if trial.state is TrialState.RUNNING]
    search.close()


def _die(*_: Any, **__: Any) -> None:
    raise KeyboardInterrupt


def test_a_sequence_goes_on_where_it_stood_in_other_ranges(paths: StudyPaths, tiny: Tiny) -> None:
    config = bounded(tiny, 0.6, sampler="qmc")
    search = opened(paths, config)
    finish_all(search)
    drawn = {trial.params["learning_rate"] for trial in search._study.get_trials()}
    assert search.refusals() > 0
    search.close()
    wider = bounded(tiny, 0.6, sampler="qmc", space=SPACE | {"m": {"low": 1, "high": 5}}, budget={"trials": 6})
    assert rebuild(paths, wider, wider.search_space()) == []
    paths.optuna_next.replace(paths.optuna)
    search = opened(paths, wider)
    before = len(search._study.get_trials())
    finish_all(search)
    after = [trial.params["learning_rate"] for trial in search._study.get_trials()[before:]]
    assert not drawn & set(after)
    search.close()


def test_a_study_with_other_ranges_keeps_no_trace_of_them(paths: StudyPaths, tiny: Tiny) -> None:
    config = bounded(tiny, 0.6)
    search = opened(paths, config)
    finish_all(search)
    assert search.refusals() > 0
    search.close()
    wider = bounded(tiny, 0.6, space=SPACE | {"m": {"low": 1, "high": 8}}, budget={"trials": 6})
    assert rebuild(paths, wider, wider.search_space()) == []
    paths.optuna_next.replace(paths.optuna)
    search = opened(paths, wider)
    assert len(finish_all(search)) == 2
    assert search.spent().trials == 6
    search.close()


def test_a_study_says_how_many_draws_it_did_not_train(studies: Path, tiny: Tiny) -> None:
    console = Console(file=io.StringIO(), width=200)
    config = bounded(tiny, 5000, settings={"optimiser.epochs": 4})
    paths = launch(config, backend="replay", curves=CURVES, console=console)
    spent = [read_events(trial)[-1]["metrics"][FORWARD_EQUIVALENTS] for trial in paths.each_trial()]
    assert len(spent) == 4
    assert max(spent) <= 5000
    assert re.search(r"\d+ draws? not trained: known beforehand not to keep a bound of forw", console.file.getvalue())


def test_a_dry_run_counts_the_draws_within_the_bound(tiny: Tiny) -> None:
    config = bounded(tiny, 4000.0)
    samples = [config.search_space().sample(index) for index in range(40)]
    total = total_on(config.search_space())
    within, (line,) = kept(config, config.search_space(), samples)
    assert within == [sample for sample in samples if total(sample) <= 4000.0]
    assert 0 < len(within) < 40
    assert line.startswith(f"Bounds: {len(within)} of 40 random draws keep forward_equivalents at most 4 k;")


def test_a_dry_run_names_the_trainables_that_the_bound_as_good_as_excludes(tiny: Tiny) -> None:
    config = bounded(
        tiny,
        4000.0,
        trainables=["cf_amc_ssl", "robust_simclr", "simclr"],
        settings=tiny().settings | {"robust_simclr.optimiser.epochs": 50},
        space={"unlisted": "fixed", "m": {"low": 1, "high": 4}},
    )
    space = config.search_space()
    samples = [space.sample(index) for index in range(60)]
    robust = [total_on(space)(sample) for sample in samples if sample.trainable == "robust_simclr"]
    within, (_, line) = kept(config, space, samples)
    assert {sample.trainable for sample in within} == {"cf_amc_ssl", "simclr"}
    assert line == (
        f"warning: robust_simclr: none of its {len(robust)} draws keeps forward_equivalents at most 4 k; "
        f"the cheapest takes {labels.cost(min(robust))}"
    )


def test_a_rare_draw_within_the_bound_is_counted(tiny: Tiny) -> None:
    config = bounded(tiny, 4000.0)
    space = config.search_space()
    cheap, dear = (space.config({"learning_rate": 0.5, "m": m}) for m in (1, 4))
    assert "1 of its 30 draws keeps forward_equivalents" in kept(config, space, [cheap, *[dear] * 29])[1][1]
    assert len(kept(config, space, [cheap, *[dear] * 18])[1]) == 1


def test_a_search_that_knows_no_work_refuses_nothing(paths: StudyPaths, tiny: Tiny) -> None:
    config = bounded(tiny, 0.0001)
    search = Search.open(paths, config, config.search_space())
    assert len(finish_all(search)) == 4
    search.close()


def test_a_configuration_that_cannot_run_has_an_error_of_its_own(tiny: Tiny) -> None:
    def impossible(config: TrialConfig) -> float:
        raise ConfigError("no batch is left")

    config = bounded(tiny, 1.0)
    foreknown = Foreknown.of(config.constraints, impossible)
    assert foreknown is not None
    assert foreknown.violation(config.search_space().sample(0)) == ""


def test_only_bounds_that_need_no_training_are_foreknown() -> None:
    assert Foreknown.of({"peak_memory_gib": 4.0, "trusted": True}, work) is None
    found = Foreknown.of({"peak_memory_gib": 4.0, FORWARD_EQUIVALENTS: 9.0}, work)
    assert found is not None
    assert found.bounds == {FORWARD_EQUIVALENTS: 9.0}
