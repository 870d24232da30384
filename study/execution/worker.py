"""One attempt at one trial: what a Ray worker, or the inline backend, runs.

The trial's folder says what to do and hears what happened. A fault of the trial itself is its result, so that
nobody tries it again; a fault of the machine is raised, so that somebody does.
"""

from __future__ import annotations

import errno
import json
import math
import os
import re
import socket
import time
import traceback
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import torch
from filelock import FileLock

from analysis.layout import (
    ATTEMPT,
    ENDED,
    EPOCH,
    StudyPaths,
    TrialPaths,
    append_event,
    appending_event,
    ending,
    read_events,
    write_atomically,
    write_json,
)
from analysis.reading.written import also_judged, config_of, pretrained_of
from analysis.schema import BY_HAND, TrialFault, TrialStatus
from study.execution.shortage import ShortageError, sparing
from study.execution.watchdog import Watchdog
from study.files.disk import full_disk
from study.files.storage import Storage
from study.packages import recorded
from study.resources.needs import confine, device_in_words
from study.search.folders import record_kill
from trainables import checkpoint, trial
from trainables.config import TrialConfig, UserError
from trainables.leftovers import shed
from trainables.metrics import TrialResult, is_objective
from trainables.outcomes import Outcomes

if TYPE_CHECKING:
    from ray.tune import PlacementGroupFactory

PREDECESSOR_TIMEOUT_S = 120
"""A worker whose driver was killed may outlive it for a moment; its successor waits so long for it to let go."""

PROGRESS_S = 2.0
_NUMBERS = re.compile(r"\d+")
"""At least so long between two words of progress that are written."""

ASK_S = 30.0
"""At least so long between two questions to storage whether a trial in its evaluation is to end."""

MACHINE_FAULTS = (OSError, torch.AcceleratorError)
"""Full disks, lost mounts, a GPU that fell over: another attempt, in another process, may succeed."""


class Epoch(Protocol):
    """What is heard of each epoch: a trial's ``EpochReport``, or a recorded one."""

    @property
    def epoch(self) -> int: ...
    def metrics(self) -> dict[str, float]: ...


class Result(Protocol):
    """What a trial ends with: a ``TrialResult``, or a recorded one."""

    @property
    def outcomes(self) -> Outcomes | None: ...
    def metrics(self) -> dict[str, float]: ...
    def to_dict(self) -> dict[str, Any]: ...


Report = Callable[[Epoch], None]
Train = Callable[..., Result]
"""As ``trainables.trial.run``."""


class TrialStopped(Exception):  # noqa: N818 - a decision, not an error
    """Raised by ``on_report`` or ``progress`` to end a trial early; its message is the reason."""


@dataclass(frozen=True)
class Ended:
    """How a trial ended."""

    status: TrialStatus
    reason: str | None = None
    metrics: dict[str, float] = field(default_factory=dict)
    fault: TrialFault | None = None
    outcomes: Outcomes | None = None


@dataclass(frozen=True, kw_only=True)
class Terms:
    """On which an attempt runs."""

    gpu_share: float = 1.0
    """The part of a GPU that it holds; 1 on the CPU."""
    threads: int = 1
    recompute: bool = True
    """Where the GPU's memory does not suffice, activations are recomputed instead of kept."""
    silence_s: float | None = None
    """After so long without progress this *process* ends; ``None``: never."""
    node: str | None = None
    """Ray's name of this machine."""
    beside_driver: bool = True
    """The driver is on this machine, too: it reads what is written before that is on the disk."""
    gpus: tuple[str, ...] = ()
    """Ids of the GPUs there that the trial holds or shares."""
    storage: str | None = None
    """Where the trial's files go too, for attempts on machines that share no disk."""


def run_assignment(
    root: Path,
    number: int,
    terms: Terms | None = None,
    *,
    on_report: Report = lambda _: None,
    train: Train | None = None,
) -> Ended:
    """Run trial ``number`` of the study in folder ``root`` to its end, from its last checkpoint if it has one.

    ``on_report`` hears of each epoch that it can read; the trial goes on when the epoch is on disk.
    ``train`` stands in for ``trainables.trial.run``.
    Raises what is no fault of the trial: ``MACHINE_FAULTS`` and interruptions.
    """
    paths, terms = StudyPaths(root).trial(number), terms or Terms()
    paths.root.mkdir(parents=True, exist_ok=True)
    storage = Storage(terms.storage, root.name) if terms.storage else None
    with FileLock(paths.root / ".lock", timeout=PREDECESSOR_TIMEOUT_S):
        if storage:
            storage.fetch(paths, whole=True)
        if (ended := _already_ended(paths)) is not None:
            if storage:
                storage.push(paths)  # which the attempt that ended it may not have lived to do
            return ended
        confine(terms.threads, terms.gpu_share)
        record_kill(paths)
        attempt = 1 + sum(event["kind"] == ATTEMPT for event in read_events(paths))
        spared = sparing(_work(paths, train or trial.run), paths, attempt, recompute=terms.recompute)
        with Watchdog(paths.hang, terms.silence_s) as watchdog:
            progress = _Progress(paths, watchdog, storage)
            ended = _attempt(paths, attempt, terms, _mirrored(on_report, paths, storage), spared, progress)
        ended = _end(paths, attempt, ended)
        paths.progress.unlink(missing_ok=True)
        if storage:
            storage.push(paths)
        return ended


def _work(paths: TrialPaths, train: Train) -> Train:
    """``train``, or the evaluation alone of a trial whose network is trained already."""

    def work(config: TrialConfig, *, report: Report, **rest: Any) -> Result:
        pretrained = pretrained_of(paths)
        if pretrained is not None:
            result: Result = trial.measure(config, pretrained, **rest)
        else:
            result = train(config, report=report, **rest)
        return replace(result, also_judged=also_judged(paths)) if isinstance(result, TrialResult) else result

    return work


def _end(paths: TrialPaths, attempt: int, ended: Ended) -> Ended:
    """Write how the trial ended; if a driver that took this attempt for lost has done so, that stands."""
    if (given_up := _already_ended(paths)) is not None:
        return given_up
    rest = {"fault": ended.fault, "outcomes": ended.outcomes and ended.outcomes.to_dict()}
    known = {name: value for name, value in rest.items() if value}
    append_event(paths, ENDED, attempt, status=ended.status, reason=ended.reason, metrics=ended.metrics, **known)
    if ended.status is TrialStatus.FINISHED:
        _shed(paths)
    return ended


def _mirrored(on_report: Report, paths: TrialPaths, storage: Storage | None) -> Report:
    """The driver hears of a report when it is in storage, and what it then decides is fetched."""
    if storage is None:
        return on_report

    def mirrored(epoch: Epoch) -> None:
        storage.push(paths)
        on_report(epoch)
        for request in (paths.stop, paths.stop_by_hand):
            storage.pull(paths, request.name)

    return mirrored


def run_on_ray(config: dict[str, Any]) -> dict[str, Any]:
    """``run_assignment`` as Ray Tune calls it. Here, so that a worker imports nothing of the driver's."""
    from ray import get_runtime_context, tune

    context = get_runtime_context()
    node = context.get_node_id()
    terms = Terms(
        gpu_share=config["gpu_share"],
        threads=config["threads"],
        recompute=config["recompute"],
        silence_s=config["silence_s"],
        node=node,
        beside_driver=node == config["driver_node"],
        gpus=tuple(context.get_accelerator_ids().get("GPU", [])),
        storage=config["storage"],
    )
    ended = run_assignment(
        Path(config["root"]),
        config["number"],
        terms,
        on_report=lambda report: tune.report({"epoch": report.epoch}),
        train=_train(config["processes"], config["threads"]),
    )
    return {"status": str(ended.status)}


def _train(processes: int, threads: int) -> Train | None:
    if processes == 1:
        return None
    from study.execution.ranks import in_ranks

    return in_ranks(processes, threads)


def resources_of(config: dict[str, Any]) -> PlacementGroupFactory:
    """What Ray reserves for the trial of this ``config``: its own share, as its trainable has it."""
    from ray.tune import PlacementGroupFactory

    processes = config["processes"]
    return PlacementGroupFactory([{"CPU": config["cpus"] / processes, "GPU": config["gpus"] / processes}] * processes)


def _already_ended(paths: TrialPaths) -> Ended | None:
    if (event := ending(paths)) is None:
        return None
    metrics = {name: float(value) for name, value in event["metrics"].items()}
    return Ended(TrialStatus(event["status"]), event["reason"], metrics)


def _attempt(
    paths: TrialPaths, attempt: int, terms: Terms, on_report: Report, train: Train, progress: _Progress
) -> Ended:
    not_its_own: list[Exception] = []

    def waiting(epoch: Epoch) -> None:
        try:
            with progress.watchdog.paused():
                on_report(epoch)
        except Exception as error:
            not_its_own.append(error)
            raise

    try:
        config = config_of(paths)
        _announce(paths, attempt, config, terms)
        _check_wanted(paths)
        result = train(
            config,
            checkpoint=paths.checkpoint,
            report=_Reporter(paths, attempt, waiting, terms.beside_driver),
            progress=progress,
            gpu_share=terms.gpu_share,
        )
    except TrialStopped as stop:
        return Ended(TrialStatus.STOPPED, str(stop), _last_metrics(paths))
    except ShortageError as shortage:
        metrics = _last_metrics(paths) | shortage.metrics
        return Ended(TrialStatus.FAILED, str(shortage), metrics, TrialFault.OUT_OF_MEMORY)
    except MACHINE_FAULTS:
        raise
    except Exception as error:
        if error in not_its_own:
            raise
        if words := full_disk(error):
            raise OSError(errno.ENOSPC, words) from error
        if isinstance(error, UserError) and isinstance(cause := error.__cause__, OSError):
            raise OSError(cause.errno, str(cause)) from error  # what is on a disk that does not answer may be whole
        write_atomically(paths.root / "error.txt", traceback.format_exc())
        return Ended(TrialStatus.FAILED, _one_line(error), _last_metrics(paths), TrialFault.ERROR)
    metrics = dict(result.metrics())
    if bad := [
        f"{name} is {value}" for name, value in metrics.items() if is_objective(name) and not math.isfinite(value)
    ]:
        return Ended(TrialStatus.FAILED, ", ".join(bad), metrics, TrialFault.ERROR)
    write_json(paths.result, result.to_dict())
    return Ended(TrialStatus.FINISHED, None, metrics, outcomes=result.outcomes)


def _shed(paths: TrialPaths) -> None:
    """Free the disk of what no longer matters; where that fails, the trial has ended all the same."""
    with suppress(OSError, UserError):
        shed(paths.checkpoint, config_of(paths))


def _announce(paths: TrialPaths, attempt: int, config: TrialConfig, terms: Terms) -> None:
    append_event(
        paths,
        ATTEMPT,
        attempt,
        host=socket.gethostname(),
        node=terms.node,
        gpus=list(terms.gpus),
        pid=os.getpid(),
        device=device_in_words(config.device),
        gpu_share=terms.gpu_share,
        resumed_epoch=_trained_before(paths, config),
        **recorded([config]),
    )


def _trained_before(paths: TrialPaths, config: TrialConfig) -> int:
    """Epochs that an attempt finds done."""
    if pretrained_of(paths) is not None:
        return config.optimiser.epochs
    return int(checkpoint.load(paths.checkpoint, config)["report"]["epoch"]) if paths.checkpoint.exists() else 0


class _Progress:
    """Every word says that the trial lives, and asks whether it is to; now and then one is written where people look,
    and whenever another stage begins: words that differ in numbers alone are of one.

    Storage is asked less often than the disk.
    """

    def __init__(self, paths: TrialPaths, watchdog: Watchdog, storage: Storage | None) -> None:
        self.watchdog = watchdog
        self._paths, self._storage = paths, storage
        self._written, self._asked = -math.inf, time.monotonic()
        self._stage = ""

    def __call__(self, words: str) -> None:
        self.watchdog.progress()
        self._fetch_request()
        _check_wanted(self._paths)
        stage = _NUMBERS.sub("", words)
        if stage == self._stage and time.monotonic() - self._written < PROGRESS_S:
            return
        with suppress(OSError):  # a trial does not fail for want of it
            write_json(self._paths.progress, {"words": words, "time": time.time()})
        self._written, self._stage = time.monotonic(), stage

    def _fetch_request(self) -> None:
        if self._storage is None or time.monotonic() - self._asked < ASK_S:
            return
        with suppress(OSError):  # nor for want of an answer
            self._storage.pull(self._paths, self._paths.stop_by_hand.name)
        self._asked = time.monotonic()


class _Reporter:
    """Appends each epoch once, whatever an earlier attempt had already written."""

    def __init__(self, paths: TrialPaths, attempt: int, on_report: Report, beside_driver: bool) -> None:
        self._paths, self._attempt, self._on_report = paths, attempt, on_report
        self._beside_driver = beside_driver
        self._last = max((event["epoch"] for event in _epochs(paths)), default=0)

    def __call__(self, report: Epoch) -> None:
        with self._written(report):
            self._on_report(report)
        if (reason := _told_to_stop(self._paths)) is not None:
            raise TrialStopped(reason)
        _check_wanted(self._paths)

    def _written(self, report: Epoch) -> AbstractContextManager[None]:
        if report.epoch <= self._last:
            return nullcontext()
        self._last = report.epoch
        event = {"epoch": report.epoch, "metrics": report.metrics()}
        if self._beside_driver:
            return appending_event(self._paths, EPOCH, self._attempt, **event)
        append_event(self._paths, EPOCH, self._attempt, **event)
        return nullcontext()


def _told_to_stop(paths: TrialPaths) -> str | None:
    """Why the driver wants the trial to end; it decides before it lets the trial go on after a report."""
    try:
        return str(json.loads(paths.stop.read_text())["reason"])
    except FileNotFoundError:
        return None


def _check_wanted(paths: TrialPaths) -> None:
    """Raise ``TrialStopped`` if somebody has asked that the trial end."""
    if paths.stop_by_hand.exists():
        raise TrialStopped(BY_HAND)


def _epochs(paths: TrialPaths) -> list[dict[str, Any]]:
    return [event for event in read_events(paths) if event["kind"] == EPOCH]


def _last_metrics(paths: TrialPaths) -> dict[str, float]:
    epochs = _epochs(paths)
    return {name: float(value) for name, value in epochs[-1]["metrics"].items()} if epochs else {}


def _one_line(error: Exception) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())
