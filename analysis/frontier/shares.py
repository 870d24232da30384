"""What each trainable of a study got of the budget, and what it gave to the frontier."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd

from analysis.frontier.pareto import frontier
from analysis.progress.so_far import with_costs
from analysis.reading.runs import Study
from analysis.schema import TrialStatus
from trainables.metrics import FORWARD_EQUIVALENTS, GPU_MINUTES

FRONTIER, EQUAL = "frontier", "frontier_at_equal_minutes"
_SLACK = 1e-9


def shares(study: Study) -> pd.DataFrame:
    """One row a trainable, in the study's order.

    ``trainable``; its trials by status; ``gpu_minutes`` and ``forward_equivalents`` of all its trials (of
    those that did not finish, their training); ``frontier``, its points on the study's frontier, and
    ``frontier_at_equal_minutes``, those on the frontier of the trials that fit ``equal_minutes``. Each of the last
    four also as a share of all trainables' (``..._share``, NaN where there is none).
    """
    names = _trainables(study)
    trials = with_costs(study)
    equal = replace(study, trials=_cut(trials, equal_minutes(study)))
    found = pd.DataFrame({"trainable": names})
    for status in statuses(study):
        found[status] = _counted(names, trials[study.standings == status])
    for cost in (GPU_MINUTES, FORWARD_EQUIVALENTS):
        found[cost] = [float(trials.loc[trials["trainable"] == name, cost].sum()) for name in names]
    found[FRONTIER] = _counted(names, frontier(study))
    found[EQUAL] = _counted(names, frontier(equal))
    for name in (GPU_MINUTES, FORWARD_EQUIVALENTS, FRONTIER, EQUAL):
        found[f"{name}_share"] = found[name] / found[name].sum()
    return found


def equal_minutes(study: Study) -> float:
    """The GPU-minutes of the trainable that had the fewest of those that had any; 0 if none had."""
    used = with_costs(study).groupby("trainable")[GPU_MINUTES].sum()
    return float(used[used > 0].min()) if (used > 0).any() else 0.0


def statuses(study: Study) -> list[str]:
    """``TrialStatus``, and what else the trials are said to be, ``interrupted`` or ``excluded`` say."""
    return list(dict.fromkeys([*(status.value for status in TrialStatus), *study.standings]))


def _trainables(study: Study) -> list[str]:
    stated = map(str, study.manifest.get("trainables", []))
    return list(dict.fromkeys([*stated, *study.trials["trainable"]]))


def _cut(trials: pd.DataFrame, minutes: float) -> pd.DataFrame:
    """Of each trainable the trials that together take at most ``minutes``, in order of their start."""
    ordered = trials.sort_values(["started", "number"])
    spent = ordered.groupby("trainable")[GPU_MINUTES].cumsum()
    return ordered[spent <= minutes * (1 + _SLACK)]


def _counted(names: list[str], trials: pd.DataFrame) -> list[int]:
    found = trials["trainable"].value_counts()
    return [int(found.get(name, 0)) for name in names]
