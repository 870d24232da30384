"""Which trials of a study are worth confirming: its frontier, or some of it by a stated rule."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analysis import labels
from analysis.frontier.dominance import chances
from analysis.frontier.pareto import best, frontier, in_order
from analysis.reading.runs import CONFIG, Study, number_or_nan

SPREAD = (
    "the best in each objective, then always the trial farthest from those taken, objectives scaled to the frontier"
)
"""The rule of ``spread`` in words."""


def configurations(study: Study, chance: float | None = None) -> pd.DataFrame:
    """The frontier, each configuration once: of trials that differ in the seed alone the first stands for all.

    With ``chance``, a share, also those that stand on it as probably as that (``dominance.chances``). Columns and order
    as ``pareto.frontier`` has.
    """
    found = frontier(study)
    if chance is not None:
        near = study.credible[study.credible["id"].map(chances(study)) >= chance]
        found = in_order(study, pd.concat([found, near]).drop_duplicates("number"))
    settings = [name for name in map(str, found) if name.startswith(CONFIG) and name != f"{CONFIG}seed"]
    return found[~found[settings].astype(str).duplicated()].reset_index(drop=True)


def flagged_on_frontier(study: Study) -> list[tuple[int, str]]:
    """Numbers and verdicts of the flagged trials that would be on the frontier if they were believed."""
    believed = best(study, study.feasible)
    flagged = believed[believed["verdict"].map(labels.is_flagged).astype(bool)]
    return list(zip(map(int, flagged["number"]), map(str, flagged["verdict"]), strict=True))


def spread(found: pd.DataFrame, objectives: Sequence[str], directions: Sequence[str], count: int) -> pd.DataFrame:
    """``count`` rows of a frontier ``found``, chosen by the rule ``SPREAD``, in its order."""
    if count >= len(found):
        return found
    scaled = _scaled(found[list(objectives)].to_numpy(dtype=float), directions)
    taken = list(dict.fromkeys(int(scaled[:, column].argmax()) for column in range(len(objectives))))[:count]
    while len(taken) < count:
        distances = np.linalg.norm(scaled[:, None] - scaled[taken], axis=2).min(axis=1)
        distances[taken] = -1.0
        taken.append(int(distances.argmax()))
    return found.iloc[sorted(taken)].reset_index(drop=True)


def largest_seed(study: Study) -> int:
    """The largest seed that any trial of ``study`` has; -1 without one."""
    return int(max((number_or_nan(seed) for seed in study.trials["seed"].dropna()), default=-1))


def _scaled(values: NDArray[np.float64], directions: Sequence[str]) -> NDArray[np.float64]:
    """Each objective from 0, its worst on the frontier, to 1, its best; all 0 where it does not vary."""
    gains = values * np.where([direction == "maximize" for direction in directions], 1.0, -1.0)
    span = np.ptp(gains, axis=0)
    scaled: NDArray[np.float64] = (gains - gains.min(axis=0)) / np.where(span > 0, span, 1.0)
    return scaled
