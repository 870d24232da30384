"""Whether chances of the frontier and intervals of hypervolumes are as sure as they say, where the truth is known.

`python -m benchmarks.uncertainty [SEARCHES]` prints JSON; 200 simulated searches of each kind by default. A trial has a
true clean accuracy and one under attack, along a trade-off; it is measured on images that are hard for all trials
alike, as far as ``correlation`` says: one normal hardness an image, one normal error an image and trial (a probit
model). Every search is judged twice: with the images drawn once for all its trials, as their recorded outcomes allow,
and with each trial's drawn by themselves.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

from analysis.comparing.side_by_side import reflected_interval
from analysis.frontier.dominance import share_non_dominated
from analysis.frontier.pareto import REFERENCE, hypervolume, non_dominated
from analysis.frontier.resampling import Candidate, resample
from analysis.frontier.same_images import Seen
from trainables.metrics import CLEAN_ACCURACY, PGD_ACCURACY, Accuracy, Direction

PLANE = (CLEAN_ACCURACY, PGD_ACCURACY)
BOTH: tuple[Direction, Direction] = ("maximize", "maximize")
SURE = 0.9
DRAWS = 400


@dataclass(frozen=True)
class Kind:
    """Searches alike."""

    trials: int
    images: int
    correlation: float


KINDS = tuple(
    Kind(trials, images, correlation)
    for trials, images in ((20, 1000), (60, 1000), (60, 5000))
    for correlation in (0.0, 0.5, 0.8)
)


class Judged(NamedTuple):
    """One search as one way of drawing has it: does its interval hold the true hypervolume, how wide is it, each
    trial's chance of the frontier."""

    holds: bool
    width: float
    chances: NDArray[np.float64]


def main() -> None:
    searches = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    print(json.dumps({"searches": searches, "kinds": [measure(kind, searches) for kind in KINDS]}, indent=2))


def measure(kind: Kind, searches: int) -> dict[str, Any]:
    """Of both ways of drawing: how often intervals hold the truth, and how often who is told to be surely on the
    frontier is."""
    random = np.random.default_rng(0)
    optimal, ways = [], {"together": list[Judged](), "apart": list[Judged]()}
    for _ in range(searches):
        true = trade_off(random, kind.trials)
        right = outcomes(random, true, kind)
        optimal.append(non_dominated(true, BOTH))
        for way, found in (("together", together(right)), ("apart", apart(right))):
            ways[way].append(judge(found, true))
    sys.stderr.write(f"{kind}\n")
    return asdict(kind) | {way: dict(_summed_up(judged, np.array(optimal))) for way, judged in ways.items()}


def trade_off(random: np.random.Generator, trials: int) -> NDArray[np.float64]:
    """(trials, 2) True accuracies, clean and under attack: places along a concave front, most a little below it."""
    place, quality = random.uniform(size=trials), random.beta(5, 1, trials)
    clean = 0.5 + 0.4 * place * quality
    return np.column_stack([clean, np.minimum(0.5 * quality * (1 - 0.8 * place**2), 0.95 * clean)])


def outcomes(random: np.random.Generator, true: NDArray[np.float64], kind: Kind) -> NDArray[np.bool_]:
    """(trials, 2, images) Which images are right: those under attack among the clean ones."""
    hardness = random.standard_normal(kind.images)
    errors = random.standard_normal((kind.trials, kind.images))
    ease = np.sqrt(kind.correlation) * hardness + np.sqrt(1 - kind.correlation) * errors
    right: NDArray[np.bool_] = ease[:, None] < norm.ppf(true)[..., None]
    return right


def apart(right: NDArray[np.bool_]) -> list[Candidate]:
    """Candidates that recorded nothing but their accuracies."""
    images = np.full(len(PLANE), float(right.shape[-1]))
    return [Candidate(str(number), one.mean(axis=1)[None], images) for number, one in enumerate(right)]


def together(right: NDArray[np.bool_]) -> list[Candidate]:
    """Candidates that recorded which images they got right."""
    counted = np.packbits(np.ones(right.shape[1:], dtype=bool), axis=-1)
    rows = np.packbits(right, axis=-1)
    return [
        candidate._replace(seen=Seen("the same", right.shape[-1], own[None], counted))
        for candidate, own in zip(apart(right), rows, strict=True)
    ]


def judge(found: list[Candidate], true: NDArray[np.float64]) -> Judged:
    drawn = resample(found, PLANE, DRAWS)
    measured = np.concatenate([one.values for one in found])
    low, high = reflected_interval(measured, drawn)
    volume = hypervolume(true, BOTH, [REFERENCE.accuracy] * len(PLANE))
    return Judged(low <= volume <= high, high - low, share_non_dominated(drawn, BOTH))


def _summed_up(judged: list[Judged], optimal: NDArray[np.bool_]) -> Iterator[tuple[str, Any]]:
    chances = np.stack([one.chances for one in judged])
    surely = chances > SURE
    yield "intervals_that_hold_the_hypervolume", share(np.array([one.holds for one in judged]))
    yield "mean_width", round(float(np.mean([one.width for one in judged])), 4)
    yield f"trials_with_a_chance_above_{SURE:g}", int(surely.sum())
    yield "of_them_on_the_true_frontier", share(optimal[surely]) if surely.any() else None
    yield "brier_score", round(float(((chances - optimal) ** 2).mean()), 4)


def share(held: NDArray[np.bool_]) -> dict[str, float]:
    """With Wilson's 95 % interval."""
    found = Accuracy(correct=int(held.sum()), images=len(held))
    low, high = found.interval()
    return {"share": round(found.value, 4), "low": round(low, 4), "high": round(high, 4)}


if __name__ == "__main__":
    main()
