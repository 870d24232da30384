"""What stands out of a search: best trials at an end of what was searched, values at which trials go wrong.

A search that learns gathers its trials, and late ones are better than early ones for many reasons, so a value that late
trials share by accident looks good. Trials are therefore compared with those about them alone, in blocks of ``BLOCK``
one after the other: within a block a setting that matters not is as likely to be found with any outcome (van
Elteren's test for ranks, the exact test of Mantel and Haenszel for yes and no). What is told is what chance does not
explain at ``LEVEL`` over all that is looked at together (Bonferroni).

Errors, measured on simulated searches of 40, 60 and 150 trials over six settings, two of which matter (100 searches
each of TPE and at random; ``tests/analysis`` repeats some). Where the best lies within all ranges, an end was named in
4, 4 and 1 % of the searches of TPE (by a test against even draws alone, in a third to three fifths of them) and in 2, 0
and 1 % of those at random; where it lies beyond an end, that end in all of TPE's and in 76, 85 and 97 %. Of a value of
which 60 % of the trials were flagged, and 5 % elsewhere, 17, 45 and 87 % of TPE's searches told, which avoid it, and
67, 95 and 100 % of those at random (60 each); another value was named in at most 2 %.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analysis import labels
from analysis.frontier.measured import searches
from analysis.frontier.pareto import measured, non_dominated
from analysis.progress.breakdowns import breakdowns
from analysis.reading.runs import PARAM, Study
from analysis.schema import TrialStatus
from analysis.searched.dimensions import parameters, range_words, stated_range
from analysis.searched.importance import BEST, FEWEST, FEWEST_BEST

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

    from analysis.searched.parts import Part

END = 0.1
"""The share of a range that is its end, at most: one value may be more."""
LEVEL = 0.05
BLOCK = 5
"""Trials that are compared with one another."""
LEAST = 3
"""Trials that must have gone wrong, and that must not, before anything is made of it."""
MOST = 2
"""Dimensions that are named for one thing that went wrong, the surest first."""


@dataclass(frozen=True)
class _Parameter:
    """What the search drew, with the trials that have it."""

    name: str
    values: pd.Series[Any]
    """By the index of ``Study.trials``; missing where a trial has none."""
    distribution: BaseDistribution


def notable(study: Study) -> list[str]:
    """A sentence each; none where nothing stands out, or where nothing is searched."""
    if not searches(study):
        return []
    found = list(_parameters(study))
    return [*_at_ends(study, found), *_gone_wrong(study, found)]


def _parameters(study: Study) -> Iterator[_Parameter]:
    """Those whose range the manifest tells, and of which a trial has a value."""
    from analysis.searched.distributions import distribution, plain

    for name in parameters(study):
        if name in study.params and len(drawn := study.trials[PARAM + name].dropna()):
            found = distribution(stated_range(study, name), drawn.tolist())
            yield _Parameter(name, drawn.map(plain).reindex(study.trials.index), found)


def _at_ends(study: Study, searched: list[_Parameter]) -> Iterator[str]:
    """Where half of the best or more lie at an end of a range of numbers, and trials become better towards it."""
    from analysis.searched.parts import ends

    looked = [(one, pair) for one in searched if (pair := ends(one.name, one.distribution, END))]
    for one, pair in looked:
        trials = study.credible[one.values[study.credible.index].notna()]
        fronts = _fronts(study, trials)
        if len(fronts) < FEWEST:
            continue
        values, best = one.values[fronts.index].astype(float), _best(fronts)
        rising = _towards(values, -fronts)
        for end, part, likely in zip(("low", "high"), pair, (-rising, rising), strict=True):
            count = int(part.of(one.values[best]).sum())
            if 2 * count >= len(best) and _normal_tail(likely) <= LEVEL / (2 * len(looked)):
                yield _at_end(study, one, end, part, f"{count} of the {len(best)} best in accuracy")


def _at_end(study: Study, one: _Parameter, end: str, part: Part, counted: str) -> str:
    stated, where = stated_range(study, one.name), f"space.{one.name}"
    if "choices" in stated.get("attributes", {}):
        extreme = {"low": "smallest", "high": "largest"}[end]
        return (
            f"{counted} have {one.name} {part.words}, the {extreme} of {range_words(one.name, stated)}: a value beyond "
            f"({where}) may be better."
        )
    return (
        f"{counted} have {one.name} {part.words}, at the {'lower' if end == 'low' else 'upper'} end of "
        f"{range_words(one.name, stated)}: a range that goes on there ({where}.{end}) may hold better."
    )


def _fronts(study: Study, trials: pd.DataFrame) -> pd.Series[int]:
    """By ``trials``' index, in their order, the front in accuracy on which each stands, the best 0. Costs are left out:
    the cheapest trials lie at the ends that make them cheap."""
    names = measured(study)
    left: pd.DataFrame = trials[names].astype(float)
    left = left[np.isfinite(left.to_numpy()).all(axis=1) & bool(names)]
    found = pd.Series(0, index=left.index)
    while len(left):
        first = non_dominated(left.to_numpy(dtype=float), ["maximize"] * len(names))
        left = left[~first]
        found[left.index] += 1
    return found


def _best(fronts: pd.Series[int]) -> pd.Index[Any]:
    """The first fronts, until they are a share ``BEST`` of the trials, at least ``FEWEST_BEST``."""
    wanted = max(FEWEST_BEST, math.ceil(BEST * len(fronts)))
    last = fronts.sort_values().iloc[wanted - 1]
    return fronts.index[fronts <= last]


def _towards(values: pd.Series[float], good: pd.Series[int]) -> float:
    """By how many standard deviations trials are better where ``values`` are larger, within blocks; 0 if none tells."""
    covariance, variance = 0.0, 0.0
    for block in _blocks(len(values)):
        one, other = (_centred_ranks(given.iloc[block]) for given in (values, good))
        covariance += float(one @ other)
        variance += float(one @ one) * float(other @ other) / max(len(one) - 1, 1)
    return covariance / math.sqrt(variance) if variance else 0.0


def _centred_ranks(values: pd.Series[Any]) -> NDArray[np.float64]:
    ranks = values.rank().to_numpy(dtype=float)
    found: NDArray[np.float64] = ranks - ranks.mean()
    return found


def _blocks(count: int) -> list[slice]:
    """Of trials one after the other; the last has what is left, too."""
    whole = max(count // BLOCK, 1)
    return [slice(place * BLOCK, None if place == whole - 1 else (place + 1) * BLOCK) for place in range(whole)]


def _gone_wrong(study: Study, searched: list[_Parameter]) -> Iterator[str]:
    """Values at which more trials failed, broke down, missed the bounds or were flagged than elsewhere."""
    finished = study.finished
    ended = study.trials[study.standings.isin([TrialStatus.FINISHED, TrialStatus.FAILED])]
    cases = {
        "failed": ended["status"] == TrialStatus.FAILED,
        "broke down in training": ended["number"].isin(breakdowns(study)["trial"]),
        "missed the study's bounds": finished["violation"] != "",
        "were flagged": finished["verdict"].map(labels.is_flagged).astype(bool),
    }
    for words, hit in cases.items():
        yield from _more_often(words, hit, searched)


def _more_often(words: str, hit: pd.Series[bool], searched: list[_Parameter]) -> Iterator[str]:
    from analysis.searched.parts import parts

    if min(int(hit.sum()), int((~hit).sum())) < LEAST:
        return
    looked = [(one.name, part, one.values[hit.index]) for one in searched for part in parts(one.name, one.distribution)]
    surest: dict[str, tuple[float, str]] = {}
    for name, part, values in looked:
        known = values.notna()
        bad, inside = hit[known].to_numpy(dtype=bool), part.of(values[known]).to_numpy(dtype=bool)
        chance = _coincidence(bad, inside)
        if chance <= LEVEL / len(looked) and chance < surest.get(name, (1.0, ""))[0]:
            surest[name] = chance, _so_many(words, f"{name} {part.words}", bad, inside)
    yield from (sentence for _, sentence in sorted(surest.values())[:MOST])


def _so_many(words: str, where: str, bad: NDArray[np.bool_], inside: NDArray[np.bool_]) -> str:
    trials = labels.counted(int(inside.sum()), "trial")
    return f"{bad[inside].sum()} of {trials} with {where} {words}, of others {bad[~inside].sum()} of {(~inside).sum()}."


def _coincidence(bad: NDArray[np.bool_], inside: NDArray[np.bool_]) -> float:
    """The chance that as many trials are both as are, or more, if within blocks either goes with anything."""
    chances = np.ones(1)
    for block in _blocks(len(bad)):
        one, other, total = int(bad[block].sum()), int(inside[block].sum()), len(bad[block])
        both = [math.comb(one, k) * math.comb(total - one, other - k) if k <= other else 0 for k in range(one + 1)]
        chances = np.convolve(chances, np.array(both, dtype=float) / math.comb(total, other))
    return float(chances[int((bad & inside).sum()) :].sum())


def _normal_tail(deviations: float) -> float:
    return math.erfc(deviations / math.sqrt(2)) / 2
