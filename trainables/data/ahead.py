"""Work done ahead of its use, by threads, in order and never far ahead."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def ahead(
    function: Callable[[Item], Result], items: Iterable[Item], *, threads: int, window: int
) -> Generator[Result, None, None]:
    """``function`` of each of ``items``, in order; while one result is used, up to ``window`` more are made or wait.

    What ``function`` raises is raised where its result is asked for. The threads end with the generator, closed early
    or not.
    """
    pool = ThreadPoolExecutor(threads, thread_name_prefix="ahead")
    remaining = iter(items)
    try:
        pending = deque(pool.submit(function, item) for item in islice(remaining, window))
        while pending:
            result = pending.popleft().result()
            pending.extend(pool.submit(function, item) for item in islice(remaining, 1))
            yield result
    finally:
        pool.shutdown(cancel_futures=True)
