"""The processes of a trial that has several: Tune's own worker is the first rank and starts the others beside it.

They are actors, one in each further bundle of the trial's placement group. So Tune reserves all that a trial needs at
once, and whatever dies, the rest goes with it and the next attempt finds everything free.

Ray Train (2.60) within Tune was tried and is not used. Its controller reserves a placement group of its own, which
outlives a Tune worker that is killed: what should remove it asks the dashboard, which a local cluster does without, and
the next attempt waits for ever for what the last one held. Besides, its reports come to Tune through a queue, so that a
trial would go on before the study has decided whether it may.
"""

from __future__ import annotations

import os
import socket
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import ray
import torch.distributed as dist
from ray.util import get_current_placement_group, get_node_ip_address
from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy
from torch import OutOfMemoryError
from torch.distributed import FileStore, Store, TCPStore  # type: ignore[attr-defined]

from study.resources.needs import confine, is_out_of_memory
from trainables import trial
from trainables.config import TrialConfig, from_dict, to_dict
from trainables.metrics import TrialResult
from trainables.parallel import EndedByFirstError, LostRankError, World

PATIENCE = timedelta(hours=2)
"""How long a rank waits for another that lives, while the first reports or all read their data."""
GRACE_S = 30.0
"""How long the first rank may take to notice that another is gone, before its process ends."""
_POLL_S = 1.0
_LOOPBACK = "lo0" if sys.platform == "darwin" else "lo"
_INTERFACES = ("GLOO_SOCKET_IFNAME", "NCCL_SOCKET_IFNAME")


@dataclass(frozen=True, kw_only=True)
class Meeting:
    """Where the ranks of a trial find one another: a file on the one machine of all, or an address of the first."""

    size: int
    backend: str
    path: str | None = None
    host: str = ""
    port: int = 0

    def store(self) -> Store:
        if self.path is not None:
            return FileStore(self.path, self.size)
        return TCPStore(self.host, self.port, is_master=False, wait_for_workers=False)


def in_ranks(processes: int, threads: int) -> Callable[..., TrialResult]:
    """``trainables.trial.run`` by this process and ``processes - 1`` others, each with so many ``threads``.

    It takes place in a Tune worker whose placement group has a bundle for each. Raises ``LostRankError`` when one of
    the others is gone, ``torch.OutOfMemoryError`` when its memory did not suffice.
    """

    def run(config: TrialConfig, *, checkpoint: Path, **rest: Any) -> TrialResult:
        with _others(config, checkpoint, processes, threads) as world:
            return trial.run(config, checkpoint=checkpoint, world=world, **rest)

    return run


@contextmanager
def _others(config: TrialConfig, checkpoint: Path, processes: int, threads: int) -> Iterator[World]:
    """Within: the other ranks work on the trial, and this process is the first of them."""
    others = [_start(bundle) for bundle in range(1, processes)]
    with tempfile.TemporaryDirectory() as folder:
        try:
            meeting, store = _arrange(others, trial.resolve_device(config.device).type, folder)
            work = [
                other.assist.remote(to_dict(config), str(checkpoint), meeting, rank, threads)
                for rank, other in enumerate(others, start=1)
            ]
            with _Watch(others, work) as watch, watch.explaining(), _joined(meeting, store, 0) as world:
                yield world
        finally:
            for other in others:
                ray.kill(other)


def _start(bundle: int) -> Any:
    group = get_current_placement_group()
    assert group is not None
    held = group.bundle_specs[bundle]
    strategy = PlacementGroupSchedulingStrategy(placement_group=group, placement_group_bundle_index=bundle)
    options = {"num_cpus": held.get("CPU", 0), "num_gpus": held.get("GPU", 0), "scheduling_strategy": strategy}
    return ray.remote(OtherRank).options(**options).remote()


def _arrange(others: Sequence[Any], device: str, folder: str) -> tuple[Meeting, Store]:
    """Where to meet, and this process's end of it. On one machine nothing listens beyond loopback."""
    size, backend = len(others) + 1, "nccl" if device == "cuda" else "gloo"
    here = ray.get_runtime_context().get_node_id()
    if set(ray.get([other.node.remote() for other in others])) == {here}:
        meeting = Meeting(size=size, backend=backend, path=str(Path(folder) / "ranks"))
        return meeting, meeting.store()
    host = str(get_node_ip_address())  # type: ignore[no-untyped-call]
    listener = socket.create_server((host, 0))
    port = listener.getsockname()[1]
    store = TCPStore(host, port, is_master=True, wait_for_workers=False, master_listen_fd=listener.detach())
    return Meeting(size=size, backend=backend, host=host, port=port), store


@contextmanager
def _joined(meeting: Meeting, store: Store, rank: int) -> Iterator[World]:
    """Within: this process is ``rank`` of those that meet."""
    for name in _INTERFACES:
        if meeting.path is not None:
            os.environ[name] = _LOOPBACK
        elif os.environ.get(name) == _LOOPBACK:
            del os.environ[name]
    dist.init_process_group(meeting.backend, store=store, rank=rank, world_size=meeting.size, timeout=PATIENCE)
    try:
        yield World(rank=rank, size=meeting.size)
    except BaseException:
        if meeting.backend == "nccl":
            dist.distributed_c10d._abort_process_group()  # leaving in order, it would wait for ranks that are gone
        raise
    finally:
        if dist.is_initialized():
            dist.destroy_process_group()


class OtherRank:
    """A process of a trial that is not its first; a Ray actor."""

    def node(self) -> str:
        """Ray's name of the machine."""
        name: str = ray.get_runtime_context().get_node_id()
        return name

    def assist(self, config: dict[str, Any], checkpoint: str, meeting: Meeting, rank: int, threads: int) -> None:
        """This rank's part of the trial of ``config``; ends well when the first has ended the trial."""
        confine(threads, 1.0)
        with _joined(meeting, meeting.store(), rank) as world, suppress(EndedByFirstError):
            trial.assist(from_dict(config), checkpoint=Path(checkpoint), world=world)


class _Watch:
    """Within its block a thread waits for the others. If one of them fails all are ended, and the first notices.

    Where it does not, as NCCL's kernels may wait for ever, this process ends: Tune then begins another attempt.
    """

    def __init__(self, others: Sequence[Any], work: Sequence[ray.ObjectRef[None]]) -> None:
        self._others, self._work = others, list(work)
        self._failed, self._over = threading.Event(), threading.Event()
        self._cause: Exception | None = None
        self._thread = threading.Thread(target=self._wait, name="ranks", daemon=True)

    def __enter__(self) -> _Watch:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._over.set()
        self._thread.join()

    @contextmanager
    def explaining(self) -> Iterator[None]:
        """Within: a ``LostRankError`` says why the other rank is gone."""
        try:
            yield
        except LostRankError as error:
            self._failed.wait(GRACE_S)
            if self._cause is None:
                raise
            words = str(self._cause).strip().splitlines()[-1]
            if is_out_of_memory(getattr(self._cause, "cause", self._cause)):
                raise OutOfMemoryError(words) from error
            raise LostRankError(f"another process of this trial ended: {words}") from error

    def _wait(self) -> None:
        while self._work and not self._over.is_set():
            ended, self._work = ray.wait(self._work, num_returns=1, timeout=_POLL_S)
            for reference in ended:
                try:
                    ray.get(reference)
                except Exception as error:
                    self._end(error)
                    return

    def _end(self, cause: Exception) -> None:
        self._cause = cause
        self._failed.set()
        for other in self._others:
            ray.kill(other)
        if not self._over.wait(GRACE_S):
            os._exit(1)
