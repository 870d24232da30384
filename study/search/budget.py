"""What a study may spend, whether it has, and when it will have."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Protocol

from analysis import labels
from analysis.schema import TIME_LIMIT


class Budget(Protocol):
    """The limits of a study file, however they were read; ``None``: no such limit."""

    @property
    def trials(self) -> int | None: ...

    @property
    def wall_minutes(self) -> float | None: ...

    @property
    def gpu_hours(self) -> float | None: ...


@dataclass(frozen=True, kw_only=True)
class Spent:
    """What a study has used so far, over all its drivers."""

    trials: int
    """Trials that were begun, however they ended."""
    ended: int
    """Of them, however."""
    gpu_hours: float
    """Of the trials that have ended."""
    promised_gpu_hours: float = 0.0
    """What those that run are likely to use, as far as it can be told."""


def no_more_trials(budget: Budget, spent: Spent) -> str | None:
    """Why no further trial may begin; ``None`` if one may."""
    if budget.trials is not None and spent.trials >= budget.trials:
        return labels.all_begun(budget.trials, "trial")
    if budget.gpu_hours is not None and spent.gpu_hours >= budget.gpu_hours:
        return f"{labels.amount(spent.gpu_hours)} of {labels.amount(budget.gpu_hours)} GPU-hours are spent"
    return None


def left(budget: Budget, spent: Spent, wall_minutes: float) -> str:
    """``12 of 40 trials, 3.2 of 24 GPU-hours``: what the study may still spend."""
    limits = (
        (budget.trials, spent.trials, "trials"),
        (budget.wall_minutes, wall_minutes, "wall minutes"),
        (budget.gpu_hours, spent.gpu_hours, "GPU-hours"),
    )
    rests = ((limit, max(limit - used, 0), what) for limit, used, what in limits if limit is not None)
    return ", ".join(f"{labels.amount(rest)} of {labels.amount(limit)} {what}" for limit, rest, what in rests)


def keeps_the_rest(budget: Budget, spent: Spent) -> bool:
    """Whether trials that run are likely to use all GPU-hours that are left; one that costs less may leave some."""
    return budget.gpu_hours is not None and spent.gpu_hours + spent.promised_gpu_hours >= budget.gpu_hours


def out_of_time(budget: Budget, wall_minutes: float) -> str | None:
    """Why even the running trials must stop; ``None`` if they need not."""
    if budget.wall_minutes is not None and wall_minutes >= budget.wall_minutes:
        return f"{TIME_LIMIT} {labels.counted(budget.wall_minutes, 'minute')} is reached"
    return None


def minutes_left(
    budget: Budget, spent: Spent, wall_minutes: float, finished: Sequence[float], running: Sequence[float]
) -> float | None:
    """How long the study goes on at its pace so far; ``None`` while no trial has finished, or no limit is in sight.

    ``finished``, ``running``: the minutes that trials took which finished, and have taken which run. The pace is that
    of all trials over the study's time, so that it holds how many run side by side and what passes between two; one
    that runs counts in part, as far as it has come on the way of the usual one.
    """
    if not finished:
        return None
    usual, limits = median(finished), []
    totals = [] if budget.trials is None else [float(budget.trials)]
    if budget.gpu_hours is not None and spent.gpu_hours > 0:
        totals.append(budget.gpu_hours / spent.gpu_hours * spent.ended)
    if totals:
        done = spent.ended + sum(1.0 if minutes >= usual else minutes / usual for minutes in running)
        rest = max(min(totals), spent.ended + len(running)) - done
        youngest = usual - min(running, default=usual)
        limits.append(max(wall_minutes / done * rest, youngest))
    if budget.wall_minutes is not None:
        limits.append(budget.wall_minutes - wall_minutes)
    return min(limits, default=None)


def about(minutes: float) -> str:
    return f"about {max(1, round(minutes))} min left" if minutes < 120 else f"about {minutes / 60:.1f} h left"
