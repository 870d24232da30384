"""Importances of functions whose answer is known, maximised and minimised, and when there are none."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from analysis.labels import ALL_TRAINABLES as ALL
from analysis.reading.runs import PARAM, Study, read_study
from analysis.searched import importance
from analysis.searched.distributions import distribution, plain
from analysis.searched.importance import FRONTIER, importances, ranking, why_no_importances
from analysis.searched.ped_anova import Pool
from analysis.tables.importance import importance_table
from search_spaces import build
from search_spaces.ranges import to_json
from trainables.catalogue import default_config
from trainables.metrics import HEADLINES

OTHER = "pgd_emp_ssl"
DECIDES = 0.85
"""Beyond it a dimension that decides does; about one trial in seven."""


@pytest.fixture
def few_resamples(monkeypatch: pytest.MonkeyPatch) -> None:
    """For what the intervals' ends have no part in."""
    resample(monkeypatch, 3)


def resample(monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    monkeypatch.setattr(importance, "RESAMPLES", count)
    monkeypatch.setattr(importance, "_LEAST_RESAMPLES", count)


def study_of(
    params: Sequence[Mapping[str, Any]],
    metrics: Mapping[str, Any],
    space: Mapping[str, Any] | None = None,
    trainables: Sequence[str] | str = "cf_amc_ssl",
    **columns: Any,
) -> Study:
    """A study of finished trials as the readers give it; its objectives are what ``metrics`` names."""
    number = range(len(params))
    trials = pd.DataFrame(
        {
            **{"number": number, "trainable": trainables, "status": "finished"},
            **dict.fromkeys(("verdict", "violation", "excluded"), ""),
            **dict.fromkeys(HEADLINES, math.nan),
            **metrics,
            **columns,
        }
    )
    searched = pd.DataFrame(params).add_prefix(PARAM)
    stated = {"parameters": {name: to_json(found) for name, found in (space or {}).items()}}
    manifest = {"objectives": [{"metric": name} for name in metrics], "space": stated}
    return Study("known", manifest, trials.join(searched), pd.DataFrame())


def uniform(count: int = 120, names: Sequence[str] = ("a", "b", "noise")) -> pd.DataFrame:
    return pd.DataFrame(np.random.default_rng(1).random((count, len(names))), columns=list(names))


def peak_and_pit(x: pd.DataFrame) -> pd.Series:
    """``a`` decides what is highest, ``b`` what is lowest, nothing else matters."""
    return 0.5 + 0.2 * (x["a"] > DECIDES) - 0.2 * (x["b"] > DECIDES) + 0.01 * np.sin(1000 * x["noise"])


def of(found: pd.DataFrame, objective: str, trainable: str = "cf_amc_ssl") -> pd.Series:
    rows = found[(found["objective"] == objective) & (found["trainable"] == trainable)]
    return rows.set_index("dimension")["share"]


SPACE = dict.fromkeys(("a", "b", "noise"), FloatDistribution(0, 1))


@pytest.mark.usefixtures("few_resamples")
@pytest.mark.parametrize("space", [SPACE, None], ids=["stated", "inferred"])
def test_what_makes_the_best_decides_maximised_or_minimised(space: dict[str, Any] | None) -> None:
    x = uniform()
    value = peak_and_pit(x)
    metrics = {"clean_accuracy": value, "forward_equivalents": value * 1e6}
    found = importances(study_of(x.to_dict("records"), metrics, space))
    maximised, minimised = of(found, "clean_accuracy"), of(found, "forward_equivalents")
    assert maximised.index[0] == "a"
    assert maximised["a"] > 0.8
    assert minimised.index[0] == "b"
    assert minimised["b"] > 0.8


def test_the_wrong_sign_would_be_seen() -> None:
    x = uniform()
    rows = x.to_dict("records")
    values = peak_and_pit(x).to_numpy()[:, None]
    for direction, decides in (("maximize", "a"), ("minimize", "b")):
        pool = Pool(rows, [SPACE] * len(rows), values, [direction])  # type: ignore[list-item]
        found = pool.importances([np.arange(len(rows))], {0: 0.1})[0]
        assert max(found, key=lambda name: float(found[name][0])) == decides


@pytest.mark.usefixtures("few_resamples")
def test_the_frontier_is_of_all_objectives_in_their_directions() -> None:
    x = uniform(200, ("a", "b", "noise", "trade"))
    value, trade = peak_and_pit(x), 0.1 * x["trade"]
    study = study_of(
        x.to_dict("records"), {"clean_accuracy": value + trade, "forward_equivalents": (trade - value + 1) * 1e6}
    )
    found = of(importances(study), FRONTIER)
    assert found.index[0] == "a"
    assert found["a"] > 0.5
    assert ranking(study)[0] == "a"


def test_shares_sum_to_one_lie_in_their_intervals_and_come_out_alike_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    resample(monkeypatch, 20)
    x = uniform(60)
    study = study_of(x.to_dict("records"), {"clean_accuracy": peak_and_pit(x), "pgd_accuracy": x["noise"]}, SPACE)
    found = importances(study)
    assert found.groupby("objective")["share"].sum().tolist() == pytest.approx([1, 1, 1])
    assert (found["low"] <= found["share"]).all()
    assert (found["share"] <= found["high"]).all()
    assert found["low"].between(0, 1).all()
    assert found["high"].between(0, 1).all()
    assert (found["high"] > found["low"]).all(), "resamples differ"
    assert (found["high"] - found["low"]).max() < 0.9, "and say something"
    assert found["trials"].tolist() == [60] * 9
    pd.testing.assert_frame_equal(found, importances(study))


def test_more_trials_say_more(monkeypatch: pytest.MonkeyPatch) -> None:
    resample(monkeypatch, 20)

    def width(count: int) -> float:
        x = uniform(count)
        found = importances(study_of(x.to_dict("records"), {"clean_accuracy": peak_and_pit(x)}, SPACE))
        row = found.set_index("dimension").loc["noise"]
        return float(row["high"] - row["low"])

    assert width(300) < width(40)


@pytest.mark.usefixtures("few_resamples")
def test_conditional_dimensions_count_where_they_are() -> None:
    x = uniform(160, ("epsilon", "own", "rate"))
    first = x.index < 80
    params = [
        {"epsilon": row["epsilon"], "m" if own else "pgd_steps": round(1 + 9 * row["own"])}
        | {f"{'cf_amc_ssl' if own else OTHER}.learning_rate": row["rate"] * (1 if own else 100)}
        for row, own in zip(x.to_dict("records"), first, strict=True)
    ]
    clean = 0.3 + 0.3 * (x["own"] > DECIDES) * first + 0.3 * (x["epsilon"] > DECIDES) * ~first + 0.01 * x["rate"]
    space = {
        **{"epsilon": FloatDistribution(0, 1), "m": IntDistribution(1, 10), "pgd_steps": IntDistribution(1, 10)},
        **{"cf_amc_ssl.learning_rate": FloatDistribution(0, 1), f"{OTHER}.learning_rate": FloatDistribution(0, 100)},
    }
    trainables = ["cf_amc_ssl"] * 80 + [OTHER] * 80
    found = importances(study_of(params, {"clean_accuracy": clean}, space, trainables))
    own, other, both = (of(found, "clean_accuracy", name) for name in ("cf_amc_ssl", OTHER, ALL))
    assert set(own.index) == {"epsilon", "m", "learning_rate"}
    assert set(other.index) == {"epsilon", "pgd_steps", "learning_rate"}
    assert set(both.index) == {"epsilon", "m", "pgd_steps", "learning_rate", "trainable"}
    assert own.index[0] == "m"
    assert other.index[0] == "epsilon"
    assert set(both.index[:2]) == {"m", "epsilon"}
    assert found["trainable"].unique().tolist() == [ALL, "cf_amc_ssl", OTHER]


@pytest.mark.usefixtures("few_resamples")
def test_the_trainable_is_a_dimension_of_all() -> None:
    x = uniform(100, ("epsilon", "crops"))
    trainables = ["cf_amc_ssl", OTHER, "simclr", "acl"] * 25
    clean = np.array([0.6 if name == OTHER else 0.2 for name in trainables]) + 0.01 * np.sin(1000 * x["crops"])
    found = importances(study_of(x.to_dict("records"), {"clean_accuracy": clean}, None, trainables))
    assert of(found, "clean_accuracy", ALL).index[0] == "trainable"
    assert "trainable" not in of(found, "clean_accuracy", OTHER)


@pytest.mark.usefixtures("few_resamples")
def test_choices_can_decide_as_numbers_and_as_words() -> None:
    x = uniform(100)
    generator = np.random.default_rng(2)
    params = x.assign(batch_size=generator.choice([64, 128, 256, 512], 100), kind=generator.choice(list("pqrs"), 100))
    study = study_of(
        params.to_dict("records"),
        {
            "clean_accuracy": 0.2 + 0.4 * (params["batch_size"] == 128) + 0.01 * np.sin(1000 * x["noise"]),
            "pgd_accuracy": 0.2 + 0.4 * (params["kind"] == "r") + 0.01 * np.sin(1000 * x["noise"]),
        },
        SPACE | {"batch_size": CategoricalDistribution([64, 128, 256, 512])},
    )
    found = importances(study)
    assert of(found, "clean_accuracy").index[0] == "batch_size"
    assert of(found, "pgd_accuracy").index[0] == "kind"


@pytest.mark.usefixtures("few_resamples")
def test_flagged_infeasible_unfinished_and_unmeasured_trials_are_no_evidence() -> None:
    x = uniform(200)
    clean = peak_and_pit(x)
    left_out = pd.DataFrame({"status": "finished", "verdict": "", "violation": "", "excluded": ""}, index=x.index)
    left_out.loc[:19, "verdict"] = "flagged: it leaks"
    left_out.loc[20:39, "violation"] = "gpu_minutes is 9, above 8"
    left_out.loc[40:59, "status"] = "stopped"
    lied = clean.where(x.index >= 60, 1 + x["b"])
    clean = lied.where(~x.index.isin(range(60, 80)), math.nan)
    clean[80] = math.inf
    study = study_of(x.to_dict("records"), {"clean_accuracy": clean}, SPACE, **left_out.to_dict("series"))
    found = importances(study)
    assert set(found["trials"]) == {119}
    assert of(found, "clean_accuracy").index[0] == "a"


@pytest.mark.usefixtures("few_resamples")
def test_what_one_objective_lacks_the_other_has() -> None:
    x = uniform(60)
    study = study_of(x.to_dict("records"), {"clean_accuracy": peak_and_pit(x), "auto_attack_accuracy": math.nan})
    assert set(importances(study)["objective"]) == {"clean_accuracy"}
    assert why_no_importances(study) == (
        "No importances of cf_amc_ssl (Frontier, AutoAttack accuracy): 0 trials count (finished within the bounds, "
        "unflagged, measured), 20 are wanted."
    )
    table = importance_table(study)
    assert table is not None
    assert [column.title for column in table.columns] == ["Trainable", "Dimension", "Clean accuracy, %", "Trials"]


@pytest.mark.parametrize(("count", "enough"), [(0, False), (1, False), (19, False), (20, True)])
@pytest.mark.usefixtures("few_resamples")
def test_few_trials_have_no_importances_and_it_is_said(count: int, enough: bool) -> None:
    x = uniform(count)
    study = study_of(x.to_dict("records"), {"clean_accuracy": peak_and_pit(x)}, SPACE)
    assert importances(study).empty != enough
    assert (importance_table(study) is None) != enough
    assert bool(why_no_importances(study)) != enough
    assert sorted(ranking(study)) == (["a", "b", "noise"] if count else [])


@pytest.mark.usefixtures("few_resamples")
def test_that_all_trainables_have_too_few_trials_is_said_once() -> None:
    x = uniform(19)
    few = study_of(x.to_dict("records"), {"clean_accuracy": x["a"]})
    few.trials.loc[:9, "trainable"] = OTHER
    assert why_no_importances(replace(few, trials=few.trials)) == (
        "No importances of any trainable: 19 trials count (finished within the bounds, unflagged, measured), 20 are "
        "wanted."
    )


@pytest.mark.usefixtures("few_resamples")
def test_neither_one_dimension_nor_equal_trials_are_compared() -> None:
    x = uniform(40)
    alone = study_of(x[["a"]].to_dict("records"), {"clean_accuracy": x["a"]})
    assert why_no_importances(alone) == "No importances of cf_amc_ssl: fewer than two searched dimensions vary."
    equal = study_of(x.to_dict("records"), {"clean_accuracy": 0.1})
    assert "all equal" in why_no_importances(equal)
    assert importances(alone).empty
    assert importances(equal).empty


@pytest.mark.usefixtures("few_resamples")
def test_a_confirmation_searched_nothing() -> None:
    study = study_of([{"configuration": n % 3, "seed": n} for n in range(40)], {"clean_accuracy": uniform(40)["a"]})
    confirmation = replace(study, manifest=study.manifest | {"confirms": {"study": "first"}})
    assert not importances(study).empty
    assert importances(confirmation).empty
    assert why_no_importances(confirmation)


@pytest.mark.usefixtures("few_resamples")
@pytest.mark.parametrize("space", [None, [], "torn", {"parameters": {"a": 3, "b": {"name": "x"}, "noise": {}}}])
def test_any_manifest_can_be_read(space: object) -> None:
    x = uniform(60)
    study = study_of(x.to_dict("records"), {"clean_accuracy": peak_and_pit(x)})
    study.manifest["space"] = space
    assert of(importances(study), "clean_accuracy").index[0] == "a"


@pytest.mark.usefixtures("few_resamples")
def test_trials_outside_a_range_that_was_narrowed_still_count() -> None:
    x = uniform(100)
    narrow = SPACE | {"a": FloatDistribution(0, 0.5), "b": CategoricalDistribution([0.1, 0.2])}
    found = importances(study_of(x.to_dict("records"), {"clean_accuracy": peak_and_pit(x)}, narrow))
    assert of(found, "clean_accuracy").index[0] == "a"
    assert set(found["trials"]) == {100}


NUMBERS = st.lists(st.integers(-50, 50) | st.floats(-1e6, 1e6), min_size=1)
STATED = st.sampled_from(
    [
        *({}, {"name": "FloatDistribution"}, {"name": "IntDistribution", "attributes": {"low": 5, "high": 1}}),
        *map(to_json, (FloatDistribution(1e-3, 1, log=True), IntDistribution(1, 9), IntDistribution(1, 64, log=True))),
        *map(to_json, (FloatDistribution(0, 3), CategoricalDistribution([1, 2]))),
    ]
)


@given(STATED, NUMBERS | st.lists(st.text() | st.booleans() | st.integers(), min_size=1))
def test_a_distribution_holds_every_value(stated: dict[str, Any], values: list[Any]) -> None:
    found = distribution(stated, values)
    if isinstance(found, CategoricalDistribution):
        assert all(plain(value) in found.choices for value in values)
    else:
        assert found.low <= min(values)  # type: ignore[attr-defined]
        assert found.high >= max(values)  # type: ignore[attr-defined]


def test_ranges_are_those_stated_or_fit_the_values() -> None:
    stated = FloatDistribution(1e-3, 10, log=True)
    assert distribution(to_json(stated), [0.1]) == stated
    assert distribution(to_json(stated), [0.1, 20.0]) == FloatDistribution(1e-3, 20, log=True)
    assert distribution({}, [3.0, 7.0]) == IntDistribution(3, 7)
    assert distribution({}, [0.01, 0.1, 1.0]) == FloatDistribution(0.01, 1, log=True)
    assert distribution({}, [0.01, 0.5, 1.0]) == FloatDistribution(0.01, 1)
    assert distribution({}, [0.1, 0.5]) == FloatDistribution(0.1, 0.5)
    assert distribution({}, ["p", "q", "p"]) == CategoricalDistribution(["p", "q"])


@pytest.mark.usefixtures("few_resamples")
def test_a_recorded_study_is_read_with_the_space_it_was_launched_with(new_study: Callable[..., Any]) -> None:
    names = {"crops": {"low": 4, "high": 24}, "m": [3, 5, 7], "epsilon": {"low": 4 / 255, "high": 12 / 255}}
    space = build([default_config("cf_amc_ssl")], {"unlisted": "fixed", **names})
    folder = new_study(space=space.to_json(), trainables=["cf_amc_ssl"])
    for number in range(30):
        params = space.params(space.sample(number))
        folder.finished(number, 0.9 if params["m"] == 5 else 0.5, params["crops"] / 100, params=params)
    table = importance_table(read_study(folder.paths))
    assert table is not None
    assert [column.title for column in table.columns] == [
        *("Trainable", "Dimension", "Frontier, %", "Clean accuracy, %", "PGD accuracy at 8/255, %", "Trials"),
    ]
    assert {row[1] for row in table.rows} == {"crops", "m", "epsilon"}
    cells = {row[1]: row for row in table.rows}
    assert float(cells["crops"][4].split()[0]) > 60
    assert table.values.set_index("dimension")["clean_accuracy_share"].idxmax() == "m"
    assert table.values["frontier_share"].is_monotonic_decreasing


@pytest.mark.parametrize(
    ("share", "last", "expected"),
    [(0.5, 1.0, {"a": [0.025, 0.5, 0.975]}), (0.9, 0.5, {"a": [0.0125, 0.9, 0.9], "b": [0.1, 0.1, 0.9875]})],
    ids=["within", "beside"],
)
def test_an_interval_leaves_out_a_fortieth_of_the_resamples_at_each_end_and_holds_the_share(
    monkeypatch: pytest.MonkeyPatch, share: float, last: float, expected: dict[str, list[float]]
) -> None:
    def known(_: Pool, draws: Sequence[object], quantiles: Mapping[int | None, float]) -> dict[int | None, Any]:
        a = np.array([share, *np.linspace(0, last, len(draws) - 1)])
        return {place: {"a": a, "b": 1 - a} for place in quantiles}

    monkeypatch.setattr(Pool, "importances", known)
    x = uniform(40, ("a", "b"))
    found = importances(study_of(x.to_dict("records"), {"clean_accuracy": x["a"]})).set_index("dimension")
    for dimension, ends in expected.items():
        assert found.loc[dimension, ["low", "share", "high"]].tolist() == pytest.approx(ends)


@pytest.mark.parametrize(("trials", "best", "resamples"), [(20, 0.25, 100), (40, 0.125, 100), (200, 0.1, 50)])
def test_the_best_are_a_tenth_but_never_fewer_than_five_and_many_trials_are_resampled_less(
    monkeypatch: pytest.MonkeyPatch, trials: int, best: float, resamples: int
) -> None:
    asked = []

    def record(_: Pool, draws: Sequence[object], quantiles: Mapping[int | None, float]) -> dict[int | None, Any]:
        asked.append((len(draws) - 1, dict(quantiles)))
        return {place: {"a": np.ones(len(draws)), "b": np.ones(len(draws))} for place in quantiles}

    monkeypatch.setattr(Pool, "importances", record)
    x = uniform(trials, ("a", "b"))
    importances(study_of(x.to_dict("records"), {"clean_accuracy": x["a"]}))
    assert asked == [(resamples, {0: pytest.approx(best)})]
