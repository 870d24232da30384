"""When a frontier of networks that are measured again is that of all trials: by brute force, and in words."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.frontier.settled import contenders, found, settled_sentence, settlement, undominated
from analysis.layout import read_json, write_json
from analysis.reading.runs import Study, read_study
from analysis.report.facts import facts
from trainables.metrics import Direction

NewStudy = Callable[..., Any]
Draw = Callable[..., Any]
Vector = tuple[float, ...]


def better(one: Vector, other: Vector, signs: Sequence[int]) -> bool:
    """Nowhere worse, somewhere better."""
    gains = [sign * (mine - theirs) for mine, theirs, sign in zip(one, other, signs, strict=True)]
    return min(gains) >= 0 and max(gains) > 0


@st.composite
def searches(draw: Draw) -> tuple[list[Direction], dict[int, Vector], dict[int, Vector | None]]:
    """Directions, best cases, and what the trials truly reach; on a coarse grid, so that many are equal."""
    directions = draw(st.lists(st.sampled_from(get_args(Direction)), min_size=2, max_size=3))
    worse = st.integers(0, 2)
    best = draw(st.lists(st.tuples(*(st.integers(0, 4) for _ in directions)), min_size=1, max_size=9))
    signs = [1 if way == "maximize" else -1 for way in directions]
    lost = [draw(st.tuples(*(worse for _ in directions))) for _ in best]
    true = [
        None if draw(st.integers(0, 5)) == 0 else tuple(b - s * w for b, s, w in zip(one, signs, by, strict=True))
        for one, by in zip(best, lost, strict=True)
    ]
    numbers = draw(st.permutations(range(len(best))))
    return directions, dict(zip(numbers, best, strict=True)), dict(zip(numbers, true, strict=True))


@given(searches(), st.data())
def test_the_rounds_end_with_the_true_frontier_and_measure_what_any_proof_needs_and_no_other(
    search: tuple[list[Direction], dict[int, Vector], dict[int, Vector | None]], data: st.DataObject
) -> None:
    """Whichever of the contenders end first, and whoever was measured by name before."""
    directions, best, true = search
    signs = [1 if way == "maximize" else -1 for way in directions]
    by_name = data.draw(st.sets(st.sampled_from(sorted(best)), max_size=2))
    ends = {number: true[number] for number in by_name}
    while waiting := contenders(best, ends, directions):
        assert set(waiting) <= set(undominated(best.keys() - ends.keys(), best, ends, directions))
        for number in data.draw(st.sets(st.sampled_from(waiting), min_size=1)):
            ends[number] = true[number]
    figures = [vector for vector in true.values() if vector is not None]
    frontier = {
        number
        for number, vector in true.items()
        if vector is not None and not any(better(other, vector, signs) for other in figures)
    }
    measured = {number: vector for number, vector in ends.items() if vector is not None}
    shown = {
        number
        for number, vector in measured.items()
        if not any(better(other, vector, signs) for other in measured.values())
    }
    assert shown == frontier
    needed = {number for number, point in best.items() if not any(better(other, point, signs) for other in figures)}
    assert ends.keys() - by_name <= needed <= ends.keys()


@given(searches(), st.data())
def test_what_a_dry_run_names_at_most_holds_whatever_autoattack_finds(
    search: tuple[list[Direction], dict[int, Vector], dict[int, Vector | None]], data: st.DataObject
) -> None:
    directions, best, true = search
    ends = {number: true[number] for number in data.draw(st.sets(st.sampled_from(sorted(best)), max_size=4))}
    at_most = set(undominated(best.keys() - ends.keys(), best, ends, directions))
    before = set(ends)
    while waiting := contenders(best, ends, directions):
        ends |= {number: true[number] for number in waiting}
    assert ends.keys() - before <= at_most


BEST = {3: (0.9, 0.5), 12: (0.8, 0.6), 7: (0.7, 0.4), 5: (0.6, 0.3)}
"""Clean accuracy and what PGD left: 3 and 12 stand first."""


@pytest.fixture
def measuring(new_study: NewStudy) -> Callable[..., Study]:
    """The study that measures them: by trial what AutoAttack left, ``None`` where the measurement failed."""

    def make(left: dict[int, float | None], **changes: Any) -> Study:
        names = ("clean_accuracy", "auto_attack_accuracy")
        cases = [{"trial": trial, "values": dict(zip(names, best, strict=True))} for trial, best in BEST.items()]
        listed = [{"trial": trial, "trainable": "cf_amc_ssl", "params": {}} for trial in left]
        told = {"study": "first", "configurations": listed, "best_cases": cases} | changes
        folder = new_study(
            "first-measured", measures=told, objectives=[{"metric": name} for name in names], budget={"trials": 4}
        )
        for number, (trial, auto) in enumerate(left.items()):
            if auto is None:
                at = folder.failed(number)
                write_json(at.config, read_json(at.config) | {"params": {"configuration": trial}})
            else:
                params = {"configuration": trial}
                clean = BEST.get(trial, (0.0,))[0]
                folder.finished(number, clean, 0.5, params=params, clean_accuracy=clean, auto_attack_accuracy=auto)
        return read_study(folder.paths)

    return make


@pytest.mark.parametrize(
    ("left", "told"),
    [
        (
            {},
            "Not settled: trials 0003, 0012 of first may stand on this frontier, too; the same",
        ),
        ({3: 0.45, 12: 0.2}, "Settled: 2 of the 4 trusted trials of first are measured, and no other can stand"),
        ({3: 0.3, 12: 0.5}, "Settled: 2 of the 4"),
        ({3: 0.3, 12: 0.3}, "Not settled: trial 0007 of first may"),
        ({3: 0.2, 12: 0.2, 7: 0.2}, "Not settled: trial 0005 of first may"),
        ({3: 0.3, 12: 0.3, 7: 0.3}, "Settled: 3 of the 4"),
        (
            {3: None, 12: 0.5},
            "Not settled: trial 0003 of first may stand on this frontier, too, and could not be measured; 1 of the 4",
        ),
        ({3: 0.5, 12: 0.5, 7: None}, "Settled: 2 of the 4"),
        ({12: None, 3: None, 7: 0.4}, "Not settled: trials 0012, 0003 of first may stand on this frontier, too, and"),
        ({3: 0.45, 12: 0.61}, "on this frontier unless, as trial 0012 did, it comes out better than first had it."),
        ({3: 0.3, 12: 0.3, 99: 0.9}, "Not settled: trial 0007"),
    ],
)
def test_what_is_settled_is_told_from_what_is_open(
    measuring: Callable[..., Study], left: dict[int, float | None], told: str
) -> None:
    study = measuring(left)
    assert told in settled_sentence(study)
    assert dict(facts(study))["Frontier"] == settled_sentence(study)


def test_a_network_that_is_lost_leaves_the_frontier_open_as_far_as_it_may_stand_there(
    measuring: Callable[..., Study],
) -> None:
    lost = [{"trial": 3, "reason": "it is missing"}, "torn"]
    open_by_it = settlement(measuring({12: 0.5}, lost=lost))
    assert (open_by_it.open, open_by_it.failed, open_by_it.measured) == ([], [3], 1)
    beaten = settlement(measuring({12: 0.5}, lost=[{"trial": 5}]))
    assert (beaten.open, beaten.failed) == ([3], [])
    found_again = settlement(measuring({3: 0.45, 12: 0.5}, lost=lost))
    assert (found_again.open, found_again.failed) == ([], [])


def test_flagged_figures_dominate_nobody_and_need_no_second_measurement(measuring: Callable[..., Study]) -> None:
    study = measuring({3: 0.5, 12: 0.5})
    assert "Settled: 2 of" in settled_sentence(study)
    verdicts = ["flagged: noise breaks it", "trusted"]
    doubted = Study(study.name, study.manifest, study.trials.assign(verdict=verdicts), study.curves)
    assert found(doubted) == {3: None, 12: [0.8, 0.5]}
    assert settlement(doubted)._asdict() == {
        "study": "first", "trials": 4, "measured": 2, "open": [], "failed": [], "beyond": []
    }  # fmt: skip
    both = Study(study.name, study.manifest, study.trials.assign(verdict=verdicts[0]), study.curves)
    assert settlement(both).open == [7]


def test_what_runs_is_open(measuring: Callable[..., Study]) -> None:
    study = measuring({3: 0.5, 12: 0.5})
    running = Study(study.name, study.manifest, study.trials.assign(status=["running", "finished"]), study.curves)
    assert found(running).keys() == {12}
    assert settlement(running).open == [3]


@pytest.mark.parametrize(
    "cases",
    [
        None,
        7,
        [],
        [{"trial": 3}],
        [{"trial": 3, "values": {"clean_accuracy": 0.9}}],
        ["x"],
        [{"trial": 3, "values": {"clean_accuracy": "high"}}],
        [{"values": {}}],
    ],
)
def test_nothing_is_claimed_where_no_frontier_was_to_be_settled_or_its_best_cases_are_damaged(
    measuring: Callable[..., Study], cases: Any
) -> None:
    study = measuring({3: 0.5, 12: 0.5}, best_cases=cases)
    assert settled_sentence(study) == ""
    assert "Frontier" not in dict(facts(study))


def test_a_trial_whose_file_is_damaged_costs_itself_alone(measuring: Callable[..., Study]) -> None:
    study = measuring({3: 0.3, 12: 0.5})
    column = "param.configuration"
    torn = Study(study.name, study.manifest, study.trials.assign(**{column: [float("nan"), 12]}), study.curves)
    assert (found(torn), settlement(torn).open) == ({12: [0.8, 0.5]}, [3])
    gone = Study(study.name, study.manifest, study.trials.drop(columns=column), study.curves)
    assert (found(gone), settlement(gone).open) == ({}, [3, 12])
