"""What a study may spend, and whether it has."""

from __future__ import annotations

from dataclasses import dataclass

from study.config import Budget


@dataclass(frozen=True, kw_only=True)
class Spent:
    """What a study has used so far, over all its drivers."""

    trials: int
    """Trials that were begun, however they ended."""
    gpu_hours: float
    """Of the trials that have ended."""


def no_more_trials(budget: Budget, spent: Spent) -> str | None:
    """Why no further trial may begin; ``None`` if one may."""
    if budget.trials is not None and spent.trials >= budget.trials:
        return f"all {budget.trials} trials were begun"
    if budget.gpu_hours is not None and spent.gpu_hours >= budget.gpu_hours:
        return f"{spent.gpu_hours:.2f} of {budget.gpu_hours:g} GPU-hours are spent"
    return None


def out_of_time(budget: Budget, wall_minutes: float) -> str | None:
    """Why even the running trials must stop; ``None`` if they need not."""
    if budget.wall_minutes is not None and wall_minutes >= budget.wall_minutes:
        return f"the time limit of {budget.wall_minutes:g} minutes is reached"
    return None
