"""Whether a search still gains: what a quarter more of its trials would probably add to the hypervolume.

Trials that a search draws without learning are exchangeable: any order of them was as likely. What the last fifth of
them adds to the rest is then what that fifth adds in a random order, on average, and going from four fifths to all is
the same growth, a quarter, as going on by a quarter. A search that learns is not exchangeable over its whole length but
more nearly so over its last half, so only that half is shuffled, behind the first half as it was. The *chance* is the
share of random orders in which their last fifth of the study's trials gains at least ``WORTH`` of the hypervolume. As
a hypervolume of random trials grows less and less, the chance is rather too high than too low.

A search that still learns gains more at its end than a random order would show. If at most ``LEVEL`` of the orders
gain as much in their last fifth as the search did in its own, the search is *climbing* and its gain says more than
the chance. For exchangeable trials that happens with probability ``LEVEL`` at most.

Errors, measured on simulated searches of 40, 60 and 150 trials on 1,000 images (150 each; ``tests/analysis`` repeats
some). Of searches with nothing but luck left to gain, which draw from the same few configurations or around one
optimum, 1 to 3 % were said to pay and half to four fifths not to. Of searches that climb steadily none was said to be
done; of those that climb by small random steps 10 to 13 % with 40 or 60 trials, and nearly half of these gained
``WORTH`` after all. So did 12 to 20 % of the random searches that were said to be done: chances come true on average,
but low ones are too low. A search that stopped to gain within its last quarter is not noticed yet.
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
"""With fewer trials the shuffled half is too short: of random searches of 25 that were said to be done, 32 % gained."""
_ORDERS = 400
_SEED = 0
_TIE = 1e-12

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
    chance: float
    """That a quarter more trials gain at least ``worth``, if trials go on as in the last half."""
    late: float
    """Share of random orders whose last fifth gains as much as the study's."""

    @property
    def climbing(self) -> bool:
        return self.late <= LEVEL and self.recent_gain >= self.worth

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
                "more than chance explains."
            )
        verdict = {"likely": "likely to pay", "possible": "a matter of luck", "unlikely": "not likely to pay"}
        return (
            f"{more} are {verdict[self.outlook]}: in {round(self.chance * 100)} % of random orders of the recent "
            f"trials {last} would have added {self.worth * 100:g} % or more to the hypervolume; in fact they added "
            f"{recent}."
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
    total = _volume(before, recent)
    unit = total or 1.0
    gained = (total - _volume(before, recent[:-fifth])) / unit
    orders = (rng.permutation(half)[fifth:] for _ in range(_ORDERS))
    shuffled = np.array([(total - _volume(before, recent[kept])) / unit for kept in orders])
    return Plateau(
        trials=len(values),
        worth=worth,
        recent_gain=float(gained),
        chance=float(np.mean(shuffled >= worth)),
        late=float((1 + np.sum(shuffled >= gained - _TIE)) / (1 + _ORDERS)),
    )


def _frontier(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return values[non_dominated(values, _directions(values))]


def _volume(*values: NDArray[np.float64]) -> float:
    rows = np.concatenate(values)
    return hypervolume(rows, _directions(rows), [REFERENCE.accuracy] * rows.shape[1])


def _directions(values: NDArray[np.float64]) -> list[Direction]:
    return ["maximize"] * values.shape[1]
