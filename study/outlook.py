"""What a study has spent and how long it goes on, as the folders of its trials tell it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from analysis.frontier.levelling import levelled
from analysis.layout import StudyPaths
from analysis.progress.elapsed import ran_seconds, ran_seconds_each
from analysis.progress.so_far import with_costs
from analysis.reading.runs import Study
from analysis.schema import TrialStatus
from study.files.covered import covered
from study.search.budget import Spent, minutes_left, no_more_trials, out_of_time
from trainables.metrics import GPU_MINUTES

INTERRUPTED = "interrupted"
"""How a trial stands that would run if anybody ran its study."""
OPEN = (TrialStatus.RUNNING, INTERRUPTED)
"""How trials stand that have not ended."""


@dataclass(frozen=True, kw_only=True)
class Limits:
    """A budget as a manifest has it; what is damaged is no limit."""

    trials: int | None
    wall_minutes: float | None
    gpu_hours: float | None
    least_gain: float | None

    @classmethod
    def of(cls, manifest: Mapping[str, Any]) -> Limits | None:
        """``None`` where it sets no limit that can be read."""
        stated = manifest.get("budget")
        known = {
            name: limit if type(limit) in (int, float) and limit > 0 else None
            for name, limit in (stated.items() if isinstance(stated, dict) else ())
        }
        limits = cls(**{name: known.get(name) for name in cls.__dataclass_fields__})
        return limits if any(vars(limits).values()) else None


@dataclass(frozen=True, kw_only=True)
class Outlook:
    """What was spent, of which budget, and for how long the rest will do."""

    limits: Limits | None
    spent: Spent
    wall_minutes: float
    """While any trial ran."""
    minutes_left: float | None
    """At the pace so far; ``None`` while nothing can be said."""
    levelled: str | None
    """Why its trials gain too little to go on; ``None`` if they do not."""
    covered: str | None
    """Why the space holds nothing more to try; ``None`` if it may."""

    @property
    def exhausted(self) -> str | None:
        """Why no trial begins any more; ``None`` if one may."""
        if self.limits is None:
            return None
        spent_up = no_more_trials(self.limits, self.spent) or out_of_time(self.limits, self.wall_minutes)
        return spent_up or self.levelled or self.covered


def replay_on(name: str) -> str:
    """The command that goes on with a study which replays."""
    return f"study resume {name} --backend replay --curves FILE"


def outlook(study: Study, paths: StudyPaths, now: float) -> Outlook:
    """Of ``study``, just read from ``paths``; ``now`` in unix seconds, until when trials that run do so."""
    trials, took = with_costs(study), ran_seconds_each(study, now) / 60
    ended = ~trials["status"].isin(OPEN)
    spent = Spent(
        trials=len(trials), ended=int(ended.sum()), gpu_hours=float(trials.loc[ended, GPU_MINUTES].sum()) / 60
    )
    seconds = ran_seconds(study, now)
    minutes, limits = seconds / 60 if math.isfinite(seconds) else 0.0, Limits.of(study.manifest)
    finished = took[trials["status"] == TrialStatus.FINISHED].dropna().tolist()
    running = took[~ended].dropna().tolist()
    too_little = levelled(study, limits.least_gain) if limits and limits.least_gain else None
    nothing_new = covered(paths)
    wanted = replace(limits, trials=spent.trials) if limits and (too_little or nothing_new) else limits
    left = minutes_left(wanted, spent, minutes, finished, running) if wanted and finished else None
    return Outlook(
        limits=limits, spent=spent, wall_minutes=minutes, minutes_left=left, levelled=too_little, covered=nothing_new
    )
