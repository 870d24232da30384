"""Whether what a search is told still to gain comes true, and what `budget.least_gain` saves and costs.

`python -m benchmarks.levelling [SEEDS]` prints JSON: of each family of learning curves, which are those of
`study simulate`, eight searches by default, at random and by TPE, of 150 trials one after another.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import optuna
from numpy.typing import NDArray

from analysis.frontier.levelling import MORE, checks, levelled_at
from analysis.frontier.pareto import REFERENCE, hypervolume
from analysis.frontier.plateau import WORTH, plateau
from study.simulation.scenarios import Scenario, proposals, scenarios
from study.simulation.simulator import BOTH
from trainables.metrics import CLEAN_ACCURACY, PGD_ACCURACY

SAMPLERS = ("random", "tpe")
GAINS = (0.02, 0.03, 0.05)
TRIALS = 150
FIRST_SEED = 100
"""On seeds below, the width of `analysis.frontier.plateau` was chosen."""
CHANCES = (0, 0.1, 0.2, 0.4, 1.01)
"""Ends of the classes in which chances are held against what came."""

Values = NDArray[np.float64]


def main() -> None:
    seeds = range(FIRST_SEED, FIRST_SEED + (int(sys.argv[1]) if len(sys.argv) > 1 else 8))
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    families = [*scenarios("synthetic"), *scenarios("drawn")]
    told: dict[str, Any] = {"trials": TRIALS, "families": len(families)}
    for sampler in SAMPLERS:
        searches = [search(family, sampler, seed) for family in families for seed in seeds]
        sys.stderr.write(f"{sampler}: {len(searches)} searches\n")
        told[sampler] = {
            "searches": len(searches),
            "chances": list(chances(searches)),
            "least_gain": [savings(searches, gain) for gain in GAINS],
        }
    print(json.dumps(told, indent=2))


def search(family: Scenario, sampler: str, seed: int) -> Values:
    """(n, 2) final clean and PGD accuracies in order."""
    draws, found = proposals(family, sampler, seed), []
    for number in range(TRIALS):
        if (drawn := draws.ask(number)) is None:
            break
        draws.tell(number, drawn.curve)
        found.append([drawn.curve.metrics[name] for name in (CLEAN_ACCURACY, PGD_ACCURACY)])
    return np.array(found)


def chances(searches: Sequence[Values]) -> Iterator[dict[str, Any]]:
    """At each check of a search that a quarter more trials follow: what was said, and whether they gained as much."""
    told = [(plateau(v[:n]), gained(v, n) >= WORTH) for v in searches for n in checks(TRIALS) if n * MORE <= TRIALS]
    said, came = np.array([found.chance for found, _ in told]), np.array([gain for _, gain in told])
    climbing = np.array([found.climbing for found, _ in told])
    classes = [(f"at least {low:g}", ~climbing & (said >= low) & (said < high)) for low, high in pairwise(CHANCES)]
    for name, chosen in [*classes, ("climbing", climbing)]:
        yield {
            "chance": name,
            "checks": int(chosen.sum()),
            "said": round(float(said[chosen].mean()), 3) if chosen.any() else None,
            "came": round(float(came[chosen].mean()), 3) if chosen.any() else None,
        }


def savings(searches: Sequence[Values], gain: float) -> dict[str, Any]:
    ends = [TRIALS if (found := levelled_at(values, gain)) is None else found[1] for values in searches]
    lost = np.array([1 - volume(values[:end]) / volume(values) for values, end in zip(searches, ends, strict=True)])
    early = [(values, end) for values, end in zip(searches, ends, strict=True) if end * MORE <= TRIALS]
    return {
        "least_gain": gain,
        "ended_before": sum(end < TRIALS for end in ends),
        "ended_with_a_quarter_more_to_come": len(early),
        "of_them_gained_it": sum(gained(values, end) >= gain for values, end in early),
        "mean_trials": round(float(np.mean(ends)), 1),
        "mean_hypervolume_lost": round(float(lost.mean()), 4),
        "most_hypervolume_lost": round(float(lost.max()), 4),
    }


def gained(values: Values, trials: int) -> float:
    """What a quarter more trials added, as a share of what ``trials`` had."""
    return volume(values[: math.ceil(trials * MORE)]) / volume(values[:trials]) - 1


def volume(values: Values) -> float:
    return hypervolume(values, BOTH, [REFERENCE.accuracy] * 2)


if __name__ == "__main__":
    main()
