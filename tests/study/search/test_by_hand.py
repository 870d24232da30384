"""What somebody adds and stops by hand, against real Optuna storage and drivers that die between any two steps."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import optuna
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from optuna.trial import TrialState

from analysis.layout import ENDED, StudyPaths, append_event, read_json, write_json
from analysis.schema import BY_HAND, TrialStatus
from study.config import StudyConfig
from study.files.added import damaged, leave, waiting
from study.samplers.trials import begun, status_of
from study.search import searcher
from study.search.by_hand import ADDED
from study.search.searcher import Search
from study.search.storage import release
from trainables.metrics import CLEAN_ACCURACY, PGD_ACCURACY

Tiny = Callable[..., StudyConfig]
GOOD = {CLEAN_ACCURACY: 0.6, PGD_ACCURACY: 0.4, "gpu_minutes": 1.0}


@contextmanager
def opened(paths: StudyPaths, config: StudyConfig) -> Iterator[Search]:
    search = Search.open(paths, config, config.search_space())
    try:
        yield search
    finally:
        search.close()


def finish(search: Search, paths: StudyPaths, number: int) -> None:
    append_event(paths.trial(number), ENDED, 1, status="finished", reason=None, metrics=GOOD)
    search.settle(number)


def ask(search: Search) -> int:
    assignment = search.ask()
    assert assignment is not None
    return assignment.number


def params(paths: StudyPaths, number: int) -> dict[str, Any]:
    return dict(read_json(paths.trial(number).config)["params"])


def point(index: int) -> dict[str, Any]:
    """Of which no two are equal, nor equal to a draw."""
    return {"learning_rate": 0.0625 + index / 128, "m": 1 + index % 2}


def test_what_is_added_comes_before_what_is_drawn_and_in_its_order(paths: StudyPaths, tiny: Tiny) -> None:
    with opened(paths, tiny(budget={"trials": 9})) as search:
        finish(search, paths, ask(search))
        leave(paths, [point(10), point(11)])
        leave(paths, [point(12)])
        numbers = [ask(search) for _ in range(4)]
        assert [params(paths, number) for number in numbers[:3]] == [point(10), point(11), point(12)]
        origins = [read_json(paths.trial(number).config).get("origin") for number in (0, *numbers)]
        assert origins == [None, BY_HAND, BY_HAND, BY_HAND, None]
        assert search.spent().trials == 5
        assert (waiting(paths), list(paths.each_added())) == ([], [])


def test_what_the_budget_lacks_room_for_waits_where_it_can_be_seen(paths: StudyPaths, tiny: Tiny) -> None:
    leave(paths, [point(10), point(11)])
    with opened(paths, tiny(budget={"trials": 1})) as search:
        ask(search)
        assert search.ask() is None
        assert [added.values for added in waiting(paths)] == [point(11)]
    with opened(paths, tiny(budget={"trials": 3})) as search:
        assert [params(paths, ask(search)) for _ in range(2)] == [point(10), point(11)]


def test_what_has_been_tried_is_a_repeat_as_a_draw_would_be(paths: StudyPaths, tiny: Tiny) -> None:
    with opened(paths, tiny(budget={"trials": 3})) as search:
        leave(paths, [point(10)])
        finish(search, paths, ask(search))
        leave(paths, [point(10)])
        drawn = ask(search)
        assert params(paths, drawn) != point(10)
        assert search.spent().trials == 2


class Kill(BaseException):
    """No handler of the search's knows it."""


@contextmanager
def killed(at: int | None) -> Iterator[None]:
    """The driver dies just before the ``at``-th of its steps that others can see, and so just after the one before."""
    steps = 0

    def fatal(act: Callable[..., Any]) -> Callable[..., Any]:
        def step(*args: Any, **keys: Any) -> Any:
            nonlocal steps
            steps += 1
            if steps == at:
                raise Kill
            return act(*args, **keys)

        return step

    with pytest.MonkeyPatch.context() as patch:
        for owner, name in (
            *((optuna.Study, name) for name in ("enqueue_trial", "ask", "tell")),
            *((Path, name) for name in ("replace", "unlink")),
        ):
            patch.setattr(owner, name, fatal(getattr(owner, name)))
        yield


STEPS = 6
"""Of them there are so many from a request of two to the first one's end, and to the request's."""

STEP = st.one_of(
    st.integers(1, 3).map(lambda count: ("add", count)),
    st.integers(1, 9).map(lambda at: ("die", at)),
    st.just(("run",)),
    st.just(("begin",)),
)


def test_each_configuration_runs_once_wherever_its_driver_dies(paths: StudyPaths, tiny: Tiny) -> None:
    config, added = tiny(budget={"gpu_hours": 1000.0}), 0
    for at in range(1, STEPS + 1):
        leave(paths, [point(added), point(added + 1)])
        added += 2
        assert not _lives(paths, config, at)
    assert _lives(paths, config, None)
    with opened(paths, config) as search:
        _check(paths, search, added)


def _lives(paths: StudyPaths, config: StudyConfig, at: int | None, *, once: bool = False) -> bool:
    """Whether a driver comes to the end of what it does: to run what waits, or to begin ``once``."""
    search = Search.open(paths, config, config.search_space())
    try:
        with killed(at):
            _drive(search, paths, once=once)
    except Kill:
        return False
    finally:
        release(search._storage)
    return True


@pytest.mark.slow
@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(STEP, min_size=1, max_size=6))
def test_each_configuration_runs_once_whenever_its_driver_dies(
    tiny: Tiny, database: Path, steps: list[tuple[Any, ...]]
) -> None:
    config, added = tiny(budget={"gpu_hours": 1000.0}), 0
    with tempfile.TemporaryDirectory() as folder:
        paths = StudyPaths(Path(folder) / "tiny")
        paths.root.mkdir()
        shutil.copyfile(database, paths.optuna)
        for name, *how in [*steps, ("run",)]:
            if name == "add":
                leave(paths, [point(added + index) for index in range(how[0])])
                added += how[0]
                continue
            _lives(paths, config, how[0] if name == "die" else None, once=name == "begin")
        with opened(paths, config) as search:
            _check(paths, search, added)


def _drive(search: Search, paths: StudyPaths, *, once: bool) -> None:
    """Begin and end all that waits or was begun; ``once``: begin one, a draw where nothing waits, and leave it."""
    if once:
        ask(search)
        return
    while waiting(paths) or not all(trial.state.is_finished() for trial in search.trials()):
        finish(search, paths, ask(search))


def _check(paths: StudyPaths, search: Search, added: int) -> None:
    trials = search.trials()
    ids = Counter(trial.user_attrs[ADDED] for trial in search._study.trials if ADDED in trial.user_attrs)
    by_hand = [trial for trial in trials if ADDED in trial.user_attrs]
    assert list(paths.each_added()) == []
    assert sorted(ids.values()) == [1] * added
    assert [trial.params for trial in by_hand] == [point(index) for index in range(added)], "in their order"
    assert all(trial.state is TrialState.COMPLETE for trial in by_hand)
    assert [read_json(paths.trial(trial.number).config)["origin"] for trial in by_hand] == [BY_HAND] * added
    assert {trial.number for trial in begun(trials)} == {trial.number for trial in paths.each_trial()}


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Optuna's, empty: to make its tables takes longer than all else."""
    path = tmp_path_factory.mktemp("optuna") / "empty.db"
    release(searcher.open_storage(path))
    return path


def test_a_request_that_its_driver_has_just_taken_is_no_damage(
    paths: StudyPaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    leave(paths, [point(10)])
    (request,) = paths.each_added()
    with monkeypatch.context() as patch:
        patch.setattr(StudyPaths, "each_added", lambda _: [request, paths.added("gone")])
        assert [added.values for added in waiting(paths)] == [point(10)]
        assert damaged(paths) == []
    request.write_text("{")
    assert (waiting(paths), damaged(paths)) == ([], [request])


@pytest.mark.parametrize(
    ("enqueued", "reason"),
    [
        ({"learning_rate": 7.0, "m": 1}, "SpaceError: learning_rate is 7.0, outside 0.05 to 1 (log) of cf_amc_ssl"),
        ({"m": 9}, "SpaceError: m is 9, outside one of 1, 2 of cf_amc_ssl"),
        ({"crops": 4, "m": 1}, "SpaceError: parameter 'crops' is unknown; choose from m, learning_rate"),
    ],
)
def test_what_optuna_was_handed_outside_the_space_fails_and_says_why(
    paths: StudyPaths, tiny: Tiny, enqueued: dict[str, Any], reason: str
) -> None:
    with opened(paths, tiny(sampler="tpe")) as search:
        search._study.enqueue_trial(enqueued)
        search._study.enqueue_trial({"m": 2})
        assert params(paths, ask(search))["m"] == 2
        wrong = search.trials()[0]
        assert (wrong.state, wrong.user_attrs["status"]) == (TrialState.FAIL, "failed")
        assert wrong.user_attrs["reason"] == reason


def test_what_the_space_no_longer_holds_fails_and_says_why(paths: StudyPaths, tiny: Tiny) -> None:
    leave(paths, [{"trainable": "cf_amc_ssl", "learning_rate": 0.5, "m": 5}])
    with opened(paths, tiny()) as search:
        assert ask(search) == 1
        assert search.trials()[0].user_attrs["reason"] == "SpaceError: m is 5, outside one of 1, 2 of cf_amc_ssl"
        assert read_json(paths.trial(0).config)["origin"] == BY_HAND


@pytest.mark.parametrize("sampler", ["tpe", "nsga2", "gp", "qmc"])
def test_every_sampler_goes_on_after_what_it_did_not_draw(paths: StudyPaths, tiny: Tiny, sampler: str) -> None:
    with opened(paths, tiny(sampler=sampler, budget={"trials": 6})) as search:
        for index in range(2):
            leave(paths, [point(10 + index)])
            number = ask(search)
            assert params(paths, number) == point(10 + index)
            finish(search, paths, number)
            finish(search, paths, ask(search))
        search.tell(ask(search), TrialStatus.STOPPED, GOOD, BY_HAND)
        finish(search, paths, ask(search))
        assert search.ask() is None


def test_what_was_stopped_by_hand_teaches_the_sampler_nothing_and_may_be_drawn_again(
    paths: StudyPaths, tiny: Tiny
) -> None:
    with opened(paths, tiny(space={"unlisted": "fixed", "m": [1]}, budget={"trials": 3}, sampler="tpe")) as search:
        for _ in range(2):
            number = ask(search)
            write_json(paths.trial(number).stop_by_hand, {})
            search.tell(number, TrialStatus.STOPPED, GOOD, BY_HAND)
        trials = search.trials()
        assert [trial.state for trial in trials] == [TrialState.FAIL] * 2
        assert [status_of(trial) for trial in trials] == [TrialStatus.STOPPED] * 2
        assert [trial.user_attrs["metrics"] for trial in trials] == [GOOD] * 2
        assert search.spent().trials == 2
        finish(search, paths, ask(search))


def test_a_recipe_says_where_it_comes_from(paths: StudyPaths, tiny: Tiny) -> None:
    space = {"unlisted": "fixed", "learning_rate": {"low": 0.05, "high": 1.0}, "m": {"low": 1, "high": 12}}
    with opened(paths, tiny(space=space, start_from=["table1/cf_amc_ssl"])) as search:
        assert json.loads(paths.trial(ask(search)).config.read_text())["origin"] == "table1/cf_amc_ssl"
