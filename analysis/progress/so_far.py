"""What trials that have not finished have cost and measured so far, as they ended with it or last reported it."""

from __future__ import annotations

import pandas as pd

from analysis.reading.runs import Study
from analysis.schema import TrialStatus
from trainables.metrics import (
    FORWARD_EQUIVALENTS,
    GPU_MINUTES,
    PROBE_ACCURACY,
    PROBE_PGD_ACCURACY,
    TRAIN_FORWARD_EQUIVALENTS,
    TRAIN_SECONDS,
)

PROBES = (PROBE_ACCURACY, PROBE_PGD_ACCURACY)


def probes(study: Study) -> pd.DataFrame:
    """``PROBES`` of each trial as last reported; NaN of those that have finished, of which heads and attacks tell
    better."""
    open_ended = study.trials["status"] != TrialStatus.FINISHED
    return pd.DataFrame({name: newest(study, name).where(open_ended) for name in PROBES})


def with_costs(study: Study) -> pd.DataFrame:
    """The trials with what they cost, also where they did not finish: their training on the share of a GPU they held.

    A share that no event tells counts as a whole GPU. What a failed trial spent after its last epoch is not known.
    """
    trials = study.trials.copy()
    minutes_a_second = trials["gpu_share"].fillna(1.0) / 60.0
    while_training = (
        (GPU_MINUTES, TRAIN_SECONDS, minutes_a_second),
        (FORWARD_EQUIVALENTS, TRAIN_FORWARD_EQUIVALENTS, 1),
    )
    for cost, trained, factor in while_training:
        trials[cost] = trials[cost].fillna(newest(study, trained) * factor)
    return trials.fillna({GPU_MINUTES: 0.0, FORWARD_EQUIVALENTS: 0.0})


def newest(study: Study, metric: str) -> pd.Series[float]:
    """Of each trial, as it ended with it or last reported it; NaN where it did neither."""
    reported = study.curves.reindex(columns=["trial", metric]).groupby("trial")[metric].last()
    ended = study.trials.reindex(columns=[metric])[metric]
    return ended.fillna(study.trials["number"].map(reported)).astype(float)
