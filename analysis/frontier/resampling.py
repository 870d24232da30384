"""Accuracies drawn anew: what each candidate might have shown with other seeds and other images.

A candidate is a trial of a search, or a configuration of a confirmation with all its seeds. Of k seeds each draw takes
k - 1 with replacement and averages them, which gives the mean's variance without bias (Rao and Wu 1988,
doi:10.1080/01621459.1988.10478591); one seed says nothing of others. The images are then drawn for that mean, once for
all seeds, because all seeds saw the same images: so seeds that agree do not make the images more.

An image is misclassified, classified right until an attack breaks it, or right under the attack, so that an accuracy
under a stronger attack never exceeds one under a weaker. The shares of these kinds are drawn from their Dirichlet
posterior with Jeffreys' prior, one half an image of each kind: a Bayesian bootstrap of the images, which also widens an
accuracy of 0 or 1. Clean and PGD accuracy of a draw thus go together as they do on images. That holds within a chain
(``metrics.chains``): accuracies of different heads are drawn for themselves. Candidates that recorded which images each
of them got right, and saw the same, are drawn together (``same_images``). Others, of older studies, are drawn
independently. They share their images all the same, so that their true differences vary less than drawn ones
and what they have in common more: probabilities from these draws are nearer to chance than they need be, and intervals
of hypervolumes too narrow.

Costs are exact, and so is an accuracy whose number of images is unknown.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analysis import labels
from analysis.frontier.confirmed import competing, confirms
from analysis.frontier.same_images import JEFFREYS, SOURCES, Seen, draw_together, seen
from analysis.reading.runs import PARAM, Study
from trainables.metrics import chains, counted_by, is_accuracy

DRAWS = 2000
"""A share of draws has a standard error of at most 1.2 percentage points."""
SEED = 0


class Candidate(NamedTuple):
    """``values`` (seeds, metrics); ``images`` (metrics,): the fewest that a seed was measured on, NaN if unknown.

    ``seen``: which images its accuracies among the metrics count as right, in the order of their ``chains``, where that
    is known.
    """

    name: str
    values: NDArray[np.float64]
    images: NDArray[np.float64]
    seen: Seen | None = None


def candidates(study: Study, metrics: Sequence[str]) -> list[Candidate]:
    """A search's trials by their ids, or a confirmation's configurations by the ids of the trials it confirms.

    Of them those that compete for a frontier over ``metrics`` (``confirmed.competing``).
    """
    rows = competing(study, metrics)
    names = _configurations(study, rows) if confirms(study) else rows["id"]
    values = rows[list(metrics)].to_numpy(dtype=float)
    images = np.column_stack([_images(rows, metric) for metric in metrics])
    places = {name: rows.index.get_indexer(found.index) for name, found in names.groupby(names, sort=False)}
    accuracies = [name for chain in chains(metrics) for name in chain]
    told = rows.reindex(columns=[*SOURCES, *accuracies])
    return [
        Candidate(str(name), values[own], images[own].min(axis=0), seen(study, told.iloc[own], accuracies))
        for name, own in places.items()
    ]


def _configurations(study: Study, rows: pd.DataFrame) -> pd.Series[str]:
    """Of each row; without those whose configuration is not known."""
    column = f"{PARAM}configuration"
    known = pd.to_numeric(rows[column], errors="coerce").dropna() if column in rows else pd.Series(dtype=float)
    return known.map(lambda number: f"{confirms(study)['study']}/{labels.trial_number(int(number))}").astype(str)


def _images(rows: pd.DataFrame, metric: str) -> NDArray[np.float64]:
    known = is_accuracy(metric) and counted_by(metric) in rows
    return rows[counted_by(metric)].to_numpy(dtype=float) if known else np.full(len(rows), np.nan)


def resample(found: Sequence[Candidate], metrics: Sequence[str], draws: int = DRAWS) -> NDArray[np.float64]:
    """(draws, candidates, metrics): ``metrics`` of each candidate, drawn anew; the same draws for the same study."""
    rng = np.random.default_rng(SEED)
    values = np.empty((draws, len(found), len(metrics)))
    nested = [[metrics.index(name) for name in chain] for chain in chains(metrics)]
    shares = []
    for place, candidate in enumerate(found):
        shares.append(_over_seeds(rng, len(candidate.values), draws))
        values[:, place] = shares[place] @ candidate.values
        for chain in nested if candidate.seen is None else ():
            if np.isfinite(images := candidate.images[chain]).all():
                values[:, place, chain] = _accuracies(rng, values[:, place, chain], [int(number) for number in images])
    accuracies, lengths = [place for chain in nested for place in chain], list(map(len, nested))
    for together in on_same_images(found):
        drawn = draw_together(rng, list(together.values()), [shares[place] for place in together], lengths, draws)
        for own, place in enumerate(together):
            values[:, place, accuracies] = drawn[:, own]
    return values


def on_same_images(found: Sequence[Candidate]) -> list[dict[int, Seen]]:
    """Those that are drawn together, by their places in ``found``."""
    groups: dict[tuple[str, int], dict[int, Seen]] = {}
    for place, candidate in enumerate(found):
        if candidate.seen is not None:
            groups.setdefault(candidate.seen[:2], {})[place] = candidate.seen
    return list(groups.values())


def sharing(found: Sequence[Candidate]) -> str:
    """`` (the same images for all)``, or for how many of ``found``; "" where all are drawn by themselves."""
    counts = [len(group) for group in on_same_images(found) if len(group) > 1]
    if not counts:
        return ""
    if counts == [len(found)]:
        return " (the same images for all)"
    return f" (the same images for {' and for '.join(map(str, counts))} of the {len(found)})"


def _over_seeds(rng: np.random.Generator, seeds: int, draws: int) -> NDArray[np.float64]:
    """(draws, seeds): the share that each has of a mean over those that were drawn."""
    chosen = rng.integers(seeds, size=(draws, max(seeds - 1, 1)))
    shares: NDArray[np.float64] = (chosen[:, :, None] == np.arange(seeds)).mean(axis=1)
    return shares


def _accuracies(rng: np.random.Generator, shares: NDArray[np.float64], images: Sequence[int]) -> NDArray[np.float64]:
    """Draws of ``shares`` (draws, k), weakest attack first; AutoAttack, the last, may have had fewer of the images."""
    fewest, most = min(images), max(images)
    drawn = _posterior(rng, shares, fewest)
    if fewest < most:
        of_all = [place for place, number in enumerate(images) if number == most]
        rest = _posterior(rng, shares[:, of_all], most - fewest)
        drawn[:, of_all] = (fewest * drawn[:, of_all] + (most - fewest) * rest) / most
    return drawn


def _posterior(rng: np.random.Generator, shares: NDArray[np.float64], images: int) -> NDArray[np.float64]:
    """Nested where the shares fall from one to the next; each for itself where they do not, as under weak attacks."""
    if (np.diff(shares, axis=1) > 0).any():
        return rng.beta(shares * images + JEFFREYS, (1 - shares) * images + JEFFREYS)
    kinds = -np.diff(shares, axis=1, prepend=1.0, append=0.0) * images + JEFFREYS
    drawn = rng.standard_gamma(kinds)
    drawn /= drawn.sum(axis=1, keepdims=True)
    kept: NDArray[np.float64] = 1.0 - np.cumsum(drawn[:, :-1], axis=1)
    return kept
