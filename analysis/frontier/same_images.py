"""Accuracies drawn anew where candidates were measured on the same images: the images are drawn once for all of them.

Each draw weighs the images by Dirichlet(1, ..., 1): the Bayesian bootstrap (Rubin 1981, doi:10.1214/aos/1176345338).
An image that two candidates both get right, or both wrong, then moves neither above the other: the difference of two
accuracies varies as McNemar's (1947, doi:10.1007/BF02295996), by the images that one of them alone gets right.

Images alone would make a candidate sure to be better that is so on a single image, and an accuracy of 0 or 1 certain.
So each candidate has half an image more of each kind (``resampling``), in each chain of accuracies, that no other has.
One accuracy alone is thus
drawn from the same Beta as without outcomes, and of b and c images that one of two candidates alone gets right, about
half an image more stands on either side, as Jeffreys' prior has it. Candidates with the same outcome on every image
share them, too: nothing tells them apart, and none is better than the other in any draw.

In simulated searches of 20 and 60 trials on 1,000 and 5,000 images that are hard for all alike (correlation 0.5 and
0.8), 95 to 99 % of the trials stood on the true frontier whose chance of it was above 90 %: 1.2 to 2.7 times as many
trials as where each trial's images were drawn by themselves (`benchmarks/uncertainty.py`, figures in `results/`).
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analysis.reading.runs import CONFIG, Study, number_or_nan
from trainables.metrics import ACCURACIES, AUTO_ATTACK_IMAGES, is_of_auto_attack, of_head
from trainables.outcomes import Outcomes, packed

JEFFREYS = 0.5
"""Images of each kind, beside those that were measured."""
_BLOCK = 1024
"""Images whose weights are held at once: 16 MB for 2,000 draws."""
_ROUNDING = 1e-9
SOURCES = ("id", f"{CONFIG}evaluation.head", f"{CONFIG}evaluation.epsilon")
"""What ``seen`` reads of a trial beside its accuracies."""


class Seen(NamedTuple):
    """A candidate's outcomes on ``images`` images of one ``identity``, packed as those of ``Outcomes``.

    ``right`` (seeds, accuracies, bytes); ``counted`` (accuracies, bytes): which images each accuracy is of.
    """

    identity: str
    images: int
    right: NDArray[np.uint8]
    counted: NDArray[np.uint8]

    def shares(self) -> NDArray[np.float64]:
        """(counted images,) Of the first accuracy, by how many of the seeds each is classified right."""
        right, counted = np.unpackbits(self.right[:, 0], axis=1), np.unpackbits(self.counted[0]).astype(bool)
        return np.asarray(right[:, counted].mean(axis=0))

    def accuracies(self) -> list[float]:
        """The first one, by seed."""
        shares = np.bitwise_count(self.right[:, 0]).sum(axis=1) / np.bitwise_count(self.counted[0]).sum()
        return [float(share) for share in shares]


def paired(one: Seen, other: Seen) -> bool:
    """Whether both are of the same images, one by one."""
    same = (one.identity, one.images) == (other.identity, other.images)
    return same and bool(np.array_equal(one.counted, other.counted))


def seen(study: Study, trials: pd.DataFrame, accuracies: Sequence[str]) -> Seen | None:
    """Of a candidate's ``trials``, one a seed; ``accuracies``, or other figures of a head, weakest attack first.

    ``None`` where a trial has recorded no outcomes, other images' than another seed, or such as do not make the
    accuracies that it has.
    """
    found = [_recorded(study, trial, accuracies) for trial in trials.to_dict("records")]
    sound = [one for one in found if one is not None]
    if not accuracies or not sound or len(sound) < len(found) or not all(paired(one, sound[0]) for one in sound):
        return None
    return sound[0]._replace(right=np.concatenate([one.right for one in sound]))


def draw_together(
    rng: np.random.Generator,
    found: Sequence[Seen],
    shares: Sequence[NDArray[np.float64]],
    chains: Sequence[int],
    draws: int,
) -> NDArray[np.float64]:
    """(draws, candidates, accuracies): those of candidates that have seen the same images.

    ``shares``: for each (draws, seeds), the part that a seed has in the candidate's mean. ``chains``: of how many
    accuracies each chain is (``metrics.chains``), one after the other.
    """
    rows = np.concatenate([np.concatenate([*one.right, one.counted]) for one in found])
    distinct, places = np.unique(rows, axis=0, return_inverse=True)
    weights = _weights(rng, distinct, found[0].images, draws)
    own = np.split(places.ravel(), np.cumsum([one.right[..., 0].size + len(one.counted) for one in found[:-1]]))
    kinds = sum(chains) + len(chains)
    more = {at.tobytes(): _more(rng.standard_gamma(JEFFREYS, (draws, kinds)), chains) for at in own}
    drawn = []
    for share, at in zip(shares, own, strict=True):
        *right, counted = np.split(at, share.shape[1] + 1)
        means = np.einsum("ds,dsk->dk", share, weights[:, right])
        more_right, more_counted = more[at.tobytes()]
        drawn.append((means + more_right) / (weights[:, counted] + more_counted))
    return np.stack(drawn, axis=1)


def _more(kinds: NDArray[np.float64], chains: Sequence[int]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(draws, accuracies) each: how many images more every accuracy counts as right, and of how many more.

    ``kinds`` (draws, accuracies + chains): of each chain the images always misclassified, those that fall to each
    attack, and those that survive all.
    """
    right, counted = [], []
    for own in np.split(kinds, np.cumsum([length + 1 for length in chains[:-1]]), axis=1):
        surviving = own[:, ::-1].cumsum(axis=1)[:, ::-1]
        right.append(surviving[:, 1:])
        counted.append(np.broadcast_to(surviving[:, :1], right[-1].shape))
    return np.hstack(right), np.hstack(counted)


def _weights(rng: np.random.Generator, rows: NDArray[np.uint8], images: int, draws: int) -> NDArray[np.float64]:
    """(draws, rows): the weight of each row's images, one image's being 1 on average."""
    sums = np.zeros((draws, len(rows)))
    for first in range(0, images, _BLOCK):  # a whole number of bytes
        block = np.unpackbits(rows[:, first // 8 : (first + _BLOCK) // 8], axis=1).astype(float)
        sums += rng.standard_exponential((draws, block.shape[1])) @ block.T
    return sums


def _recorded(study: Study, trial: Mapping[Hashable, Any], accuracies: Sequence[str]) -> Seen | None:
    outcomes = study.outcomes.get(str(trial["id"]))
    head, epsilon = (trial.get(name) for name in SOURCES[1:])
    names = [of_head(name, str(head), number_or_nan(epsilon)) if name in ACCURACIES else name for name in accuracies]
    if outcomes is None or not {*names} <= outcomes.rows.keys():
        return None
    right = _rows([outcomes.rows[name] for name in names])
    counted = _rows([_counted(outcomes, accuracy) for accuracy in accuracies])
    shares = np.bitwise_count(right).sum(axis=1) / np.maximum(np.bitwise_count(counted).sum(axis=1), 1)
    measured = np.array([number_or_nan(trial.get(accuracy)) for accuracy in accuracies])
    told = np.isfinite(measured) | [name in ACCURACIES for name in accuracies]
    if (right & ~counted).any() or not np.allclose(shares[told], measured[told], rtol=0, atol=_ROUNDING):
        return None
    return Seen(outcomes.identity, outcomes.images, right[None], counted)


def _counted(outcomes: Outcomes, accuracy: str) -> bytes:
    if is_of_auto_attack(accuracy) and AUTO_ATTACK_IMAGES in outcomes.rows:
        return outcomes.rows[AUTO_ATTACK_IMAGES]
    return packed(np.ones(outcomes.images, dtype=bool))


def _rows(rows: Sequence[bytes]) -> NDArray[np.uint8]:
    return np.frombuffer(b"".join(rows), np.uint8).reshape(len(rows), -1)
