"""How long a study and its running trials have taken, by the clock on the wall."""

from __future__ import annotations

import math
from collections.abc import Mapping

from analysis import labels
from analysis.runs import Study
from analysis.schema import TrialStatus


def wall_seconds(study: Study, now: float = math.nan) -> float:
    """From the first trial's begin to ``now`` while one runs, else to the last one's end; NaN if none is known.

    ``now`` in unix seconds. Time between drivers counts.
    """
    runs = study.trials["status"].eq(TrialStatus.RUNNING).any() and math.isfinite(now)
    return float((now if runs else study.trials["ended"].max()) - study.trials["started"].min())


def elapsed(study: Study, now: float) -> str:
    """``2 h 05 min of wall time; running trials began: 0007 3 min 20 s ago``; "" before any trial has begun."""
    running = study.trials[study.trials["status"].eq(TrialStatus.RUNNING) & study.trials["started"].notna()]
    ages = now - running["started"]
    total = wall_seconds(study, now)
    parts = [f"{labels.duration(max(0.0, total))} of wall time"] if math.isfinite(total) else []
    return "; ".join([*parts, *began(dict(zip(running["number"], ages, strict=True)))])


def began(ages: Mapping[int, float]) -> list[str]:
    """When running trials began, by their numbers and seconds since then; empty if none runs."""
    words = [f"{labels.trial_number(number)} {labels.duration(max(0.0, age))} ago" for number, age in ages.items()]
    return [f"running trials began: {', '.join(words)}"] if words else []
