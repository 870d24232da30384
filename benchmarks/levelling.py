"""What `budget.least_gain` saves of a search and what it costs, in simulated searches that go on to their end.

`python -m benchmarks.levelling [SEEDS]` prints JSON: of each family of learning curves, which are those of
`study simulate`, three searches by default, at random and by TPE, of 150 trials one after another.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import optuna
from numpy.typing import NDArray

from analysis.frontier.levelling import MORE, levelled_at
from analysis.frontier.pareto import REFERENCE, hypervolume
from study.simulation.scenarios import Scenario, proposals, scenarios
from study.simulation.simulator import BOTH
from trainables.metrics import CLEAN_ACCURACY, PGD_ACCURACY

SAMPLERS = ("random", "tpe")
GAINS = (0.005, 0.01, 0.02, 0.05)
TRIALS = 150

Values = NDArray[np.float64]


def main() -> None:
    seeds = range(int(sys.argv[1]) if len(sys.argv) > 1 else 3)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    families = [*scenarios("synthetic"), *scenarios("drawn")]
    kinds = [kind for sampler in SAMPLERS for kind in measure(sampler, families, seeds)]
    print(json.dumps({"trials": TRIALS, "families": len(families), "kinds": kinds}, indent=2))


def measure(sampler: str, families: Sequence[Scenario], seeds: Sequence[int]) -> Iterator[dict[str, Any]]:
    searches = [search(family, sampler, seed) for family in families for seed in seeds]
    for gain in GAINS:
        ends = [TRIALS if (found := levelled_at(values, gain)) is None else found[1] for values in searches]
        lost = np.array([1 - volume(values[:end]) / volume(values) for values, end in zip(searches, ends, strict=True)])
        early = [(values, end) for values, end in zip(searches, ends, strict=True) if end < TRIALS]
        paid = [volume(values[: math.ceil(end * MORE)]) / volume(values[:end]) - 1 >= gain for values, end in early]
        yield {
            "sampler": sampler,
            "least_gain": gain,
            "searches": len(searches),
            "ended_before": len(early),
            "of_them_a_quarter_more_would_have_gained_it": sum(paid),
            "mean_trials": round(float(np.mean(ends)), 1),
            "mean_hypervolume_lost": round(float(lost.mean()), 4),
            "most_hypervolume_lost": round(float(lost.max()), 4),
        }


def search(family: Scenario, sampler: str, seed: int) -> Values:
    """(n, 2) final clean and PGD accuracies in order."""
    draws, found = proposals(family, sampler, seed), []
    for number in range(TRIALS):
        if (drawn := draws.ask(number)) is None:
            break
        draws.tell(number, drawn.curve)
        found.append([drawn.curve.metrics[name] for name in (CLEAN_ACCURACY, PGD_ACCURACY)])
    return np.array(found)


def volume(values: Values) -> float:
    return hypervolume(values, BOTH, [REFERENCE.accuracy] * 2)


if __name__ == "__main__":
    main()
