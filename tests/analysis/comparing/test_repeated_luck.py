"""How often luck is taken for a difference, and a difference seen: random searches of recorded trials, drawn by the
thousand."""

from __future__ import annotations

import itertools
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from scipy import stats

from analysis.comparing.repeated import Repeated, Run, difference
from analysis.comparing.side_by_side import WORK, Side
from analysis.comparing.side_by_side import compute as compare_networks
from analysis.frontier.resampling import Candidate
from analysis.frontier.uncertainty import student
from trainables.metrics import FORWARD_EQUIVALENTS

RESULTS = Path(__file__).parents[3] / "results"
PLANE = ("clean_accuracy", "pgd_accuracy")
TRIALS, PAIRS = 20, 400
Recorded = list[dict[str, Any]]
Volumes = NDArray[np.float64]


@pytest.fixture(params=["curves-digits", "curves-cifar10-jpeg"])
def recorded(request: pytest.FixtureRequest) -> Recorded:
    rows = map(json.loads, (RESULTS / f"{request.param}.jsonl").read_text().splitlines())
    return [row for row in rows if "metrics" in row]


def accuracies(recorded: Recorded) -> NDArray[np.float64]:
    return np.array([[row["metrics"][name] for name in PLANE] for row in recorded])


def searches(points: NDArray[np.float64], trials: int, seed: int) -> Volumes:
    """(PAIRS, 10) what as many random searches find, of so many trials each: the area under each one's staircase."""
    drawn = points[np.random.default_rng(seed).integers(len(points), size=(PAIRS, 10, trials))]
    best_first = np.take_along_axis(drawn, np.argsort(-drawn[..., :1], axis=-2), axis=-2)
    widths = -np.diff(best_first[..., 0], append=0.0)
    volumes: Volumes = (widths * np.maximum.accumulate(best_first[..., 1], axis=-1)).sum(axis=-1)
    return volumes


def told_apart(one: Volumes, other: Volumes, runs: int, *, same_seeds: bool) -> float:
    """The share of ``PAIRS`` of groups of ``runs``."""
    seeds = range(runs), range(runs) if same_seeds else range(runs, 2 * runs)
    found = [difference(*map(_group, pair, seeds)) for pair in zip(one, other, strict=True)]
    assert {gain.paired for gain in found} == {same_seeds}
    return float(np.mean([gain.told_apart for gain in found]))


def _group(volumes: NDArray[np.float64], seeds: range) -> Repeated:
    runs = tuple(
        Run(str(seed), seed, TRIALS, 1.0, 1.0, math.nan, float(volumes[place])) for place, seed in enumerate(seeds)
    )
    return Repeated("any", runs, student([0.0]), student([run.equal for run in runs]))


@pytest.mark.parametrize(("runs", "same_seeds"), [*itertools.product((2, 3, 6), (False, True))])
def test_runs_of_one_search_are_told_apart_no_more_often_than_stated(
    recorded: Recorded, runs: int, same_seeds: bool
) -> None:
    one, other = (searches(accuracies(recorded), TRIALS, seed) for seed in (1, 2))
    at_most = stats.binom.ppf(0.999, PAIRS, 0.05) / PAIRS
    assert told_apart(one, other, runs, same_seeds=same_seeds) <= at_most


def test_a_search_that_finds_less_is_told_apart(recorded: Recorded) -> None:
    """One that lacks the better trainable, one without strong adversaries, and one of an eighth of the trials."""
    points = accuracies(recorded)
    whole = searches(points, TRIALS, seed=0)
    lacks = np.array([row["trainable"] == "pgd_emp_ssl" for row in recorded])
    weak = np.array([row["params"]["epsilon"] <= 6 / 255 for row in recorded])
    for less in (
        searches(points[lacks], TRIALS, 1),
        searches(points[weak], TRIALS, 2),
        searches(points, TRIALS // 8, 3),
    ):
        assert told_apart(whole, less, 10, same_seeds=False) > 0.7


@pytest.mark.parametrize("recorded", ["curves-digits"], indirect=True)
def test_redraws_of_single_runs_take_luck_for_a_difference(recorded: Recorded) -> None:
    """Which is why what is printed of them says that it is of these networks alone."""
    points, images = accuracies(recorded), recorded[0]["metrics"]["evaluation_images"]
    rng = np.random.default_rng(0)
    chances = []
    for _ in range(20):
        drawn = [points[rng.integers(len(points), size=TRIALS)] for _ in range(2)]
        one, _ = compare_networks([_side(found, images) for found in drawn], draws=100)
        chances.append(one.chance)
    assert np.mean(np.abs(np.array(chances) - 0.5) >= 0.45) > 0.2, "10 % would be right"


def _side(points: NDArray[np.float64], images: float) -> Side:
    found = [Candidate("", row[None], np.full(2, images)) for row in points]
    table = pd.DataFrame(points, columns=list(PLANE)).assign(counts=True)
    ends = {f"{name}_{end}": math.nan for name in PLANE for end in ("low", "high")}
    path = pd.DataFrame({WORK: [], "hypervolume": []}, dtype=float)
    return Side("any", PLANE, FORWARD_EQUIVALENTS, len(points), 0.0, 0.0, table.assign(**ends), found, path)
