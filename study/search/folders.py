"""What a search reads from its trials' folders, and writes into them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from analysis.layout import (
    ATTEMPT,
    ENDED,
    EPOCH,
    LOST,
    OUT_OF_MEMORY,
    PAUSED,
    StudyPaths,
    TrialPaths,
    append_event,
    read_events,
    read_json,
    write_json,
)
from analysis.reading.written import ALSO_JUDGED, written
from analysis.schema import TrialFault, TrialStatus
from trainables.config import TrialConfig, to_dict
from trainables.metrics import head_figure


def share_of(trial: TrialPaths) -> float | None:
    """The share of a GPU that the last attempt held."""
    events = reversed(read_events(trial))
    return next((event.get("gpu_share") for event in events if event["kind"] == ATTEMPT), None)


def ran_short_trained(trial: TrialPaths) -> bool:
    """Whether memory lacked for the evaluation alone, whose batches are not training's."""
    short = [event for event in read_events(trial) if event["kind"] == OUT_OF_MEMORY]
    return bool(short) and bool(short[-1].get("trained"))


def record_end(
    trial: TrialPaths,
    status: TrialStatus,
    reason: str | None,
    fault: TrialFault | None,
    metrics: Mapping[str, float] | None = None,
) -> dict[str, Any]:
    """Write the end that a trial did not write itself, with ``metrics`` or else what it had measured last."""
    events = read_events(trial)
    attempts = [event["attempt"] for event in events if event["kind"] == ATTEMPT]
    last: dict[str, float] = next((event["metrics"] for event in reversed(events) if event["kind"] == EPOCH), {})
    end = {"status": str(status), "reason": reason, "metrics": last if metrics is None else dict(metrics)} | (
        {"fault": str(fault)} if fault else {}
    )
    append_event(trial, ENDED, max(attempts, default=0), **end)
    return end


def record_pause(trial: TrialPaths, since: float) -> None:
    """Write down that an attempt which began ``since`` then, in unix seconds, goes no further: until now it ran."""
    marks = [event for event in read_events(trial) if event["kind"] in (ATTEMPT, ENDED)]
    if marks and marks[-1]["kind"] == ATTEMPT and marks[-1]["time"] >= since:
        append_event(trial, PAUSED, marks[-1]["attempt"])


def record_kill(trial: TrialPaths) -> None:
    """Write down until when an attempt ran that was killed in its evaluation, and its driver with it, if it was."""
    events, heard = read_events(trial), read_json(trial.progress).get("time", 0.0)
    if events and events[-1]["kind"] not in (LOST, PAUSED, ENDED) and heard > events[-1]["time"]:
        append_event(trial, PAUSED, events[-1]["attempt"], time=heard, reason="killed with its driver")


def write_config(
    paths: StudyPaths,
    number: int,
    trainable: str,
    params: Mapping[str, Any],
    config: TrialConfig | None,
    marks: Mapping[str, Any],
) -> None:
    """What the trial is to run; without a config it was no valid draw and will not. ``marks``: as ``micro_batches``."""
    told = {
        "number": number,
        "trainable": trainable,
        "params": dict(params),
        "config": to_dict(config) if config else {},
        **marks,
    }
    write_json(paths.trial(number).config, told)


def judged(objectives: Iterable[str], config: TrialConfig) -> dict[str, Any]:
    """What ``config.json`` says of the heads, beside the trial's own, whose figures are objectives: where one of them
    is flagged, the trial is."""
    figures = [figure for name in objectives if (figure := head_figure(name))]
    others = dict.fromkeys(figure.head for figure in figures if figure.head != config.evaluation.head)
    return {ALSO_JUDGED: list(others)} if others else {}


def trainable_of(trial: TrialPaths) -> str | None:
    """The trainable of a trial whose configuration has reached the disk."""
    return str(written(trial.config)["trainable"]) if trial.config.exists() else None
