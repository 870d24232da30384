"""Whether a search may end because more of its trials would add too little to the hypervolume.

It is asked after ``FEWEST`` trials and whenever a quarter more have ended, and ends at the second ``no`` in succession:
one alone is often luck. A function of the trials in the order of their ends, so that it is the same for who reads the
study as for who runs it, and after a restart.
"""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from analysis.frontier.history import accuracies
from analysis.frontier.plateau import FEWEST, plateau
from analysis.reading.runs import Study

MORE = 1.25
"""From one check to the next: a plateau speaks of a quarter more trials."""


def checks(trials: int) -> list[int]:
    """After how many of ``trials`` ended trials it is asked: 40, 50, 63, 79, ..."""
    found = [FEWEST]
    while found[-1] <= trials:
        found.append(math.ceil(found[-1] * MORE))
    return found[:-1]


EARLIEST = checks(2 * FEWEST)[1]
"""No search ends so before as many of its trials."""


def levelled(study: Study, worth: float) -> str | None:
    """Why a search that goes on while it is likely to gain ``worth`` ends; ``None`` if it goes on."""
    if (found := levelled_at(accuracies(study), worth)) is None:
        return None
    first, second = found
    gain = f"{worth * 100:g} % to the hypervolume"
    return f"after {first} trials and after {second} a quarter more were unlikely to add {gain}"


def levelled_at(values: NDArray[np.float64], worth: float) -> tuple[int, int] | None:
    """The two checks, by numbers of trials, that end a search with these accuracies (n, k) in the order of their ends;
    a row with NaN is of a trial that gained nothing."""
    verdicts = ((trials, _unlikely(values[:trials], worth)) for trials in checks(len(values)))
    return next(((first, second) for (first, before), (second, now) in pairwise(verdicts) if before and now), None)


def _unlikely(values: NDArray[np.float64], worth: float) -> bool:
    return bool(np.isfinite(values).all(axis=1).any()) and plateau(values, worth).outlook == "unlikely"
