"""A sampler that thinks for long: the trials that run are served meanwhile."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable
from concurrent.futures import wait
from typing import Any
from unittest.mock import Mock

import pytest
from ray.tune.search import Searcher
from rich.console import Console

from analysis.layout import study_paths
from analysis.reading.runs import read_study
from study.config import StudyConfig
from study.execution import ray_backend, ray_cluster
from study.execution.books import Books
from study.execution.ray_backend import _Searcher
from study.execution.session import Session
from study.launch import launch
from study.resources.allotment import Share, allotment
from study.search.searcher import LATER, Assignment, Later, Search

Tiny = Callable[..., StudyConfig]
pytestmark = pytest.mark.usefixtures("studies")


class _Thinking:
    """A session whose next trial takes until it is allowed."""

    allotment = allotment({"cf_amc_ssl": Share(cpus=1, gpus=0)}, cpus=1, gpus=0, at_most=None)

    def __init__(self, paths: Any, config: StudyConfig) -> None:
        self.paths, self.config, self.allowed, self.asked, self.ends = paths, config, threading.Event(), 0, 0

    def next(self) -> Assignment:
        self.asked += 1
        self.allowed.wait()
        return Assignment(7, "cf_amc_ssl")


class _Sparing:
    """A session that answers in turn, the second time while an end is entered."""

    allotment = allotment({"cf_amc_ssl": Share(cpus=1, gpus=0)}, cpus=2, gpus=0, at_most=None)

    def __init__(self, paths: Any, config: StudyConfig) -> None:
        first, second = (Assignment(number, "cf_amc_ssl") for number in (7, 8))
        self.paths, self.config, self.ends = paths, config, 0
        self.answers: list[Assignment | Later | None] = [first, LATER, LATER, second, None]

    def next(self) -> Assignment | Later | None:
        if len(self.answers) == 4:
            self.ends += 1
        return self.answers.pop(0)


def test_where_the_rest_of_the_budget_is_kept_the_next_end_is_awaited(
    studies: Any, tiny: Tiny, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ray_backend, "resources", lambda: {"CPU": 2.0})
    monkeypatch.setattr(ray_backend, "get_runtime_context", Mock)
    session: Any = _Sparing(study_paths("tiny"), tiny())
    books = Books()
    searcher = _Searcher(session, books)

    def suggested() -> Any:
        found = searcher.suggest("a")
        if searcher._asked is not None:
            wait([searcher._asked])
            found = searcher.suggest("a")
        return found

    assert suggested()["number"] == 7
    assert suggested() is None
    assert suggested() is None, "an end came while it was asked, so it is asked once more"
    assert suggested() is None
    assert session.answers[0].number == 8, "and not again before another"
    session.ends += 1
    assert suggested()["number"] == 8
    assert suggested() == Searcher.FINISHED
    books.close()


def test_a_suggestion_that_takes_long_is_asked_for_once_and_fetched_later(
    studies: Any, tiny: Tiny, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ray_backend, "resources", lambda: {"CPU": 1.0})
    monkeypatch.setattr(ray_backend, "get_runtime_context", Mock)  # the real one would start Ray, which would stay
    monkeypatch.setattr(ray_backend, "IDLE_PATIENCE_S", 0.0)
    session: Any = _Thinking(study_paths("tiny"), tiny())
    books = Books()
    searcher = _Searcher(session, books)
    assert searcher.suggest("a") is None
    assert searcher.suggest("a") is None
    session.allowed.set()
    books.close()
    assert session.asked == 1
    assert searcher.suggest("a")["number"] == 7


def test_a_trial_is_asked_for_when_the_ends_before_it_are_entered() -> None:
    books, allowed, order = Books(), threading.Event(), []

    def end(number: int) -> None:
        allowed.wait()
        order.append(number)

    def draw() -> None:
        order.append("asked")

    books.enter(lambda: end(1))
    books.enter(lambda: end(2))
    books.ask(draw)
    allowed.set()
    books.close()
    assert order == [1, 2, "asked"]


def test_what_an_end_raises_is_raised_beside_it() -> None:
    def raises() -> None:
        raise OSError("no space left")

    books = Books()
    books.enter(raises)
    books.shutdown()
    with pytest.raises(OSError, match="no space"):
        books.check()
    books.close()  # once


@pytest.mark.exhaustive
def test_a_trial_runs_to_its_end_while_the_sampler_thinks(tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second draw waits for the first trial's end, which a loop that waits for the draw would never hear of."""
    ask, ended, first = Search.ask, Session.ended, threading.Event()
    waited: list[bool] = []

    def thinking(search: Search) -> Assignment | None:
        if search.trials():
            waited.append(first.wait(timeout=240))
        return ask(search)

    def noted(session: Session, number: int, *, lost: str | None = None) -> None:
        ended(session, number, lost=lost)
        first.set()

    monkeypatch.setattr(Search, "ask", thinking)
    monkeypatch.setattr(Session, "ended", noted)
    config = tiny(budget={"trials": 2}, resources={"cpus_per_trial": 0.5, "max_concurrent": 2})
    with ray_cluster.cluster(None):
        paths = launch(config, backend="ray", console=Console(file=io.StringIO()))
    assert waited
    assert all(waited)
    assert read_study(paths).trials["status"].tolist() == ["finished", "finished"]
