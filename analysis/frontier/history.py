"""What a search had found at each moment of its budget, as hypervolume, and what each trainable added to it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analysis.frontier.pareto import REFERENCE, hypervolume, measured, non_dominated
from analysis.progress.elapsed import ran_seconds_at
from analysis.progress.so_far import with_costs
from analysis.reading.runs import Study
from analysis.reading.titles import metric_title
from analysis.schema import TrialStatus
from trainables.metrics import FORWARD_EQUIVALENTS, GPU_MINUTES, Direction

GPU_HOURS, WALL_HOURS, HYPERVOLUME = "gpu_hours", "wall_hours", "hypervolume"
ADDED, LOST, ALONE = "added", "lost_without", "alone"


def words(study: Study) -> str:
    """``Hypervolume of clean accuracy and PGD accuracy at 8/255, % of all that there could be; ...``."""
    names = [metric_title(name, study) for name in measured(study)]
    titles = " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
    costs = "; costs do not enter" if len(names) < len(study.objectives) else ""
    return (
        f"Hypervolume of {titles}, % of what there could be; from accuracy {REFERENCE.accuracy:g} "
        f"(reference point v{REFERENCE.version}){costs}"
    )


def history(study: Study, trainable: str | None = None) -> pd.DataFrame:
    """One row a trial that has ended, in order of their ends; of one ``trainable``, or of all.

    ``number``, ``trainable``, ``status``; ``trials``, ``gpu_hours`` and ``forward_equivalents``: how many had ended by
    then and what they had cost (running ones not counted); ``wall_hours`` that the study had run (``ran_seconds``), NaN
    if not known; ``hypervolume`` of their ``measured`` accuracies from ``REFERENCE``, a share of what
    there could be; ``gain`` over the row before. Failed, stopped, flagged and infeasible trials use budget and gain
    nothing. Empty for a study that has no accuracy among its objectives.
    """
    ended = _ended(study)
    ended = ended[ended["trainable"] == trainable] if trainable is not None else ended
    volumes = _volumes(_counted(study, ended))
    return pd.DataFrame(
        {
            **{name: ended[name].to_numpy() for name in ("number", "trainable", "status")},
            "trials": np.arange(1, len(ended) + 1),
            GPU_HOURS: ended[GPU_MINUTES].cumsum().to_numpy() / 60,
            FORWARD_EQUIVALENTS: ended[FORWARD_EQUIVALENTS].cumsum().to_numpy(),
            WALL_HOURS: ran_seconds_at(study, ended["ended"]) / 3600,
            HYPERVOLUME: volumes,
            "gain": np.diff(volumes, prepend=0.0),
        }
    )


def accuracies(study: Study) -> NDArray[np.float64]:
    """(n, k): the ``measured`` accuracies in the order of ``history``, NaN where a trial has none that counts."""
    return _counted(study, _ended(study))


def _ended(study: Study) -> pd.DataFrame:
    """The trials that have ended, with their costs, in order of their ends; none where nothing is ``measured``."""
    trials = with_costs(study)
    trials = trials[(trials["status"] != TrialStatus.RUNNING) & bool(measured(study))]
    return trials.sort_values(["ended", "number"])


def gains(study: Study) -> pd.DataFrame:
    """One row a trainable that has ended trials, in order of appearance.

    ``trials``, ``gpu_hours``; hypervolume as in ``history``: ``alone``, of its own trials; ``added``, the sum of what
    its trials gained when they ended, which favours who came first and adds up to the study's; ``lost_without``, what
    the study would lack without it, which counts only what no other trainable reached.
    """
    whole = history(study)
    total = _final(whole)
    rows = []
    for name, own in whole.groupby("trainable", sort=False):
        alone = history(study, str(name))
        others = replace(study, trials=study.trials[study.trials["trainable"] != name])
        rows.append(
            {
                "trainable": str(name),
                "trials": len(own),
                GPU_HOURS: float(alone[GPU_HOURS].iloc[-1]),
                ALONE: _final(alone),
                ADDED: float(own["gain"].sum()),
                LOST: total - _final(history(others)),
            }
        )
    return pd.DataFrame(rows, columns=["trainable", "trials", GPU_HOURS, ALONE, ADDED, LOST])


def _counted(study: Study, trials: pd.DataFrame) -> NDArray[np.float64]:
    counts = trials["number"].isin(study.credible["number"])
    values: NDArray[np.float64] = trials[measured(study)].astype("float64").where(counts, axis=0).to_numpy()
    return values


def _volumes(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n,) hypervolume of the first 1, 2, ... rows."""
    directions: list[Direction] = ["maximize"] * values.shape[1]
    reference = [REFERENCE.accuracy] * values.shape[1]
    found, best = np.zeros(len(values)), values[:0]
    for place, row in enumerate(values):
        best = np.vstack([best, row])
        best = best[non_dominated(best, directions)]
        found[place] = hypervolume(best, directions, reference)
    return found


def _final(path: pd.DataFrame) -> float:
    return float(path[HYPERVOLUME].iloc[-1]) if len(path) else 0.0
