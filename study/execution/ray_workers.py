"""Which of Ray Tune's workers wait for another trial: to start one anew takes seconds, on a GPU many."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import Any

from ray.tune.execution import tune_controller
from ray.tune.utils.object_cache import _ObjectCache


class IdleWorkers(_ObjectCache):
    """Keeps every idle worker until a trial that needs other resources waits for what it holds.

    Tune's own keeps one at most while no trial is drawn, so two trials that end together cost a worker.
    """

    def cache_object(self, key: Any, obj: Any) -> bool:
        """Keep ``obj``, a worker with the resources ``key``; whether it is kept."""
        if self._others_wait(key):
            return False
        self._cached_objects[key].append(obj)
        self._num_cached_objects += 1
        return True

    def flush_cached_objects(self, force_all: bool = False) -> Generator[Any, None, None]:
        """Let go of workers that stand in another trial's way, or of all; yields each."""
        for key, workers in self._cached_objects.items():
            while workers and (force_all or self._others_wait(key)):
                self._num_cached_objects -= 1
                yield workers.pop(0)

    def _others_wait(self, key: Any) -> bool:
        return any(count > 0 for other, count in self._max_num_objects.items() if other != key)


@contextmanager
def idle_workers_are_kept() -> Iterator[None]:
    """Within: Tune keeps its idle workers so."""
    tunes: Any = tune_controller
    unchanged = tunes._ObjectCache
    tunes._ObjectCache = IdleWorkers
    try:
        yield
    finally:
        tunes._ObjectCache = unchanged
