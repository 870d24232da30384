"""One attempt at one trial: what a Ray worker, or the inline backend, runs.

The trial's folder says what to do and hears what happened. A fault of the trial itself is its result, so that
nobody tries it again; a fault of the machine is raised, so that somebody does.
"""

from __future__ import annotations

import json
import os
import socket
import traceback
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import torch
from filelock import FileLock

from analysis.constraints import OUT_OF_MEMORY
from analysis.layout import (
    ATTEMPT,
    ENDED,
    EPOCH,
    StudyPaths,
    TrialPaths,
    append_event,
    read_events,
    write_atomically,
    write_json,
)
from analysis.schema import TrialStatus
from study.resources import confine, device_in_words
from study.shortage import ShortageError, sparing
from trainables import checkpoint, trial
from trainables.config import TrialConfig, UserError, from_dict
from trainables.leftovers import shed

if TYPE_CHECKING:
    from ray.tune import PlacementGroupFactory

PREDECESSOR_TIMEOUT_S = 120
"""A worker whose driver was killed may outlive it for a moment; its successor waits so long for it to let go."""

MACHINE_FAULTS = (OSError, torch.AcceleratorError)
"""Full disks, lost mounts, a GPU that fell over: another attempt, in another process, may succeed."""


class Epoch(Protocol):
    """What is heard of each epoch: a trial's ``EpochReport``, or a recorded one."""

    @property
    def epoch(self) -> int: ...
    def metrics(self) -> dict[str, float]: ...


class Result(Protocol):
    """What a trial ends with: a ``TrialResult``, or a recorded one."""

    def metrics(self) -> dict[str, float]: ...
    def to_dict(self) -> dict[str, Any]: ...


Report = Callable[[Epoch], None]
Train = Callable[..., Result]
"""As ``trainables.trial.run``."""


class TrialStopped(Exception):  # noqa: N818 - a decision, not an error
    """Raised by ``on_report`` to end a trial early; its message is the reason."""


@dataclass(frozen=True)
class Ended:
    """How a trial ended."""

    status: TrialStatus
    reason: str | None = None
    metrics: dict[str, float] = field(default_factory=dict)
    fault: str | None = None


def run_assignment(
    root: Path,
    number: int,
    *,
    gpu_share: float = 1.0,
    threads: int = 1,
    place: Mapping[str, Any] | None = None,
    recompute: bool = True,
    on_report: Report = lambda _: None,
    train: Train | None = None,
) -> Ended:
    """Run trial ``number`` of the study in folder ``root`` to its end, from its last checkpoint if it has one.

    ``gpu_share`` is the part of a GPU it holds, 1 on the CPU; ``place`` says where, for the attempt's event.
    ``recompute``: where the GPU's memory does not suffice, activations are recomputed instead of kept.
    ``on_report`` hears of each epoch after it is on disk. ``train`` stands in for ``trainables.trial.run``.
    Raises what is no fault of the trial: ``MACHINE_FAULTS`` and interruptions.
    """
    paths = StudyPaths(root).trial(number)
    with FileLock(paths.root / ".lock", timeout=PREDECESSOR_TIMEOUT_S):
        if (ended := _already_ended(paths)) is not None:
            return ended
        confine(threads, gpu_share)
        attempt = 1 + sum(event["kind"] == ATTEMPT for event in read_events(paths))
        spared = sparing(train or trial.run, paths, attempt, recompute=recompute)
        ended = _attempt(paths, attempt, gpu_share, place or {}, on_report, spared)
        fault = {"fault": ended.fault} if ended.fault else {}
        append_event(paths, ENDED, attempt, status=ended.status, reason=ended.reason, metrics=ended.metrics, **fault)
        if ended.status is TrialStatus.FINISHED:
            _shed(paths)
        return ended


def run_on_ray(config: dict[str, Any]) -> dict[str, Any]:
    """``run_assignment`` as Ray Tune calls it. Here, so that a worker imports nothing of the driver's."""
    from ray import tune

    ended = run_assignment(
        Path(config["root"]),
        config["number"],
        gpu_share=config["gpu_share"],
        threads=config["threads"],
        place=_place(),
        recompute=config["recompute"],
        on_report=lambda report: tune.report({"epoch": report.epoch}),
    )
    return {"status": str(ended.status)}


def resources_of(config: dict[str, Any]) -> PlacementGroupFactory:
    """What Ray reserves for the trial of this ``config``: its own share, as its trainable has it."""
    from ray.tune import PlacementGroupFactory

    return PlacementGroupFactory([{"CPU": config["cpus"], "GPU": config["gpus"]}])


def _place() -> dict[str, Any]:
    """The node of the cluster, and the GPUs on it, that Ray gave to this process."""
    import ray

    context = ray.get_runtime_context()
    return {"node": context.get_node_id(), "gpus": context.get_accelerator_ids().get("GPU", [])}


def _already_ended(paths: TrialPaths) -> Ended | None:
    for event in reversed(read_events(paths)):
        if event["kind"] == ENDED:
            metrics = {name: float(value) for name, value in event["metrics"].items()}
            return Ended(TrialStatus(event["status"]), event["reason"], metrics)
    return None


def _attempt(
    paths: TrialPaths, attempt: int, gpu_share: float, place: Mapping[str, Any], on_report: Report, train: Train
) -> Ended:
    try:
        config = from_dict(json.loads(paths.config.read_text())["config"])
        _announce(paths, attempt, config, gpu_share, place)
        report = _Reporter(paths, attempt, on_report)
        result = train(config, checkpoint=paths.checkpoint, report=report, gpu_share=gpu_share)
    except TrialStopped as stop:
        return Ended(TrialStatus.STOPPED, str(stop), _last_metrics(paths))
    except ShortageError as shortage:
        return Ended(TrialStatus.FAILED, str(shortage), _last_metrics(paths) | shortage.metrics, OUT_OF_MEMORY)
    except MACHINE_FAULTS:
        raise
    except Exception as error:
        write_atomically(paths.root / "error.txt", traceback.format_exc())
        return Ended(TrialStatus.FAILED, _one_line(error), _last_metrics(paths))
    write_json(paths.result, result.to_dict())
    return Ended(TrialStatus.FINISHED, None, dict(result.metrics()))


def _shed(paths: TrialPaths) -> None:
    """Free the disk of what no longer matters; where that fails, the trial has ended all the same."""
    with suppress(OSError, UserError):
        shed(paths.checkpoint, from_dict(json.loads(paths.config.read_text())["config"]))


def _announce(paths: TrialPaths, attempt: int, config: TrialConfig, gpu_share: float, place: Mapping[str, Any]) -> None:
    resumed = checkpoint.load(paths.checkpoint, config)["report"]["epoch"] if paths.checkpoint.exists() else 0
    append_event(
        paths,
        ATTEMPT,
        attempt,
        host=socket.gethostname(),
        pid=os.getpid(),
        device=device_in_words(config.device),
        gpu_share=gpu_share,
        resumed_epoch=resumed,
        **place,
    )


class _Reporter:
    """Appends each epoch once, whatever an earlier attempt had already written."""

    def __init__(self, paths: TrialPaths, attempt: int, on_report: Report) -> None:
        self._paths, self._attempt, self._on_report = paths, attempt, on_report
        self._last = max((event["epoch"] for event in _epochs(paths)), default=0)

    def __call__(self, report: Epoch) -> None:
        if report.epoch > self._last:
            append_event(self._paths, EPOCH, self._attempt, epoch=report.epoch, metrics=report.metrics())
            self._last = report.epoch
        self._on_report(report)
        if (reason := _told_to_stop(self._paths)) is not None:
            raise TrialStopped(reason)


def _told_to_stop(paths: TrialPaths) -> str | None:
    """Why the driver wants the trial to end; it decides before it lets the trial go on after a report."""
    try:
        return str(json.loads(paths.stop.read_text())["reason"])
    except FileNotFoundError:
        return None


def _epochs(paths: TrialPaths) -> list[dict[str, Any]]:
    return [event for event in read_events(paths) if event["kind"] == EPOCH]


def _last_metrics(paths: TrialPaths) -> dict[str, float]:
    epochs = _epochs(paths)
    return {name: float(value) for name, value in epochs[-1]["metrics"].items()} if epochs else {}


def _one_line(error: Exception) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())
