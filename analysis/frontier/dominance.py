"""How sure it is that a trial or a configuration stands on the frontier."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from analysis.frontier.pareto import non_dominated
from analysis.frontier.resampling import candidates, resample
from analysis.reading.runs import Study
from trainables.metrics import Direction, direction


def chances(study: Study, metrics: Sequence[str] = ()) -> dict[str, float]:
    """The probability that no other candidate dominates, by name: of a search a trial's id, of a confirmation the id
    of the trial that is confirmed.

    Over ``metrics``, the study's objectives if none are named. Candidates and their draws are ``resampling``'s: what is
    flagged, beyond the study's bounds or lacks a metric neither competes nor is named. A trial of a search was trained
    with one seed, so its probability is of the network that it trained, not of its configuration.
    """
    names = list(metrics or study.objectives)
    found = candidates(study, names)
    shares = share_non_dominated(resample(found, names), [direction(name) for name in names])
    return dict(zip([candidate.name for candidate in found], shares.tolist(), strict=True))


def share_non_dominated(values: NDArray[np.float64], directions: Sequence[Direction]) -> NDArray[np.float64]:
    """Of ``values`` (draws, n, k): in which share of draws each of the n (n,) is not dominated by any other."""
    counts = np.zeros(values.shape[1])
    for draw in values:
        counts += non_dominated(draw, directions)
    return counts / len(values)
