"""Which searched dimensions decide an objective, and which decide what stands on the frontier."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analysis import labels
from analysis.reading.runs import Study
from analysis.reading.titles import metric_title
from analysis.searched.dimensions import TRAINABLE, dimensions, parameter, stated_range

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

    from analysis.searched.ped_anova import Pool

FRONTIER = "frontier"
"""What stands for all objectives at once."""
BEST = 0.1
"""The share of best trials that importances are about."""
FEWEST_BEST = 5
FEWEST = 20
"""Trials below which there are no importances: of fewer, ``FEWEST_BEST`` would be no longer the best."""
RESAMPLES = 100
_DRAWN = 10_000
"""Trials drawn in all resamples together, as far as that leaves ``_LEAST_RESAMPLES``: a large study has less need."""
_LEAST_RESAMPLES = 40
_COLUMNS = ("trainable", "objective", "dimension", "share", "low", "high", "trials")


class _Group(NamedTuple):
    """Trials compared with one another, and the dimensions that vary among them."""

    trainable: str
    trials: pd.DataFrame
    dimensions: pd.DataFrame


class _Case(NamedTuple):
    """One objective of one group."""

    objective: str
    place: int | None
    """Among the study's objectives; ``None``: the frontier."""
    trials: int
    quantile: float
    obstacle: str
    """Why there are no importances, in words; "" if there are."""


def importances(study: Study) -> pd.DataFrame:
    """A row a trainable, objective and dimension, the most important first.

    ``trainable`` (``labels.ALL_TRAINABLES`` first where there are several), ``objective`` (``FRONTIER``, absent with
    one objective, then the objectives), ``dimension``, ``share``, ``low``, ``high``, ``trials`` (compared).

    A dimension's importance is PED-ANOVA's: how much its distribution among the best trials departs from that among
    all. The best are a share ``BEST`` of them, at least ``FEWEST_BEST``, in the objective's own direction; for the
    frontier by rank of non-domination. ``share`` is the importance divided by the sum over the dimensions of the same
    trainable and objective, so shares of one such set sum to 1 and say nothing of how much the dimensions decide
    together. Of all trainables it is the whole conditional space, in which the trainable is a dimension, and each
    other dimension counts within the trials and the range that it has.

    ``low`` and ``high``: 95 % percentile interval over resamples of the trials with replacement, from a fixed seed,
    widened to the share where resampling moved it to one side. Trials count if they finished within the study's
    bounds, unflagged, with the objective measured; what has too few is left out, see ``why_no_importances``.
    """
    rows = [row for group in _groups(study) for row in _rows(study, group)]
    return pd.DataFrame(rows, columns=list(_COLUMNS)).astype({"share": float, "low": float, "high": float})


def why_no_importances(study: Study) -> str:
    """What has no importances and why, in sentences; "" if nothing lacks them."""
    groups = _groups(study)
    if not groups:
        return "No trial has finished within the bounds and unflagged, so there are no importances yet."
    if not any(_is_large(group) for group in groups):
        groups = [groups[0]._replace(trainable="any trainable")] if len(groups) > 1 else groups
    return " ".join(sentence for group in groups for sentence in _sentences(study, group))


def _is_large(group: _Group) -> bool:
    """Whether it has trials enough; the trainables of one that is not have not, either."""
    return len(group.trials) >= FEWEST


def ranking(study: Study) -> list[str]:
    """The searched dimensions, those most important for the frontier first; as searched where that is not known."""
    names = list(map(str, dimensions(study)))
    for group in _groups(study)[:1]:
        case = next(_cases(study, group))
        if not case.obstacle:
            once = [np.arange(len(group.trials))]
            found = _pool(study, group).importances(once, {case.place: case.quantile})[case.place]
            names.sort(key=lambda name: -found[name][0] if name in found else 0.0)
    return names


def objective_title(name: str, study: Study) -> str:
    return "Frontier" if name == FRONTIER else metric_title(name, study)


def _groups(study: Study) -> list[_Group]:
    """All trials and those of each trainable, or of the only trainable; flagged ones stand on no frontier."""
    counted = study.credible
    searched = dimensions(study).loc[counted.index]
    chosen = [(str(name), rows.index) for name, rows in counted.groupby("trainable")]
    groups = [_group(name, counted.loc[index], searched.loc[index]) for name, index in chosen]
    if len(groups) > 1:
        groups.insert(0, _group(labels.ALL_TRAINABLES, counted, searched.assign(**{TRAINABLE: counted["trainable"]})))
    return groups


def _group(name: str, trials: pd.DataFrame, searched: pd.DataFrame) -> _Group:
    return _Group(name, trials, searched[[column for column in searched if searched[column].nunique() > 1]])


def _cases(study: Study, group: _Group) -> Iterator[_Case]:
    names = list(study.objectives)
    signs = [-1.0 if direction == "maximize" else 1.0 for direction in study.objectives.values()]
    losses = group.trials[names].to_numpy(dtype=float) * signs
    for place in [None, *range(len(names))] if len(names) > 1 else [0]:
        wanted = losses if place is None else losses[:, [place]]
        counted = wanted[np.isfinite(wanted).all(axis=1)]
        quantile = max(BEST, FEWEST_BEST / max(len(counted), FEWEST))
        obstacle = _obstacle(group, counted, quantile)
        yield _Case(FRONTIER if place is None else names[place], place, len(counted), quantile, obstacle)


def _obstacle(group: _Group, losses: NDArray[np.float64], quantile: float) -> str:
    if len(losses) < FEWEST:
        few = f"{labels.counted(len(losses), 'trial')} {'counts' if len(losses) == 1 else 'count'}"
        return f"{few} (finished within the bounds, unflagged, measured), {FEWEST} are wanted"
    if len(group.dimensions.columns) < 2:
        return "fewer than two searched dimensions vary"
    cutoff = np.quantile(losses, quantile, axis=0, method="inverted_cdf")
    return "the best trials are all equal, and so are the others" if (losses <= cutoff).all() else ""


def _sentences(study: Study, group: _Group) -> list[str]:
    """One a reason; it names the objectives unless it holds for all."""
    cases = list(_cases(study, group))
    found = []
    for obstacle in dict.fromkeys(case.obstacle for case in cases if case.obstacle):
        hit = [objective_title(case.objective, study) for case in cases if case.obstacle == obstacle]
        which = "" if len(hit) == len(cases) else f" ({', '.join(hit)})"
        found.append(f"No importances of {group.trainable}{which}: {obstacle}.")
    return found


def _rows(study: Study, group: _Group) -> list[dict[str, Any]]:
    cases = [case for case in _cases(study, group) if not case.obstacle]
    if not cases:
        return []
    shares = _shares(study, group, cases)
    rows = []
    for case in cases:
        share, *drawn = shares[case.place]
        low, high = np.nanquantile(drawn, [0.025, 0.975], axis=0)
        for index in np.argsort(-share, kind="stable"):
            ends = min(low[index], share[index]), max(high[index], share[index])
            figures = (group.dimensions.columns[index], share[index], *ends, case.trials)
            rows.append(dict(zip(_COLUMNS, (group.trainable, case.objective, *figures), strict=True)))
    return rows


def _shares(study: Study, group: _Group, cases: list[_Case]) -> dict[int | None, NDArray[np.float64]]:
    """By the cases' places, a row for the trials themselves and one a resample, a column a dimension of the group."""
    pool, count = _pool(study, group), len(group.trials)
    generator = np.random.default_rng(0)
    resamples = max(_LEAST_RESAMPLES, min(RESAMPLES, _DRAWN // count))
    draws = [np.arange(count), *(generator.integers(count, size=count) for _ in range(resamples))]
    found = pool.importances(draws, {case.place: case.quantile for case in cases})
    return {place: _normalised(np.array([of[str(name)] for name in group.dimensions]).T) for place, of in found.items()}


def _normalised(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Each row divided by its sum; NaN if that is 0."""
    total = values.sum(axis=1, keepdims=True)
    found: NDArray[np.float64] = values / np.where(total > 0, total, np.nan)
    return found


def _pool(study: Study, group: _Group) -> Pool:
    from analysis.searched.distributions import plain
    from analysis.searched.ped_anova import Pool

    ranges = _ranges(study, group)
    params = [
        {str(name): plain(value) for name, value in row.items() if not pd.isna(value)}
        for row in group.dimensions.to_dict("records")
    ]
    found = [
        {name: ranges[trainable, name] for name in row}
        for trainable, row in zip(group.trials["trainable"], params, strict=True)
    ]
    values = group.trials[list(study.objectives)].to_numpy(dtype=float)
    return Pool(params, found, values, list(study.objectives.values()))


def _ranges(study: Study, group: _Group) -> dict[tuple[str, str], BaseDistribution]:
    """By trainable and dimension; trainables that share a parameter share its range."""
    from analysis.searched.distributions import distribution

    searched = dimensions(study).assign(**{TRAINABLE: study.trials["trainable"]})
    owners = {str(name): rows for name, rows in searched.groupby(study.trials["trainable"])}
    found: dict[tuple[str, str], BaseDistribution] = {}
    for name in map(str, group.dimensions):
        parameters = {owner: parameter(study, owner, name) for owner in owners}
        for own in dict.fromkeys(parameters.values()):
            sharing = [owner for owner, its in parameters.items() if its == own]
            values = pd.concat([owners[owner][name] for owner in sharing]).dropna()
            if len(values):
                stated = distribution(stated_range(study, own), values.tolist())
                found |= {(owner, name): stated for owner in sharing}
    return found
