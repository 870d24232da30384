"""Studies side by side: sums done by hand, properties, and intervals that hold what trials deserve."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.stats import norm

from analysis.comparing.comparability import titles
from analysis.comparing.side_by_side import WORK, Side, compute, equal_work, gather, greatest
from analysis.figures import side_by_side as figures
from analysis.frontier.pareto import hypervolume, non_dominated
from analysis.frontier.resampling import Candidate
from analysis.frontier.same_images import Seen
from analysis.layout import read_json, write_json
from analysis.reading.runs import Study, read_study
from analysis.searched.dimensions import range_words
from analysis.tables.side_by_side import of_what, settings_table, standings_table, why_minutes
from trainables.metrics import FORWARD_EQUIVALENTS

PATHS = {"m": "adversary.replays", "crops": "views.number"}
PLANE = ("clean_accuracy", "pgd_accuracy")
BOTH = ["maximize", "maximize"]
Points = Sequence[tuple[float, float]]


def side(
    name: str, points: Points, images: float = 1000, work: Sequence[float] = (), volumes: Sequence[float] = ()
) -> Side:
    """A search of one trial a point."""
    known = np.array([images, images])
    found = [Candidate(f"{name}/{place}", np.array([point]), known) for place, point in enumerate(points)]
    table = pd.DataFrame(points, columns=list(PLANE)).assign(counts=True)
    ends = {f"{metric}_{end}": math.nan for metric in PLANE for end in ("low", "high")}
    path = pd.DataFrame({WORK: list(work), "hypervolume": list(volumes)}, dtype=float)
    return Side(name, PLANE, FORWARD_EQUIVALENTS, len(points), 0.0, 0.0, table.assign(**ends), found, path)


def test_hypervolume_frontiers_and_shares_of_studies_with_exact_figures() -> None:
    """Without a number of images nothing is redrawn, so the better one is so for certain."""
    one, other = compute(
        [side("a", [(0.5, 0.5), (0.4, 0.4), (0.8, 0.25)], math.nan), side("b", [(0.6, 0.5)], math.nan)]
    )
    assert (one.hypervolume, other.hypervolume) == (pytest.approx(0.325), pytest.approx(0.3))
    assert (one.counted, one.frontier, other.frontier) == (3, 2, 1)
    assert (one.joint, other.joint, one.share) == (1, 1, 0.5), "0.5, 0.5 is beaten by the other study"
    assert (one.chance, other.chance) == (1.0, 0.0)
    assert math.isnan(one.low), "an interval of nothing"
    assert one.best["clean_accuracy"][0] == 0.8
    assert one.best["pgd_accuracy"][0] == 0.5


def test_the_chance_that_one_accuracy_is_the_greater_is_that_of_two_shares() -> None:
    """Of one trial each, perfect but under attack: the hypervolume is the PGD accuracy, nearly normal."""
    one, other = compute([side("a", [(1.0, 0.52)], 2000), side("b", [(1.0, 0.50)], 2000)])
    deviation = math.sqrt((0.52 * 0.48 + 0.5 * 0.5) / 2000)
    assert one.chance == pytest.approx(0.5 * (1 + math.erf(0.02 / deviation / math.sqrt(2))), abs=0.04)
    assert one.chance + other.chance == pytest.approx(1.0)
    half = 1.96 * math.sqrt(0.52 * 0.48 / 2000)
    assert (one.low, one.high) == pytest.approx((0.52 - half, 0.52 + half), abs=0.004)


def test_equal_work_is_the_least_that_a_search_spent() -> None:
    short = side("a", [], work=[10, 20], volumes=[0.1, 0.3])
    longer = side("b", [], work=[5, 15, 25], volumes=[0.2, 0.25, 0.5])
    none, begun = side("c", []), side("d", [], work=[0], volumes=[0])
    assert equal_work([longer, short, none, begun]) == 20
    standings = compute([short, longer, none, begun])
    assert [one.equal for one in standings[:2]] == [0.3, 0.25]
    assert math.isnan(standings[2].equal)
    assert standings[3].equal == 0
    late = side("e", [], work=[30], volumes=[0.9])
    assert compute([short, late])[1].equal == 0, "it had found nothing by then"


Share = st.integers(0, 20).map(lambda count: count / 20)
Search = st.lists(st.tuples(Share, Share), max_size=6)


@given(st.lists(Search, min_size=2, max_size=3), st.randoms(use_true_random=False))
@settings(deadline=None, max_examples=15)
def test_standings_do_not_depend_on_order_and_shares_are_of_one_whole(searches: list[Points], random: Any) -> None:
    sides = [side(str(place), points, math.nan) for place, points in enumerate(searches)]
    shuffled = random.sample(sides, len(sides))
    standings = {one.name: one for one in compute(sides, draws=20)}
    for one in compute(shuffled, draws=20):
        known = standings[one.name]
        assert one[1:-1] == pytest.approx(known[1:-1], nan_ok=True)
        assert list(one.best) == list(known.best)
    every = [point for points in searches for point in points]
    best = non_dominated(every, BOTH)  # type: ignore[arg-type]
    assert sum(one.joint for one in standings.values()) == best.sum()
    if every:
        assert sum(one.share for one in standings.values()) == pytest.approx(1.0)
        assert sum(one.chance for one in standings.values()) == pytest.approx(1.0)
    joint = hypervolume(every, BOTH, [0.0, 0.0])  # type: ignore[arg-type]
    assert max(one.hypervolume for one in standings.values()) <= joint + 1e-12


def test_draws_that_are_equal_are_shared() -> None:
    assert greatest(np.array([[1.0, 1.0, 0.0], [0.0, 2.0, 1.0]])).tolist() == [0.25, 0.75, 0.0]


def test_intervals_hold_the_hypervolume_that_the_trials_deserve() -> None:
    """Simulated searches along a trade-off; not reflected, 5 to 35 % of the intervals held it."""
    rng = np.random.default_rng(0)
    held = 0
    for _ in range(12):
        true = _trade_off(rng, 40)
        right = rng.binomial(400, true[:, 0])
        shown = np.column_stack([right, rng.binomial(right, true[:, 1] / true[:, 0])]) / 400
        one, _other = compute([side("a", [(clean, pgd) for clean, pgd in shown], 400), side("b", [])], draws=400)
        held += one.low <= hypervolume(true, BOTH, [0.0, 0.0]) <= one.high  # type: ignore[arg-type]
    assert held >= 9, "of 12 at 93 % fewer come once in 1,000 times"


def test_intervals_hold_it_where_images_are_hard_for_all_trials_alike() -> None:
    """So one draw of images is lucky for all of them; with each trial's drawn by themselves, 7 in 10 hold it."""
    rng = np.random.default_rng(0)
    held, narrow = 0, 0
    for _ in range(8):
        true = _trade_off(rng, 40)
        right = _judged(rng, true, 400)
        found = side("a", [(clean, pgd) for clean, pgd in right.mean(axis=2)], 400)
        together = found._replace(
            candidates=[
                candidate._replace(seen=Seen("same", 400, np.packbits([one], axis=-1), ALL_OF_400))
                for candidate, one in zip(found.candidates, right, strict=True)
            ]
        )
        drawn, apart = (compute([one, side("b", [])], draws=400)[0] for one in (together, found))
        held += drawn.low <= hypervolume(true, BOTH, [0.0, 0.0]) <= drawn.high  # type: ignore[arg-type]
        narrow += apart.high - apart.low < 0.75 * (drawn.high - drawn.low)
    assert held >= 6, "of 8 at 94 % fewer come once in 130 times"
    assert narrow == 8


ALL_OF_400 = np.packbits(np.ones((2, 400), dtype=bool), axis=-1)


def _judged(rng: np.random.Generator, true: NDArray[np.float64], images: int) -> NDArray[np.bool_]:
    """(trials, 2, images) Which are right, of images whose hardness has a correlation of 0.8 between trials."""
    ease = math.sqrt(0.8) * rng.normal(size=images) + math.sqrt(0.2) * rng.normal(size=(len(true), images))
    return np.asarray(ease[:, None] < norm.ppf(true)[:, :, None])


def _trade_off(rng: np.random.Generator, trials: int) -> NDArray[np.float64]:
    place, quality = rng.uniform(size=trials), rng.beta(5, 1, trials)
    clean = 0.5 + 0.4 * place * quality
    return np.column_stack([clean, np.minimum(0.5 * quality * (1 - 0.8 * place**2), 0.95 * clean)])


@pytest.fixture
def pair(new_study: Callable[..., Any]) -> list[Study]:
    """Two searches; of the second a trial is flagged, one runs, and one is beyond its bounds."""
    one, other = new_study("one"), new_study("other", constraints={"gpu_minutes": 50.0})
    one.finished(0, 0.5, 0.5, work=1000)
    one.finished(1, 0.8, 0.25, work=1000)
    other.finished(0, 0.6, 0.4, work=3000, trainable="pgd_emp_ssl")
    write_json(other.finished(1, 0.9, 0.9, work=1000).result, {"verdict": "flagged: noise <breaks> it"})
    other.finished(2, 0.95, 0.95, work=1000, gpu_minutes=100.0)
    other.begin(3, {"m": 3})
    return [read_study(one.paths), read_study(other.paths)]


def test_flagged_and_infeasible_trials_cost_and_count_for_nothing(pair: list[Study]) -> None:
    one, other = compute(gather(pair, PLANE))
    assert (one.finished, one.counted, other.finished, other.counted) == (2, 2, 3, 1)
    assert other.hypervolume == pytest.approx(0.24)
    assert other.forward_equivalents == 5000
    assert other.equal == 0, "its first trial cost more than all of the other study's"
    assert one.equal == one.hypervolume
    assert one.low < one.hypervolume < one.high
    low, high = (pair[0].trials.loc[1, f"clean_accuracy_{end}"] for end in ("low", "high"))
    assert one.best["clean_accuracy"] == (pytest.approx(0.8), low, high)


def test_only_the_accuracies_that_are_compared_decide(pair: list[Study]) -> None:
    one, other = compute(gather(pair, ["pgd_accuracy"]))
    assert (one.hypervolume, other.hypervolume) == (pytest.approx(0.5), pytest.approx(0.4))
    assert (one.frontier, list(one.best)) == (1, ["pgd_accuracy"])


def test_confirmations_compare_by_their_means_over_seeds(new_confirmation: Callable[..., Any]) -> None:
    study = read_study(new_confirmation({3: [0.8, 0.9, 0.85], 5: [0.5, 0.6, 0.7]}).paths)
    one, _ = compute(gather([study, study], ["clean_accuracy"]))
    assert (one.finished, one.counted, one.frontier) == (6, 2, 1)
    assert one.hypervolume == pytest.approx(0.85, abs=0.002)
    assert one.best["clean_accuracy"][0] == pytest.approx(one.hypervolume)
    assert math.isnan(one.equal), "a confirmation searches nothing"
    marks = figures.compute(gather([study, study], ["clean_accuracy"]), titles([study]))
    assert marks[0].points["id"].tolist() == ["tiny/0003", "tiny/0005"]


def test_searches_of_unlike_networks_are_compared_at_equal_minutes(new_study: Callable[..., Any]) -> None:
    """A forward-equivalent is a pass of a trial's own network: of a small one it is little work."""
    one, other = new_study("one"), new_study("other")
    for folder, width in ((one, 64), (other, 8)):
        for number, clean in enumerate((0.5, 0.9)):
            folder.finished(number, clean, 0.5, work=1000, gpu_minutes=float(width))
            config = read_json(folder.paths.trial(number).config)
            config["config"]["network"]["width"] = width
            write_json(folder.paths.trial(number).config, config)
    studies = [read_study(folder.paths) for folder in (one, other)]
    large, small = compute(gather(studies, PLANE))
    assert (large.equal, small.equal) == (0, pytest.approx(0.45)), "16 minutes, in which the first ended no trial"
    rows = [row[0].strip() for row in standings_table([large, small], titles(studies), ranked=True).rows]
    assert "at equal GPU-minutes, %" in rows
    assert "at equal forward-equivalents, %" not in rows
    (why,) = why_minutes(large.cost)
    assert why.startswith("Their networks differ")
    figure = figures.side_by_side_figure(gather(studies, PLANE), titles(studies), ranked=True)
    assert figure.layout.xaxis2.title.text == "Cost of trials that have ended (GPU-minutes)"
    assert [text.text for text in figure.layout.annotations] == ["equal GPU-minutes"]
    (alike, _), cost = compute(gather([studies[1], studies[1]], PLANE)), FORWARD_EQUIVALENTS
    assert (alike.cost, why_minutes(cost)) == (cost, [])


def test_tables_have_a_column_a_study_and_values_a_row(pair: list[Study]) -> None:
    table = standings_table(compute(gather(pair, PLANE)), titles(pair), ranked=True)
    assert [column.title for column in table.columns] == ["", "one", "other"]
    rows = {row[0].strip(): row[1:] for row in table.rows}
    assert rows["Trials or configurations unflagged, within bounds"] == ("2", "1")
    assert rows["Forward-equivalents"] == ("2 k", "5 k")
    assert "Best PGD accuracy at 8/255, %" in rows
    assert "PGD accuracy at 8/255; hypervolume from accuracy 0" in table.caption
    assert "costs do not enter it" in of_what(pair)
    values = json.loads(table.values.to_json(orient="records"))
    assert [row["study"] for row in values] == ["one", "other"]
    assert values[1]["hypervolume"] == pytest.approx(0.24)
    assert values[1]["clean_accuracy_low"] < values[1]["clean_accuracy"]


def test_settings_that_differ_are_held_or_searched(new_study: Callable[..., Any]) -> None:
    searched = {"name": "CategoricalDistribution", "attributes": {"choices": [3, 7]}}
    one, other = new_study("one", space={"parameters": {"m": searched}}), new_study("other")
    for number, replays in enumerate((3, 7)):
        one.begin(number, {"m": replays}, settings={"adversary.replays": replays, "views.number": 8})
    other.begin(0, {}, settings={"adversary.replays": 5, "views.number": 8, "optimiser.epochs": 7})
    studies = [read_study(folder.paths) for folder in (one, other)]
    table = settings_table(studies, PATHS)
    assert table is not None
    rows = {row[0]: row[1:] for row in table.rows}
    assert rows["m"] == ("3, 7", "adversary.replays 5"), "under the name of the setting that is held"
    assert "adversary.replays" not in rows
    assert rows["optimiser.epochs"][1] == "7"
    assert "views.number" not in rows
    assert "seed" not in rows
    assert settings_table([studies[1], replace(studies[1], name="again")], PATHS) is None
    assert settings_table([studies[1], read_study(new_study("empty").paths)], PATHS) is None, (
        "of no trials nothing is known"
    )


def test_a_range_is_searched_though_its_draws_are_all_alike(new_study: Callable[..., Any]) -> None:
    space = {"parameters": {"m": {"name": "CategoricalDistribution", "attributes": {"choices": [3, 7]}}}}
    one, other = new_study("one", space=space), new_study("other", space=space)
    for folder, drawn in ((one, (3, 3)), (other, (3, 7))):
        for number, replays in enumerate(drawn):
            folder.begin(number, {"m": replays}, settings={"adversary.replays": replays})
    other.begin(2, {"m": 7}, settings={"adversary.replays": 7, "optimiser.epochs": 7})
    table = settings_table([read_study(folder.paths) for folder in (one, other)], PATHS)
    assert table is not None
    assert [row[0] for row in table.rows] == ["optimiser.epochs"]


def test_ranges_of_single_trainables_stand_beside_what_is_held_by_them_alone(new_study: Callable[..., Any]) -> None:
    crops = {"name": "IntDistribution", "attributes": {"low": 4, "high": 64}}
    one = new_study("one", space={"parameters": {"cf_amc_ssl.crops": crops}})
    shared, held = new_study("shared", space={"parameters": {"crops": crops}}), new_study("held")
    for folder in (one, shared, held):
        for number, (trainable, views) in enumerate((("cf_amc_ssl", 8), ("simclr_free", 2))):
            folder.begin(number, {}, trainable, {"views.number": views})
    table = settings_table([read_study(folder.paths) for folder in (one, shared, held)], PATHS)
    assert table is not None
    assert table.rows == (
        ("cf_amc_ssl.crops", "4 to 64", "–", "views.number 8"),  # noqa: RUF001
        ("crops", "–", "4 to 64", "views.number 2, 8"),  # noqa: RUF001
    )


def test_settings_that_a_network_does_not_have_are_left_out(new_study: Callable[..., Any]) -> None:
    one, other = new_study("one"), new_study("other")
    transformer = {"network.architecture": "vit_tiny", "network.patch_size": 8}
    one.begin(0, {}, settings=transformer)
    other.begin(0, {}, settings=transformer)
    other.begin(1, {})
    assert settings_table([read_study(folder.paths) for folder in (one, other)], PATHS) is None


def test_settings_are_those_that_the_files_search_whatever_was_drawn(new_study: Callable[..., Any]) -> None:
    crops = {"name": "IntDistribution", "attributes": {"low": 4, "high": 64}}
    names = {"cf_amc_ssl": {"parameters": {"crops": "crops"}}, "simclr_free": {"parameters": {"m": "m"}}}
    same = {"trainables": [*names], "space": {"parameters": {"crops": crops, "m": crops}, "trainables": names}}
    one, other = (new_study(name, **same) for name in ("one", "other"))
    for number, views in enumerate((5, 9)):
        one.begin(number, {"crops": views}, settings={"views.number": views, "views.scale_min": 0.3})
    for number, replays in enumerate((3, 7), start=2):
        settings = {"views.number": 2, "adversary.replays": replays}
        one.begin(number, {"m": replays}, trainable="simclr_free", settings=settings)
    settings = {"views.number": 2, "adversary.replays": 5, "optimiser.weight_decay": 0.5}
    other.begin(0, {"m": 5}, trainable="simclr_free", settings=settings)
    table = settings_table([read_study(folder.paths) for folder in (one, other)], PATHS)
    assert table is not None
    assert [row[0] for row in table.rows] == ["optimiser.weight_decay"]


def test_ranges_differ_in_where_they_are_searched(new_study: Callable[..., Any]) -> None:
    spaces = [
        {
            "parameters": {"m": {"name": "CategoricalDistribution", "attributes": {"choices": [3, 7]}}},
            "trainables": {"cf_amc_ssl": {"parameters": {"m": "m"}, **when}},
        }
        for when in ({}, {"when": {"m": {"crops": [2, 4]}}})
    ]
    studies = [read_study(new_study(f"s{place}", space=space).paths) for place, space in enumerate(spaces)]
    table = settings_table(studies, PATHS)
    assert table is not None
    assert table.rows == (("m", "3, 7", "3, 7 where crops is 2 or 4"),)


def test_a_confirmation_searches_nothing(new_study: Callable[..., Any]) -> None:
    drawn = {"name": "IntDistribution", "attributes": {"low": 32, "high": 59}}
    told = {"study": "tiny", "seeds": [1], "configurations": [{"trial": 32}, {"trial": 59}]}
    one, other = new_study("one", confirms=told, space={"parameters": {"configuration": drawn}}), new_study("other")
    for number, views in enumerate((4, 5)):
        one.begin(number, {"configuration": 32}, settings={"views.number": views})
    other.begin(0, {}, settings={"views.number": 5})
    table = settings_table([read_study(folder.paths) for folder in (one, other)], PATHS)
    assert table is not None
    assert table.rows == (("views.number", "4, 5", "5"),)


@pytest.mark.parametrize(
    ("attributes", "words"),
    [
        ({"low": 0.05, "high": 1.0, "log": True, "step": None}, "0.05 to 1 (log)"),
        ({"low": 4, "high": 24, "log": False, "step": 4}, "4 to 24 in steps of 4"),
        ({"low": 4, "high": 24, "log": False, "step": 1}, "4 to 24"),
        ({"choices": [3, 5]}, "3, 5"),
        ("torn", "–"),  # noqa: RUF001
    ],
)
def test_ranges_in_words(attributes: Any, words: str) -> None:
    assert range_words("m", {"name": "any", "attributes": attributes}) == words
    assert range_words("epsilon", {"attributes": {"low": 4 / 255, "high": 8 / 255}}) == "4/255 to 8/255"


def test_the_figure_shows_each_study_in_its_colour_and_symbol(pair: list[Study], tmp_path: Path) -> None:
    pair[1] = replace(pair[1], name="other <b>")
    sides = gather(pair, PLANE)
    one, other = figures.compute(sides, titles(pair))
    assert (one.colour, one.symbol) != (other.colour, other.symbol)
    assert one.points["best"].tolist() == [True, True]
    assert other.points["counts"].tolist() == [True, False, False]
    assert other.points["best"].tolist() == [True, False, False]
    assert "noise &lt;breaks&gt; it" in other.points["text"].iloc[1]
    assert one.points["x_minus"].iloc[1] == pytest.approx(80 - 100 * pair[0].trials.loc[1, "clean_accuracy_low"])
    assert one.volume.tolist() == pytest.approx([25.0, 32.5])
    figure = figures.side_by_side_figure(sides, titles(pair), ranked=True)
    symbols = {trace.marker.symbol for trace in figure.data if trace.mode == "markers"}
    assert {"circle", "square", "square-open", "circle-open"} <= symbols
    assert {trace.name for trace in figure.data if trace.name} >= {"one", "other &lt;b&gt;"}
    figures.write_side_by_side(figure, tmp_path / "figure.html")
    assert "<script src" not in (tmp_path / "figure.html").read_text()


def test_runs_of_one_search_share_colour_symbol_and_a_place_in_the_legend(pair: list[Study]) -> None:
    sides, names = gather([*pair, replace(pair[1], name="third")], PLANE), ("one", "other", "other")
    marks = figures.compute(sides, titles(pair), names)
    assert [(one.name, one.search) for one in marks] == [("one", "one"), ("other", "other"), ("third", "other")]
    assert marks[1][2:4] == marks[2][2:4] != marks[0][2:4]
    figure = figures.side_by_side_figure(sides, titles(pair), names, ranked=True)
    assert figure.layout.title.text == ""
    once = figures.side_by_side_figure(sides[:2], titles(pair), ranked=True)
    assert once.layout.title.text == "One run of each search: others would differ"
    shown = [trace.name for trace in figure.data if trace.showlegend is not False]
    assert shown == ["one", "other", "hollow: flagged, or beyond the study's bounds"]


def test_nothing_to_compare_yet_is_no_error(new_study: Callable[..., Any]) -> None:
    empty, flagged = new_study("empty"), new_study("flagged")
    write_json(flagged.finished(0, 0.9, 0.9).result, {"verdict": "flagged: noise breaks it"})
    studies = [read_study(folder.paths) for folder in (empty, flagged)]
    sides = gather(studies, PLANE)
    standings = compute(sides)
    assert [one.hypervolume for one in standings] == [0, 0]
    assert all(math.isnan(one.chance) and math.isnan(one.low) and math.isnan(one.share) for one in standings)
    assert len(standings_table(standings, titles(studies), ranked=True).rows[0]) == 3
    assert figures.side_by_side_figure(sides, titles(studies), ranked=True).data
    assert (
        figures.side_by_side_figure(sides[:1], titles(studies), ranked=True).layout.xaxis.title.text
        == "Clean accuracy (%)"
    )
