"""How a running study stands, in words: what has ended of its budget, what runs, how long it goes on."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Self

from optuna.trial import FrozenTrial

from analysis import labels
from analysis.progress.elapsed import began
from analysis.schema import TrialStatus
from study.config import Budget
from study.samplers.trials import gpu_share_of, minutes_of, status_of
from study.search.budget import Spent, about, minutes_left
from study.search.searcher import Search


@dataclass(frozen=True, kw_only=True)
class Standing:
    """One reading of the search, for all that is said of it at a time."""

    trials: Sequence[FrozenTrial]
    running: Sequence[FrozenTrial]
    spent: Spent
    wall_minutes: float
    own_minutes: float
    """Of them, those of this driver."""
    now: float

    @classmethod
    def read(cls, search: Search) -> Self:
        trials = search.trials()
        return cls(
            trials=trials,
            running=search.running(trials),
            spent=search.spent(trials),
            wall_minutes=search.wall_minutes(),
            own_minutes=search.own_minutes(),
            now=time.time(),
        )

    @cached_property
    def finished(self) -> list[FrozenTrial]:
        return self._ended_as(TrialStatus.FINISHED)

    def ended(self, budget: Budget) -> str:
        """``15 of 40 trials ended (1 failed)``."""
        ended = self.spent.ended
        words = labels.counted(ended, "trial") if budget.trials is None else f"{ended} of {budget.trials} trials"
        amiss = {status: len(self._ended_as(status)) for status in (TrialStatus.FAILED, TrialStatus.STOPPED)}
        why = ", ".join(f"{count} {status}" for status, count in amiss.items() if count)
        return f"{words} ended ({why})" if why else f"{words} ended"

    def counts(self, budget: Budget) -> str:
        """``15 of 40 trials ended (1 failed), 2 running; 3.2 of 60 minutes``; of running ones nothing where none is."""
        running = f", {len(self.running)} {TrialStatus.RUNNING}" if self.running else ""
        trials = self.ended(budget) + running
        used = [f"{self.wall_minutes:.1f}{_of(budget.wall_minutes)} minutes"]
        if budget.gpu_hours is not None:
            used.append(f"{self.spent.gpu_hours:.2f}{_of(budget.gpu_hours)} GPU-hours")
        return f"{trials}; {', '.join(used)}"

    def left(self, budget: Budget) -> list[str]:
        """``about 12 min left``; empty while nothing can be said."""
        taken = [min(age / 60, self.own_minutes) for age in self._ages.values()]  # one gone on with rested before
        minutes = minutes_left(budget, self.spent, self.wall_minutes, list(map(_minutes, self.finished)), taken)
        return [about(minutes)] if minutes is not None and minutes > 0 else []

    def began(self) -> list[str]:
        """When the trials that run began."""
        return began(self._ages)

    def _ended_as(self, wanted: TrialStatus) -> list[FrozenTrial]:
        return [trial for trial in self.trials if trial.state.is_finished() and status_of(trial) is wanted]

    @property
    def _ages(self) -> dict[int, float]:
        """Seconds since the trials that run began, by their numbers."""
        begun = {trial.number: trial.datetime_start for trial in self.running}
        return {number: self.now - start.timestamp() for number, start in begun.items() if start}


def _minutes(trial: FrozenTrial) -> float:
    """What a finished trial took: less than by the clock if it was gone on with, less than its figures if replayed."""
    by_clock = trial.duration.total_seconds() / 60 if trial.duration else math.inf
    return min(by_clock, minutes_of(trial) / gpu_share_of(trial))


def _of(limit: float | None) -> str:
    return "" if limit is None else f" of {labels.amount(limit)}"
