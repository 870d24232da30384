"""Attempts that died with their process: counted in the trial's folder, whoever runs the trials."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from analysis.layout import ATTEMPT, LOST, TrialPaths, append_event, read_events
from analysis.schema import TrialFault


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """Why a trial is not tried again."""

    reason: str
    fault: TrialFault


def record_loss(trial: TrialPaths, cause: str, excuse: str | None) -> None:
    """Write down that the newest attempt died; with an ``excuse`` it does not count."""
    append_event(trial, LOST, _newest(trial, ATTEMPT).get("attempt", 0), reason=cause, excuse=excuse)


def node_of(trial: TrialPaths) -> str | None:
    """Ray's name of the machine under the attempt that has just died, if that attempt lived to write it down.

    Else the newest that did is lost already, and where that one ran excuses no other.
    """
    node = _newest(trial, ATTEMPT, LOST).get("node")
    return None if node is None else str(node)


def _newest(trial: TrialPaths, *kinds: str) -> dict[str, Any]:
    return next((event for event in reversed(read_events(trial)) if event["kind"] in kinds), {})


def judge(trial: TrialPaths, max_failures: int) -> Verdict | None:
    """Whether the trial's losses forbid another attempt: it hung, or was lost more than ``max_failures`` times.

    Attempts that ended because their driver did are no losses: nobody was there to record one.
    """
    if hung := _hung(trial):
        return Verdict(reason=hung, fault=TrialFault.TIMEOUT)
    losses = [event["reason"] for event in read_events(trial) if event["kind"] == LOST and not event["excuse"]]
    if len(losses) <= max_failures:
        return None
    times = "once" if len(losses) == 1 else f"{len(losses)} times"
    return Verdict(reason=f"lost {times}: {losses[-1]}", fault=TrialFault.LOST)


def _hung(trial: TrialPaths) -> str | None:
    """The first line of the file says after how long: ``Timeout (4:00:00)!``."""
    try:
        with open(trial.hang) as file:
            first = file.readline()
    except FileNotFoundError:
        return None
    if not first:
        return None
    after = first.partition("(")[2].partition(")")[0]
    return (
        f"hung: no epoch and no progress for {after}; {trial.hang.name} in its folder says where. "
        "If it was only slow, set resources.silence_minutes higher"
    )
