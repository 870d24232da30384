"""What Ray tells of an attempt that died: why, and whether the machine under it went away."""

from __future__ import annotations

import pickle
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import ray
from ray.air.execution._internal.actor_manager import RayActorManager
from ray.exceptions import OutOfMemoryError, RayActorError, RayTaskError
from ray.tune.experiment import Trial

from study.files.disk import full_disk

NODE_PATIENCE_S = 3.0
"""A node that is shut down may lose its workers a moment before the cluster hears of it."""
_POLL_S = 0.1
_ANSWER_S = 3.0


@contextmanager
def memory_kills_are_losses() -> Iterator[None]:
    """Within: a worker that Ray's memory monitor kills is a lost actor to Tune, which else ends the whole study."""
    tunes: Any = RayActorManager
    unchanged = tunes._actor_task_failed

    def translated(manager: Any, tracked_actor_task: Any, exception: Exception) -> None:
        if isinstance(exception, OutOfMemoryError):
            exception = RayActorError(error_msg="Ray ended its process because the node ran out of memory")
        unchanged(manager, tracked_actor_task, exception)

    tunes._actor_task_failed = translated
    try:
        yield
    finally:
        tunes._actor_task_failed = unchanged


def read_error(trial: Trial) -> Exception | None:
    """The newest error of a trial, from Tune's own files on this machine; ``None`` if it kept none."""
    try:
        error = pickle.loads(Path(str(trial.pickled_error_file)).read_bytes())  # noqa: S301 - this driver wrote it
    except Exception:  # whatever it was, it must not end the study
        return None
    return error if isinstance(error, Exception) else None


def cause_of(error: Exception | None) -> str:
    """The last line of what Ray says, which is the telling one."""
    lines = [line.strip() for line in str(error or "").splitlines() if line.strip()]
    return lines[-1] if lines else "no cause is known"


def excuse_of(error: Exception | None, node: str | None) -> str | None:
    """Why the loss is not the trial's own: the ``node`` it ran on was preempted or is gone."""
    if not isinstance(error, RayActorError):
        return None
    if error.preempted:
        return "its node was preempted"
    return "its node was lost" if _is_gone(node, str(error)) else None


def out_of_room(error: Exception | None) -> str | None:
    """What a worker says of a disk that is full, its own or the studies'."""
    return full_disk(error.cause if isinstance(error, RayTaskError) else error)


def _is_gone(node: str | None, words: str) -> bool:
    """Whether the node, or one that Ray names in its ``words``, is no longer alive; a lone node needs no patience."""
    deadline = time.monotonic() + (NODE_PATIENCE_S if len(_alive()) > 1 else 0.0)
    while True:
        if any(not _answers(item) for item in _nodes() if item["NodeID"] == node or item["NodeID"] in words):
            return True
        if time.monotonic() >= deadline:
            return False
        time.sleep(_POLL_S)


def _answers(item: dict[str, Any]) -> bool:
    """Whether Ray's process on the node takes a call; the cluster itself misses it only after several beats."""
    if not item["Alive"]:
        return False
    try:
        with socket.create_connection((item["NodeManagerAddress"], item["NodeManagerPort"]), timeout=_ANSWER_S):
            return True
    except OSError:
        return False


def _alive() -> list[dict[str, Any]]:
    return [item for item in _nodes() if item["Alive"]]


def _nodes() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = ray.nodes()  # type: ignore[no-untyped-call]
    return found
