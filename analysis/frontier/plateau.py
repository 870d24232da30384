"""Whether a search still gains: what a quarter more of its trials would probably add to the hypervolume.

The *chance* is that of a smoothed bootstrap (Silverman and Young 1987, doi:10.1093/biomet/74.3.469): a quarter more
trials are drawn like those that there are and blurred by a normal kernel of ``WIDTH`` of Scott's width, as new ones may
be better than any. The share of such draws that add at least ``WORTH`` of the hypervolume is the chance.

A search that learns may gain more at its end than all its trials show. It is *climbing* if it gained ``WORTH`` in each
of the last two fifths of its trials and at most ``LEVEL`` of the random orders of its last half gain as much in the
last fifth as it did: its gain says more than the chance. One great gain alone is no climb: after it little is left.

How far chances come true ``benchmarks.levelling`` measures (results/README.md), on searches of other seeds than those
on which the width was chosen. Chances by random orders alone, without a blur, say nothing: they are high after a stroke
of luck, which is when little is left to gain.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from analysis import labels
from analysis.frontier.history import accuracies
from analysis.frontier.measured import searches
from analysis.frontier.pareto import REFERENCE, hypervolume, measured, non_dominated
from analysis.reading.runs import Study
from trainables.metrics import Direction

WORTH = 0.02
"""The gain that pays where nobody says another, as a share of the hypervolume that there is."""
LEVEL = 0.05
LIKELY, UNLIKELY = 0.5, 0.1
"""Chances from which more budget is likely, and up to which it is unlikely, to pay."""
FEWEST = 40
"""With fewer trials the last half is too short to tell anything from."""
WIDTH = 0.5
"""Chosen on simulated searches, at random and by TPE, so that chances come true on average."""
_DRAWS = 400
"""Of futures, and of orders."""
_SEED = 0
_TIE = 1e-12
_FEWEST_SPREAD = 3
"""So many accuracies have a spread that means something."""

Outlook = Literal["likely", "possible", "unlikely"]


@dataclass(frozen=True, kw_only=True)
class Plateau:
    """What a quarter more trials would probably bring."""

    trials: int
    """That the study has."""
    worth: float = WORTH
    """The gain that pays."""
    recent_gain: float
    """Of the last fifth of the trials, as a share of the hypervolume."""
    earlier_gain: float
    """Of the fifth before, as a share of the hypervolume then."""
    chance: float
    """That a quarter more trials gain at least ``worth``, if they are like those that there are."""
    late: float
    """Share of random orders whose last fifth gains as much as the study's."""

    @property
    def climbing(self) -> bool:
        return self.late <= LEVEL and min(self.recent_gain, self.earlier_gain) >= self.worth

    @property
    def outlook(self) -> Outlook:
        if self.climbing or self.chance >= LIKELY:
            return "likely"
        return "unlikely" if self.chance <= UNLIKELY and self.recent_gain < self.worth else "possible"

    @property
    def sentence(self) -> str:
        """For people, with the figures it rests on."""
        more, last = f"{self.trials // 4} more trials", f"the last {self.trials // 5}"
        recent = f"{labels.percent(self.recent_gain)} %"
        if self.climbing:
            return (
                f"The search is still climbing, so {more} are likely to pay: {last} added {recent} to the hypervolume, "
                f"more than chance explains, and as many before {labels.percent(self.earlier_gain)} %."
            )
        verdict = {"likely": "are likely to pay", "possible": "may pay", "unlikely": "are not likely to pay"}
        return (
            f"{more} {verdict[self.outlook]}: if they are like those so far, the chance that they add "
            f"{self.worth * 100:g} % or more to the hypervolume is {round(self.chance * 100)} %; {last} added {recent}."
        )


def plateau_sentence(study: Study) -> str:
    """Whether more budget is likely to pay; why that cannot be told where it cannot; "" where nothing is searched."""
    if not searches(study):
        return ""
    if not measured(study):
        return "Whether more budget would pay is told from accuracies, and none is an objective."
    values = accuracies(study)
    if len(values) < FEWEST or not np.isfinite(values).all(axis=1).any():
        return f"Too early to tell whether more budget would pay: that takes {FEWEST} trials, some of them trusted."
    return plateau(values).sentence


def plateau(values: NDArray[np.float64], worth: float = WORTH) -> Plateau:
    """Of accuracies (n, k) of the trials in the order of their ends, a row with NaN for one that gained nothing;
    ``worth``: the gain that pays.

    ``ValueError`` for fewer than ``FEWEST`` rows or without a finite one.
    """
    if len(values) < FEWEST or not np.isfinite(values).all(axis=1).any():
        raise ValueError(f"{len(values)} trials do not tell a plateau; it takes {FEWEST}, and a finite one")
    half, fifth = len(values) // 2, len(values) // 5
    before, recent = _frontier(values[:-half]), values[-half:]
    rng = np.random.default_rng(_SEED)
    total, then, earlier = (_volume(before, recent[: half - back]) for back in (0, fifth, 2 * fifth))
    unit = total or 1.0
    gained = (total - then) / unit
    orders = (rng.permutation(half)[fifth:] for _ in range(_DRAWS))
    shuffled = np.array([(total - _volume(before, recent[kept])) / unit for kept in orders])
    best = _frontier(values)
    futures = (_like(values, len(values) // 4, rng) for _ in range(_DRAWS))
    gains = np.array([(_volume(best, future) - total) / unit for future in futures])
    return Plateau(
        trials=len(values),
        worth=worth,
        recent_gain=float(gained),
        earlier_gain=float((then - earlier) / (then or 1.0)),
        chance=float(np.mean(gains >= worth)),
        late=float((1 + np.sum(shuffled >= gained - _TIE)) / (1 + _DRAWS)),
    )


def _like(values: NDArray[np.float64], trials: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """(trials, k) accuracies that might come after ``values`` (n, k); as many of them as there have NaN."""
    drawn = values[rng.integers(len(values), size=trials)]
    known = values[np.isfinite(values).all(axis=1)]
    if len(known) < _FEWEST_SPREAD:
        return drawn
    width = WIDTH * len(known) ** (-1 / (known.shape[1] + 4))
    spreads, axes = np.linalg.eigh(np.atleast_2d(np.cov(known, rowvar=False)))
    blur = rng.standard_normal(drawn.shape) * np.sqrt(spreads.clip(0)) @ axes.T
    blurred: NDArray[np.float64] = (drawn + width * blur).clip(0, 1)
    return blurred


def _frontier(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return values[non_dominated(values, _directions(values))]


def _volume(*values: NDArray[np.float64]) -> float:
    rows = np.concatenate(values)
    return hypervolume(rows, _directions(rows), [REFERENCE.accuracy] * rows.shape[1])


def _directions(values: NDArray[np.float64]) -> list[Direction]:
    return ["maximize"] * values.shape[1]
