"""Whether a study that is told to have the greater hypervolume has it, where the truth is known.

`python -m benchmarks.chances [PAIRS]` prints JSON; 300 pairs of simulated searches of each kind by default, as
`benchmarks.uncertainty` simulates them, both of a pair on the same images. The chance says what the images leave open
where no difference is likelier than another. Searches alike differ little, and of such pairs the one that looks much
better owes part of that to its images: so the chance is too high by as much as the true differences are small beside
the error of measuring them, which is told beside it.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from analysis.comparing.side_by_side import greatest, reflected_volumes
from analysis.frontier.pareto import REFERENCE, hypervolume
from analysis.frontier.resampling import resample
from benchmarks.uncertainty import BOTH, DRAWS, PLANE, Kind, outcomes, share, together, trade_off

KINDS = (Kind(12, 300, 0.5), Kind(20, 1000, 0.0), Kind(20, 1000, 0.5), Kind(60, 1000, 0.5))
SURE = 0.95
_ENDS = (0.025, 0.975)


class Pair(NamedTuple):
    """``chance`` that the first of two has the greater hypervolume, by how much it has (``true``), by how much it
    looks so (``measured``), and the interval of that."""

    chance: float
    true: float
    measured: float
    low: float
    high: float


def main() -> None:
    pairs = int(sys.argv[1]) if len(sys.argv) > 1 else 300
    print(json.dumps({"pairs": pairs, "kinds": [measure(kind, pairs) for kind in KINDS]}, indent=2))


def measure(kind: Kind, pairs: int) -> dict[str, Any]:
    random = np.random.default_rng(1)
    found = np.array([judge(random, kind) for _ in range(pairs)])
    sys.stderr.write(f"{kind}\n")
    chance, true, measured, low, high = found.T
    sureness = np.maximum(chance, 1 - chance)
    surely = sureness > SURE
    right = (chance > 0.5) == (true > 0)
    return asdict(kind) | {
        f"chances_above_{SURE:g}": int(surely.sum()),
        "mean_of_them": round(float(sureness[surely].mean()), 4) if surely.any() else None,
        "of_them_right": share(right[surely]) if surely.any() else None,
        "intervals_that_hold_the_difference": share((low <= true) & (true <= high)),
        "spread_of_true_differences": round(float(true.std()), 4),
        "error_of_measured_differences": round(float((measured - true).std()), 4),
    }


def judge(random: np.random.Generator, kind: Kind) -> Pair:
    true = np.concatenate([trade_off(random, kind.trials) for _ in range(2)])
    candidates = together(outcomes(random, true, replace(kind, trials=2 * kind.trials)))
    measured = np.concatenate([one.values for one in candidates])
    drawn = resample(candidates, PLANE, DRAWS)
    sides = (slice(None, kind.trials), slice(kind.trials, None))
    volumes = np.stack([reflected_volumes(measured[side], drawn[:, side]) for side in sides], axis=1)
    low, high = np.quantile(volumes[:, 0] - volumes[:, 1], _ENDS)
    return Pair(float(greatest(volumes)[0]), _gap(true, sides), _gap(measured, sides), float(low), float(high))


def _gap(values: NDArray[np.float64], sides: tuple[slice, slice]) -> float:
    first, second = (hypervolume(values[side], BOTH, [REFERENCE.accuracy] * len(PLANE)) for side in sides)
    return first - second


if __name__ == "__main__":
    main()
