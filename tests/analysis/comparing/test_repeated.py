"""Searches run several times: which studies are runs of one, what a difference rests on, and how it is told."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from scipy import stats

from analysis.comparing.repeated import Repeated, Repeats, Run, compute, difference, group_names
from analysis.frontier.uncertainty import student
from analysis.layout import write_atomically
from analysis.reading.runs import Study, read_study
from analysis.tables.repeated import gains_in_words, repeats_table
from trainables.config import UserError

PLANE = ("clean_accuracy", "pgd_accuracy")
Search = Callable[..., list[Study]]


@pytest.fixture
def search(new_study: Callable[..., Any]) -> Search:
    """Runs of one search: PGD accuracies of their trials, each of which is right on clean images and costs 1000."""

    def make(
        name: str, *runs: Sequence[float], seeds: Sequence[int] = (), file: str = "", **manifest: Any
    ) -> list[Study]:
        made = []
        for place, found in enumerate(runs):
            seed = seeds[place] if seeds else place
            folder = new_study(f"{name}-{place}", seed=seed, **manifest)
            write_atomically(folder.paths.study_file, f"name: {name}-{place}\nseed: {seed}\n{file}")
            for number, pgd in enumerate(found):
                folder.finished(number, 1.0, pgd, work=1000)
            made.append(read_study(folder.paths))
        return made

    return make


def repeated(name: str, found: Sequence[float], seeds: Sequence[int]) -> Repeated:
    runs = tuple(Run(f"{name}-{seed}", seed, 1, 1.0, 1.0, one, one) for seed, one in zip(seeds, found, strict=True))
    return Repeated(name, runs, student(found), student(found))


def test_runs_are_compared_at_the_work_that_each_spent(search: Search) -> None:
    one = search("one", (0.5, 0.75), (0.25, 0.25, 0.9), (0.5, 0.5))
    other = search("other", (0.1, 0.2), (0.2, 0.4), seeds=(7, 8))
    found = compute([one, other], PLANE)
    assert found.work == 2000
    first, second = found.searches
    assert [run.equal for run in first.runs] == pytest.approx([0.75, 0.25, 0.5]), "the third trial came too late"
    assert first.runs[1].hypervolume == pytest.approx(0.9)
    assert first.equal == pytest.approx(student([0.75, 0.25, 0.5]))
    (gain,) = found.differences
    low, high = stats.ttest_ind([0.75, 0.25, 0.5], [0.2, 0.4], equal_var=False).confidence_interval(0.95)
    assert (gain.paired, gain.told_apart) == (False, False)
    assert gain.gain == pytest.approx((0.2, low, high), abs=1e-9)
    assert second.name == "other"


def test_a_run_that_has_found_nothing_yet_stands_beside_no_other(search: Search) -> None:
    with pytest.raises(UserError, match="one-1: no trial has ended"):
        compute([search("one", (0.5, 0.75), ()), search("other", (0.1, 0.2), (0.2, 0.4))], PLANE)


def test_the_same_seeds_are_pairs_in_whatever_order(search: Search) -> None:
    one, other = search("one", (0.5,), (0.25,), (0.75,)), search("other", (0.5,), (0.75,), (0.25,), seeds=(1, 2, 0))
    (gain,) = compute([one, other], PLANE).differences
    assert gain.paired
    assert gain.gain == pytest.approx(student([0.25, -0.25, 0.0]))


def test_several_differences_hold_together(search: Search) -> None:
    groups = [search(name, (0.5,), (0.25,), seeds=(2 * place, 2 * place + 1)) for place, name in enumerate("abc")]
    found = compute(groups, PLANE)
    assert found.level == pytest.approx(1 - 0.05 / 3)
    low, high = stats.ttest_ind([0.5, 0.25], [0.5, 0.25]).confidence_interval(1 - 0.05 / 3)
    assert [one.gain for one in found.differences] == [pytest.approx((0, low, high))] * 3
    assert [(one.one, one.other) for one in found.differences] == [("a", "b"), ("a", "c"), ("b", "c")]


def test_confirmations_are_compared_by_their_hypervolume(new_confirmation: Callable[..., Any]) -> None:
    study = read_study(new_confirmation({3: [0.8, 0.9, 0.85]}).paths)
    (one,) = compute([[study]], ["clean_accuracy"]).searches
    assert math.isnan(one.runs[0].equal)
    assert one.found == [pytest.approx(0.85, abs=0.002)]
    assert one.runs[0].seed == "tiny", "what it confirms"


def test_what_differs_by_more_than_its_seed_is_no_run_of_one_search(search: Search) -> None:
    tpe, random = search("a", (0.5,), file="sampler: tpe\n"), search("b", (0.5,), seeds=(1,), file="sampler: random\n")
    with pytest.raises(UserError, match=r"a-0,b-0 are no runs of one search, for their study files differ in sampler"):
        compute([[*tpe, *random]], PLANE)
    longer = search("c", (0.5,), seeds=(1,), file="budget: {trials: 9}\ntracking: {offline: true}\nnew_key: 1\n")
    assert compute([[*tpe, *longer]], PLANE).searches[0].seeds == [0, 1]
    torn = search("d", (0.5,), seeds=(2,), file="sampler: [")
    assert compute([[*tpe, *torn]], PLANE).searches[0].seeds == [0, 2], "of a torn file nothing is known"


def changed(from_trial: int, **before: str) -> dict[str, Any]:
    return {"extensions": [{"from_trial": from_trial, **{f"{part}_before": old for part, old in before.items()}}]}


@pytest.mark.parametrize(
    "other", [{}, changed(2, sampler="tpe"), changed(1, sampler="qmc"), changed(1, sampler="tpe", space="x")]
)
def test_what_was_changed_otherwise_is_no_run_of_one_search(search: Search, other: dict[str, Any]) -> None:
    """Although their study files say the same."""
    file = "sampler: gp\n"
    extended = search("a", (0.5, 0.6), file=file, sampler="gp", **changed(1, sampler="tpe"))
    alike = search("b", (0.5, 0.6), seeds=(1,), file=file, sampler="gp", **changed(1, sampler="tpe"))
    assert compute([[*extended, *alike]], PLANE).searches[0].seeds == [0, 1]
    unlike = search("c", (0.5, 0.6), seeds=(2,), file=file, sampler="gp", **other)
    with pytest.raises(UserError, match=r"a-0,c-0 are no runs .* not changed alike \(a-0 from trial 0001 sampler: gp"):
        compute([[*extended, *unlike]], PLANE)


def test_numbers_that_repeats_left_out_are_no_difference(search: Search, new_study: Callable[..., Any]) -> None:
    one = search("a", (0.5, 0.6), sampler="gp", **changed(1, sampler="tpe"))
    gapped = new_study("b", seed=1, sampler="gp", **changed(4, sampler="tpe"))
    for number in (3, 5):
        gapped.finished(number, 1.0, 0.5, work=1000)
    assert compute([[*one, read_study(gapped.paths)]], PLANE).searches[0].seeds == [0, 1]


def test_a_run_and_its_copy_are_one(search: Search, new_confirmation: Callable[..., Any]) -> None:
    with pytest.raises(UserError, match=r"a-0,a-1: two of them have the same seed, 3,"):
        compute([search("a", (0.5,), (0.25,), seeds=(3, 3))], PLANE)
    confirmation = read_study(new_confirmation({3: [0.8]}).paths)
    with pytest.raises(UserError, match="two of them train again the same study, tiny,"):
        compute([[confirmation, confirmation]], ["clean_accuracy"])
    with pytest.raises(UserError, match="a comma joins searches, or confirmations"):
        compute([[*search("b", (0.5,)), confirmation]], ["clean_accuracy"])


@pytest.mark.parametrize(
    ("groups", "names"),
    [
        ([["tpe-0", "tpe-1"], ["random"]], ["tpe", "random"]),
        ([["tpe-10", "tpe-11"], ["cifar10-0", "cifar10-1"]], ["tpe", "cifar10"]),
        ([["a1", "a2"], ["a3", "a4"]], ["a1,a2", "a3,a4"]),
        ([["one", "two"], ["three"]], ["one,two", "three"]),
    ],
)
def test_a_search_is_called_what_its_runs_have_in_common(groups: list[list[str]], names: list[str]) -> None:
    assert group_names(groups) == names


def test_table_and_sentences_tell_who_is_above_whom(search: Search) -> None:
    one, other = search("one", (0.5,), (0.5,), (0.5,)), search("other", (0.25,), (0.275,), (0.225,))
    lone = search("lone", (0.1,), seeds=(9,))
    found = compute([other, one, lone], PLANE)
    gain = "+25.00 [+18.79, +31.21]"
    assert list(gains_in_words(found)) == [
        f"one finds more than other: {gain} points of hypervolume, 95 % interval over 3 pairs of runs.",
        "other against lone-0: a difference takes two runs or more of each.",
        "one against lone-0: a difference takes two runs or more of each.",
    ]
    table = repeats_table(found, "PGD accuracy", ranked=True)
    rows = {row[0].strip(): row[1:] for row in table.rows}
    assert rows["Runs"][0] == "other-0, other-1, other-2"
    assert rows["Hypervolume, mean, %"][1:] == ("50.0 [50.0, 50.0]", "10.0")
    assert rows["above other, points"] == ("–", gain, "-15.00")  # noqa: RUF001
    assert "at equal forward-equivalents: 1 k" in table.caption
    values = json.loads(table.json())
    assert [row["search"] for row in values] == ["other", "one", "lone-0"]
    assert values[1]["above_other"] == -values[0]["above_one"] == pytest.approx(0.25)
    assert (values[2]["above_one_low"], values[1]["above_one"]) == (None, None)
    assert values[0]["hypervolume_at_equal_forward_equivalents_high"] == pytest.approx(
        student([0.25, 0.275, 0.225]).high
    )
    apart = repeats_table(found, "PGD accuracy", ranked=False)
    assert not [name for name in [*apart.values, *(row[0] for row in apart.rows)] if "above" in name or "equal" in name]


def test_luck_that_may_be_a_difference_is_not_told_apart() -> None:
    (sentence,) = gains_in_words(_repeats(repeated("a", [0.2, 0.5], (1, 2)), repeated("b", [0.3, 0.5], (3, 4))))
    assert sentence.startswith("b and a are not told apart: +5.00 [")
    assert sentence.endswith("points of hypervolume, 95 % interval over 2 and 2 runs.")


def _repeats(*searches: Repeated) -> Repeats:
    return Repeats(searches, "forward_equivalents", 1.0, 0.95, (difference(*searches),))
