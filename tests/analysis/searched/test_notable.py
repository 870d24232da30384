"""What stands out: told where it is so, and not where chance, or the order of a search that learns, explains it."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import optuna
import pandas as pd
import pytest
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
    distribution_to_json,
)

from analysis.reading.runs import PARAM, Study, read_study
from analysis.report.page import render
from analysis.searched import notable as module
from analysis.searched.notable import notable

SPACE: dict[str, BaseDistribution] = {
    "crops": IntDistribution(4, 24),
    "m": CategoricalDistribution([3, 5, 7]),
    "learning_rate": FloatDistribution(1e-3, 1.0, log=True),
    "momentum": FloatDistribution(0.0, 0.99),
}
Outcome = Callable[[dict[str, Any], np.random.Generator], dict[str, Any]]


def study_of(rows: Sequence[dict[str, Any]], space: dict[str, BaseDistribution] = SPACE) -> Study:
    """A study of trials as the readers give it, one after the other; ``rows``: settings as ``param.NAME``, figures."""
    usual = {"trainable": "cf_amc_ssl", "status": "finished", "epochs": 1}
    usual |= dict.fromkeys(("reason", "verdict", "violation", "excluded"), "")
    trials = pd.DataFrame([{"number": number, **usual, **row} for number, row in enumerate(rows)])
    manifest = {
        "objectives": [{"metric": "clean_accuracy"}, {"metric": "pgd_accuracy"}],
        "space": {"parameters": {name: json.loads(distribution_to_json(found)) for name, found in space.items()}},
    }
    return Study("tiny", manifest, trials, pd.DataFrame(columns=["trial", "epoch"]))


def search(outcome: Outcome, trials: int, seed: int = 0, sampler: str = "random") -> Study:
    """A search of ``SPACE``, as Optuna makes it."""
    found = {"random": optuna.samplers.RandomSampler, "tpe": optuna.samplers.TPESampler}[sampler](seed=seed)
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    asked = optuna.create_study(directions=["maximize", "maximize"], sampler=found)
    rows = []
    for number in range(trials):
        trial = asked.ask(SPACE)
        figures = outcome(trial.params, np.random.default_rng((seed, number)))
        asked.tell(trial, [figures["clean_accuracy"], figures["pgd_accuracy"]])
        rows.append({PARAM + name: value for name, value in trial.params.items()} | figures)
    return study_of(rows)


def accuracies(params: dict[str, Any], luck: np.random.Generator, crops_at: float, rate_at: float) -> dict[str, Any]:
    """Clean and PGD accuracy of a search whose optimum lies at so many crops and such a learning rate."""
    far = ((params["crops"] - crops_at) / 20) ** 2 + ((math.log10(params["learning_rate"]) - rate_at) / 3) ** 2
    clean, pgd = 0.9 - 0.4 * far, 0.5 - 0.4 * far
    return {"clean_accuracy": clean + luck.normal(0, 0.01), "pgd_accuracy": pgd + luck.normal(0, 0.01)}


def inside(params: dict[str, Any], luck: np.random.Generator) -> dict[str, Any]:
    return accuracies(params, luck, crops_at=12, rate_at=-1.5)


def beyond(params: dict[str, Any], luck: np.random.Generator) -> dict[str, Any]:
    return accuracies(params, luck, crops_at=30, rate_at=-1.5)


@pytest.mark.parametrize("sampler", ["random", "tpe"])
def test_a_range_that_ends_too_soon_is_named(sampler: str) -> None:
    (sentence,) = notable(search(beyond, 60, sampler=sampler))
    assert sentence.endswith(
        "best in accuracy have crops 23 to 24, at the upper end of 4 to 24: a range that goes on there "
        "(space.crops.high) may hold better."
    )


def test_of_choices_the_largest_is_named() -> None:
    def more_is_better(params: dict[str, Any], luck: np.random.Generator) -> dict[str, Any]:
        reached = 0.5 + 0.05 * params["m"] + luck.normal(0, 0.02)
        return {"clean_accuracy": reached, "pgd_accuracy": reached / 2}

    assert [sentence.partition("have ")[2] for sentence in notable(search(more_is_better, 60))] == [
        "m 7, the largest of 3, 5, 7: a value beyond (space.m) may be better."
    ]


def test_values_at_which_trials_go_wrong_are_named() -> None:
    def wrong(params: dict[str, Any], luck: np.random.Generator) -> dict[str, Any]:
        masked = params["m"] == 7 and luck.random() < 0.8
        broken = params["learning_rate"] > 0.3
        return inside(params, luck) | {
            "verdict": "flagged: gradient masking" if masked else "",
            "status": "failed" if broken else "finished",
            "violation": "gpu_minutes is 9, above 5" if params["momentum"] > 0.8 else "",
        }

    study = search(wrong, 100)
    assert [sentence.partition(" with ")[2].partition(",")[0] for sentence in notable(study)] == [
        "learning_rate 0.1 to 1 failed",
        "momentum 0.66 to 0.99 missed the study's bounds",
        "m 7 were flagged",
    ]
    flagged = study.finished[study.finished["verdict"] != ""]
    sevens = int((study.finished["param.m"] == 7).sum())
    others = len(study.finished) - sevens
    assert notable(study)[2] == f"{len(flagged)} of {sevens} trials with m 7 were flagged, of others 0 of {others}."


def test_excluded_trials_stand_out_in_nothing() -> None:
    def failed(params: dict[str, Any], luck: np.random.Generator) -> dict[str, Any]:
        return inside(params, luck) | {"status": "failed" if params["m"] == 7 else "finished"}

    study = search(failed, 60)
    assert [sentence.partition(" with ")[2].partition(",")[0] for sentence in notable(study)] == ["m 7 failed"]
    study.trials["excluded"] = study.trials["status"].map({"failed": "broken node", "finished": ""})
    assert notable(study) == []


def test_what_late_trials_share_by_accident_is_not_told() -> None:
    """They are better and sounder than early ones, whatever the momentum is that a search has come to draw."""

    def row(number: int) -> dict[str, Any]:
        late, luck = number // 10 / 8, np.random.default_rng(number)
        reached = 0.3 + 0.5 * late + luck.normal(0, 0.01)
        drawn = min(0.99, max(0.0, late + luck.normal(0.1, 0.02)))
        figures = {"clean_accuracy": reached, "pgd_accuracy": reached / 2}
        return {"param.momentum": drawn, "verdict": "flagged: odd" if luck.random() > late else ""} | figures

    study = study_of([row(number) for number in range(80)], {"momentum": SPACE["momentum"]})
    assert (study.credible["param.momentum"].tail(10) > 0.8).all(), "the best lie at the upper end"
    assert notable(study) == []


@pytest.mark.parametrize("sampler", ["random", "tpe"])
@pytest.mark.parametrize("trials", [40, 60])
def test_seldom_is_anything_told_that_is_not_so(sampler: str, trials: int) -> None:
    """At most as often as the level says, but for what eight searches leave to luck."""
    told = [notable(search(inside, trials, seed, sampler)) for seed in range(8)]
    assert sum(map(bool, told)) <= 1


def test_few_trials_tell_nothing() -> None:
    assert notable(search(beyond, 19)) == []
    assert notable(study_of([{"clean_accuracy": 0.5, "pgd_accuracy": 0.2, "param.m": 3}])) == []


def test_a_study_without_a_known_range_or_accuracies_tells_nothing() -> None:
    study = search(beyond, 60)
    study.manifest["space"] = {}
    assert notable(study) == []
    costs = search(beyond, 60)
    costs.manifest["objectives"] = [{"metric": "gpu_minutes"}]
    assert notable(costs) == []


def test_the_report_tells_it_and_is_silent_where_nothing_stands_out(new_study: Callable[..., Any]) -> None:
    folder = new_study(space={"parameters": {"m": json.loads(distribution_to_json(SPACE["m"]))}})
    luck = np.random.default_rng(0)
    for number, m in enumerate(luck.choice([3, 5, 7], size=40).tolist()):
        page = render(read_study(folder.paths)) if number == 10 else ""
        assert "What stands out" not in page
        folder.finished(number, 0.5 + 0.05 * m + luck.normal(0, 0.01), 0.02 * m, params={"m": m})
    assert "have m 7, the largest of 3, 5, 7: a value beyond (space.m) may be better." in render(
        read_study(folder.paths)
    )


def rearranged(values: Sequence[Any], block: int) -> list[list[Any]]:
    """``values`` in every order within blocks."""
    orders = [list(itertools.permutations(values[at : at + block])) for at in range(0, len(values), block)]
    return [list(itertools.chain(*chosen)) for chosen in itertools.product(*orders)]


def test_the_chance_of_a_coincidence_is_that_over_all_orders_within_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BLOCK", 4)
    bad = np.array([True, True, False, False, True, False, False, False])
    within = np.array([True, True, True, False, True, True, False, False])
    orders = [np.array(order) for order in rearranged(bad.tolist(), 4)]
    share = np.mean([(order & within).sum() >= (bad & within).sum() for order in orders])
    assert module._coincidence(bad, within) == pytest.approx(share)


def test_how_much_better_towards_an_end_is_measured_against_all_orders_within_blocks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "BLOCK", 4)
    values, good = pd.Series([1.0, 5.0, 2.0, 9.0, 3.0, 4.0, 4.0, 8.0]), pd.Series([0, 2, 1, 3, 0, 1, 5, 2])

    def covariance(order: Sequence[Any]) -> float:
        ranks = [(pd.Series(order[at : at + 4]).rank(), good[at : at + 4].rank()) for at in (0, 4)]
        return sum(float(((one - one.mean()).to_numpy() * (other - 2.5).to_numpy()).sum()) for one, other in ranks)

    spread = float(np.std([covariance(order) for order in rearranged(values.tolist(), 4)]))
    assert module._towards(values, good) == pytest.approx(covariance(values.tolist()) / spread)
    assert module._towards(-values, good) == pytest.approx(-covariance(values.tolist()) / spread)
    assert module._towards(values * 0, good) == 0.0


def test_blocks_hold_every_trial_once() -> None:
    for count in (1, 9, 10, 19, 20, 47):
        held = [place for block in module._blocks(count) for place in range(count)[block]]
        assert held == list(range(count))
