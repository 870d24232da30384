"""Searches set against each other, each run several times with other seeds: how much one finds above another.

What a run found is its hypervolume when it had spent the least that any of the runs spent; of a confirmation, which
searches nothing, that of its means over seeds. Runs of one search differ by luck: of the draws, of training, of the
best among many that were measured on few images. Their spread says by how much another run would differ, which no
redraw of one run's images can. Of 6,400 pairs of one and the same random search of 12 or 30 recorded trials, 2 to 10
runs a side, 4 % were told apart in 95 % intervals; single runs by such redraws in 33 to 75 % of pairs.

Runs of equal seed draw the same configurations as far as their searches agree, and rise and fall together. Random
searches of 24 seeds with and without early stopping had a correlation of 0.9; TPE, which begins at random, one of 1.0
with random search after 10 trials, 0.6 after 20, 0.2 after 40. So where two searches ran the same seeds, the interval
is that of the pairs; other runs are independent, and the interval is Welch's.

All runs are measured on the same images: what other images would show is in none of it.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Sequence
from typing import NamedTuple

from analysis.comparing.same_search import check_runs, seed_of
from analysis.comparing.side_by_side import Side, equal_work, gather, reached, volume
from analysis.frontier.measured import searches
from analysis.frontier.uncertainty import LEVEL, Interval, paired, student, welch
from analysis.reading.runs import Study
from trainables.config import UserError


class Run(NamedTuple):
    """``hypervolume`` at its end; ``equal``: when it had spent what every run spent, NaN of a confirmation."""

    study: str
    seed: object
    finished: int
    gpu_minutes: float
    forward_equivalents: float
    hypervolume: float
    equal: float


class Repeated(NamedTuple):
    """One search's runs, one or more. Intervals are over them."""

    name: str
    runs: tuple[Run, ...]
    hypervolume: Interval
    equal: Interval

    @property
    def seeds(self) -> list[object]:
        return [run.seed for run in self.runs]

    @property
    def found(self) -> list[float]:
        """What is compared, by run."""
        return [run.hypervolume if math.isnan(run.equal) else run.equal for run in self.runs]


class Difference(NamedTuple):
    """How much hypervolume ``one`` finds above ``other``; infinite ends where either ran but once."""

    one: str
    other: str
    paired: bool
    gain: Interval

    @property
    def told_apart(self) -> bool:
        return self.gain.low > 0 or self.gain.high < 0


class Repeats(NamedTuple):
    """``work``: the ``cost`` of the equal hypervolumes, NaN where nothing searches."""

    searches: tuple[Repeated, ...]
    cost: str
    work: float
    level: float
    """Of each difference's interval: all of them hold together in 95 % of the cases (Bonferroni)."""
    differences: tuple[Difference, ...]


def compute(groups: Sequence[Sequence[Study]], accuracies: Sequence[str]) -> Repeats:
    """Of ``groups`` of studies, each the runs of one search, in their order; differences of each pair of them.

    ``UserError`` for a group whose studies are no runs of one search, and for a run that has not begun to find.
    """
    for group in groups:
        check_runs(group)
    every = gather(list(itertools.chain(*groups)), accuracies)
    left = iter(every)
    sides = [list(itertools.islice(left, len(group))) for group in groups]
    work = equal_work(every)
    _check_spent(groups, sides, work)
    names = group_names([[study.name for study in group] for group in groups])
    found = tuple(_repeated(*one, work) for one in zip(names, groups, sides, strict=True))
    pairs = list(itertools.combinations(found, 2))
    several = sum(len(one.runs) > 1 for one in found)
    level = 1 - (1 - LEVEL) / max(math.comb(several, 2), 1)
    return Repeats(found, every[0].cost, work, level, tuple(difference(*pair, level) for pair in pairs))


def difference(one: Repeated, other: Repeated, level: float = LEVEL) -> Difference:
    """Of what their runs found for equal work."""
    if _in_pairs(one, other):
        partners = dict(zip(other.seeds, other.found, strict=True))
        gain = paired(one.found, [partners[seed] for seed in one.seeds], level)
        return Difference(one.name, other.name, True, gain)
    return Difference(one.name, other.name, False, welch(one.found, other.found, level))


def group_names(groups: Sequence[Sequence[str]]) -> list[str]:
    """``tpe`` for ``tpe-0``, ``tpe-1``: what the names begin with; all of them where that is nothing, or another's."""
    short = [group[0] if len(group) == 1 else re.sub(r"[-_.]?\d*$", "", _beginning(group)) for group in groups]
    whole = [",".join(group) for group in groups]
    return [name if name and short.count(name) == 1 else all_ for name, all_ in zip(short, whole, strict=True)]


def _beginning(names: Sequence[str]) -> str:
    """That all have."""
    alike = itertools.takewhile(lambda letters: len(set(letters)) == 1, zip(*names, strict=False))
    return "".join(letters[0] for letters in alike)


def _in_pairs(one: Repeated, other: Repeated) -> bool:
    """A seed that is not known is nobody's partner."""
    known = None not in one.seeds
    return known and len(one.runs) == len(other.runs) > 1 and set(one.seeds) == set(other.seeds)


def _repeated(name: str, studies: Sequence[Study], sides: Sequence[Side], work: float) -> Repeated:
    runs = tuple(_run(study, side, work) for study, side in zip(studies, sides, strict=True))
    return Repeated(
        name=name,
        runs=runs,
        hypervolume=student([run.hypervolume for run in runs]),
        equal=student([run.equal for run in runs]),
    )


def _check_spent(groups: Sequence[Sequence[Study]], sides: Sequence[Sequence[Side]], work: float) -> None:
    """``UserError`` for a run that has nothing to show for work that others spent."""
    runs = zip(itertools.chain(*groups), itertools.chain(*sides), strict=True)
    idle = [study.name for study, side in runs if math.isnan(reached(side.path, work)) and searches(study)]
    if idle and not math.isnan(work):
        raise UserError(f"{', '.join(idle)}: no trial has ended, and others are compared at equal work; leave it out")


def _run(study: Study, side: Side, work: float) -> Run:
    return Run(
        study=study.name,
        seed=seed_of(study),
        finished=side.finished,
        gpu_minutes=side.gpu_minutes,
        forward_equivalents=side.forward_equivalents,
        hypervolume=volume(side),
        equal=reached(side.path, work),
    )
