"""Workers that wait for another trial."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable
from typing import Any

import pytest
from ray.air.execution._internal.actor_manager import RayActorManager
from ray.tune.execution import tune_controller
from rich.console import Console

from analysis.layout import ENDED, read_events
from study.config import StudyConfig
from study.execution import ray_cluster
from study.execution.ray_workers import IdleWorkers, idle_workers_are_kept
from study.launch import launch
from study.search.searcher import Assignment, Search


def test_every_idle_worker_is_kept_and_each_is_used_once():
    workers = IdleWorkers()
    assert workers.cache_object("small", "a")
    assert workers.cache_object("small", "b")
    assert list(workers.flush_cached_objects()) == []
    workers.increase_max("small")  # a trial of their kind waits
    assert list(workers.flush_cached_objects()) == []
    assert [workers.pop_cached_object("small") for _ in range(3)] == ["a", "b", None]
    assert workers.num_cached_objects == 0


def test_workers_make_room_for_a_trial_that_needs_other_resources():
    workers = IdleWorkers()
    workers.cache_object("small", "a")
    workers.increase_max("large")
    assert list(workers.flush_cached_objects()) == ["a"]
    assert not workers.cache_object("small", "b")
    assert workers.cache_object("large", "c")
    workers.decrease_max("large")
    assert workers.cache_object("small", "d")
    assert sorted(workers.flush_cached_objects(force_all=True)) == ["c", "d"]
    assert workers.num_cached_objects == 0


def test_tune_is_left_as_it_was():
    before = tune_controller._ObjectCache
    with idle_workers_are_kept():
        assert tune_controller._ObjectCache is IdleWorkers
    assert tune_controller._ObjectCache is before


@pytest.mark.exhaustive
@pytest.mark.usefixtures("studies")
def test_trials_that_end_together_cost_no_worker(
    tiny: Callable[..., StudyConfig], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is drawn until all that run have ended, so that all workers are idle at once."""
    ask, settle, settled = Search.ask, Search.settle, threading.Semaphore(0)
    add_actor, started = RayActorManager.add_actor, []

    def told(search: Search, number: int, **how: Any) -> bool:
        done = settle(search, number, **how)
        settled.release()
        return done

    def patient(search: Search) -> Assignment | None:
        if (begun := len(search.trials())) and begun % 2 == 0:
            settled.acquire()
            settled.acquire()
        return ask(search)

    def noted(manager: RayActorManager, *what: Any, **how: Any) -> Any:
        started.append(what)
        return add_actor(manager, *what, **how)

    monkeypatch.setattr(RayActorManager, "add_actor", noted)
    monkeypatch.setattr(Search, "settle", told)
    monkeypatch.setattr(Search, "ask", patient)
    config = tiny(budget={"trials": 6}, resources={"cpus_per_trial": 0.5, "max_concurrent": 2})
    with ray_cluster.cluster(None):
        paths = launch(config, backend="ray", console=Console(file=io.StringIO()))
    ends = [event["status"] for trial in paths.each_trial() for event in read_events(trial) if event["kind"] == ENDED]
    assert ends == ["finished"] * 6
    assert len(started) == 2
