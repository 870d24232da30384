from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainables.data.ahead import ahead


def threads_running() -> int:
    return sum(thread.name.startswith("ahead") for thread in threading.enumerate())


class Pulled:
    """The numbers from 0 on, and how many were asked for."""

    def __init__(self, count: int) -> None:
        self.count, self.asked = count, 0

    def __iter__(self) -> Iterator[int]:
        for number in range(self.count):
            self.asked += 1
            yield number


@given(st.integers(0, 12), st.integers(1, 4), st.integers(1, 6))
def test_results_are_in_order_and_at_most_the_window_is_begun(count: int, threads: int, window: int) -> None:
    numbers = Pulled(count)
    for index, result in enumerate(ahead(lambda number: number**2, numbers, threads=threads, window=window)):
        assert result == index**2
        assert numbers.asked == min(count, index + 1 + window)
    assert numbers.asked == count


def test_the_next_results_are_made_while_one_is_used() -> None:
    made = [threading.Event() for _ in range(4)]

    def make(index: int) -> int:
        made[index].set()
        return index

    results = ahead(make, range(4), threads=1, window=2)
    assert next(results) == 0
    assert made[1].wait(30)
    assert made[2].wait(30)
    assert not made[3].is_set()
    results.close()


def test_results_that_are_ready_early_wait_their_turn() -> None:
    second_is_made = threading.Event()

    def make(index: int) -> int:
        if index == 0:
            assert second_is_made.wait(30)
        second_is_made.set()
        return index

    assert list(ahead(make, range(2), threads=2, window=2)) == [0, 1]


def test_an_error_comes_where_its_result_is_asked_for_and_ends_the_threads() -> None:
    results = ahead(lambda number: 6 // number, [3, 2, 0, 1], threads=2, window=4)
    assert [next(results), next(results)] == [2, 3]
    with pytest.raises(ZeroDivisionError):
        next(results)
    assert threads_running() == 0
    assert list(results) == []


def test_an_early_end_makes_nothing_more_and_leaves_no_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    may_go_on, made = threading.Event(), []

    class Pool(ThreadPoolExecutor):
        """Lets the work that has begun end only once the rest has been given up."""

        def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
            super().shutdown(wait=False, cancel_futures=cancel_futures)
            may_go_on.set()
            super().shutdown(wait=wait)

    def make(number: int) -> int:
        assert number == 0 or may_go_on.wait(30)
        made.append(number)
        return number

    monkeypatch.setattr("trainables.data.ahead.ThreadPoolExecutor", Pool)
    results = ahead(make, range(100), threads=1, window=3)
    next(results)
    assert threads_running() == 1
    results.close()
    assert threads_running() == 0
    assert made in ([0], [0, 1])
