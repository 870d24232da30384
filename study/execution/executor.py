"""What runs a study's trials: Ray, this process, or a recording in their place."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Literal

from study.execution import inline_backend
from study.execution.replay import Replay
from study.execution.session import Session
from study.resources.needs import machine
from study.resources.probe import SideBySide

Backend = Literal["ray", "inline", "replay"]


@dataclass(frozen=True, kw_only=True)
class Executor:
    """Cores and GPUs there are, what runs a session on them, and what measures trials side by side, if it can."""

    available: Mapping[str, float]
    run: Callable[[Session], None]
    side_by_side: SideBySide | None = None


@contextmanager
def executor(
    backend: Backend, address: str | None, replay: Replay | None, *, patient: bool = False
) -> Iterator[Executor]:
    """``address``: of a Ray cluster; ``patient``: one that is away is waited for."""
    if replay is not None:
        yield Executor(available=machine(), run=partial(inline_backend.run, train=replay.run))
        return
    if backend == "inline":
        yield Executor(available=machine(), run=inline_backend.run)
        return
    from study.execution import ray_backend, ray_cluster, ray_probe

    with ray_cluster.cluster(address, patience_s=ray_cluster.PATIENCE_S if patient else 0.0) as available:
        yield Executor(available=available, run=ray_backend.run, side_by_side=ray_probe.side_by_side)
