"""How long a study has run, and its running trials, by the clock on the wall."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analysis import labels
from analysis.reading.runs import Study
from analysis.schema import TrialStatus


def ran_seconds(study: Study, now: float = math.nan) -> float:
    """While any trial ran, from an attempt's begin to its last report or its end; NaN before any has begun.

    ``now`` in unix seconds: until when trials that run do so. What ran side by side counts once, pauses do not count:
    neither those of a study that is stopped, extended or resumed, nor a trial's between two attempts.
    """
    if study.attempts.empty:
        return math.nan
    return float(_clock(study, now)["seconds"].iloc[-1])


def ran_seconds_at(study: Study, times: pd.Series[float]) -> NDArray[np.float64]:
    """(n,) The same up to each of ``times``, in unix seconds."""
    if study.attempts.empty:
        return np.full(len(times), math.nan)
    clock = _clock(study, math.nan)
    found: NDArray[np.float64] = np.interp(times, clock["time"], clock["seconds"])
    return found


def ran_seconds_each(study: Study, now: float = math.nan) -> pd.Series[float]:
    """The same of each trial by itself, in their order; NaN of one of which no attempt is known."""
    spans = _spans(study, now)
    lasted = (spans["ends"] - spans["began"]).clip(lower=0.0).groupby(study.attempts["trial"]).sum()
    return study.trials["number"].map(lasted).astype(float)


def _spans(study: Study, now: float) -> pd.DataFrame:
    """When each attempt ``began`` and ``ends``: the newest of a trial that runs, ``now``."""
    newest = ~study.attempts["trial"].duplicated(keep="last")
    runs = newest & study.attempts["trial"].isin(_running(study)["number"]) & math.isfinite(now)
    return pd.DataFrame({"began": study.attempts["began"], "ends": study.attempts["last"].where(~runs, now)})


def _clock(study: Study, now: float) -> pd.DataFrame:
    """How many ``seconds`` had been run at each ``time`` at which an attempt began or ended, in their order."""
    spans = _spans(study, now).sort_values("began")
    reached = spans["ends"].cummax().shift(fill_value=-math.inf)
    begins = spans["began"].clip(lower=reached)
    lasts = (spans["ends"] - begins).clip(lower=0.0)
    seconds = np.column_stack([lasts.cumsum() - lasts, lasts.cumsum()])
    return pd.DataFrame({"time": np.column_stack([begins, begins + lasts]).ravel(), "seconds": seconds.ravel()})


def wall_time(study: Study, now: float = math.nan) -> list[str]:
    """``2 h 05 min of wall time without pauses``; empty before any trial has begun."""
    total = ran_seconds(study, now)
    return [f"{labels.duration(total)} of wall time without pauses"] if math.isfinite(total) else []


def _running(study: Study) -> pd.DataFrame:
    """Of the trials those that run, as far as it is known since when."""
    return study.trials[study.trials["status"].eq(TrialStatus.RUNNING) & study.trials["started"].notna()]


def began(ages: Mapping[int, float]) -> list[str]:
    """When running trials began, by their numbers and seconds since then; empty if none runs."""
    words = [f"{labels.trial_number(number)} {labels.duration(max(0.0, age))} ago" for number, age in ages.items()]
    return [f"running trials began: {', '.join(words)}"] if words else []
