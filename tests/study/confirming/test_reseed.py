"""What was chosen, trained again with new seeds on the search's own images, and a confirmation chosen by that."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from analysis.frontier.confirmed import confirmations_of, confirmed, reseedings_of
from analysis.layout import StudyPaths, read_events, study_paths, write_json
from analysis.reading.runs import read_study
from study.choosing.request import ChoiceError
from study.confirming.confirm import confirm, prepare
from study.confirming.plan import plan
from study.confirming.request import Confirm, Reseed
from trainables.config import flatten, from_dict
from trainables.metrics import AUTO_ATTACK_ACCURACY, CLEAN_ACCURACY, PGD_ACCURACY

Once = Callable[[str, Callable[[], object]], StudyPaths]


def quiet() -> Console:
    return Console(file=io.StringIO(), width=400)


def again(**changes: Any) -> Reseed:
    return Reseed(**({"study": "tiny", "trials": (0, 2), "seeds": 2} | changes))


@pytest.fixture
def reseeded(once: Once, parent: StudyPaths) -> StudyPaths:
    return once("tiny-reseeded", lambda: confirm(again(), backend="inline", console=quiet()))


def leaves(paths: StudyPaths, number: int) -> dict[str, Any]:
    return flatten(from_dict(json.loads(paths.trial(number).config.read_text())["config"]))


def reach(paths: StudyPaths, number: int, clean: float, pgd: float) -> None:
    """Let a trial have ended with these accuracies, of which images is not known."""
    *before, ended = read_events(paths.trial(number))
    ended.pop("outcomes", None)
    ended["metrics"] |= {CLEAN_ACCURACY: clean, PGD_ACCURACY: pgd}
    paths.trial(number).events.write_text("".join(json.dumps(event) + "\n" for event in [*before, ended]))


def test_nothing_but_the_seed_is_another(parent: StudyPaths, reseeded: StudyPaths) -> None:
    for number, (trial, seed) in enumerate([(0, 5), (2, 5), (0, 6), (2, 6)]):
        before, after = leaves(parent, trial), leaves(reseeded, number)
        assert {path for path in before if before[path] != after[path]} == {"seed"}
        assert after["seed"] == seed
        results = [
            json.loads(paths.trial(one).result.read_text()) for paths, one in ((parent, trial), (reseeded, number))
        ]
        assert results[0]["data"] == results[1]["data"]
        assert {result["split"] for result in results} == {"validation"}
    found = confirmed(read_study(reseeded))
    assert found["configuration"].tolist() == ["tiny/0000", "tiny/0002"]
    assert found["seeds"].tolist() == [2, 2]
    searched = read_study(parent).finished.set_index("number")
    for name in (CLEAN_ACCURACY, PGD_ACCURACY):
        assert found[f"searched.{name}"].tolist() == searched.loc[[0, 2], name].tolist()
    assert (reseedings_of(parent), confirmations_of(parent)) == (["tiny-reseeded"], [])


def test_under_an_attack_that_is_asked_for_its_accuracy_is_the_objective(parent: StudyPaths) -> None:
    assert prepare(again()).config.objectives == [CLEAN_ACCURACY, PGD_ACCURACY]
    attacked = prepare(again(attack="autoattack", settings={"evaluation.auto_attack_images": 8})).config
    assert attacked.objectives == [CLEAN_ACCURACY, AUTO_ATTACK_ACCURACY]
    assert attacked.confirms is not None
    assert {config.evaluation.auto_attack_images for config in attacked.confirms.configs()} == {8}


def test_more_seeds_are_added_and_another_reseeding_has_others(reseeded: StudyPaths) -> None:
    assert prepare(again(seeds=4)).config.confirms.seeds == [5, 6, 7, 8]
    assert prepare(again(name="other")).config.confirms.seeds == [7, 8]


def test_a_confirmation_takes_what_is_best_over_the_seeds_and_none_of_these(reseeded: StudyPaths) -> None:
    """The second configuration is the better one, although the first had the best single seed."""
    for number, (clean, pgd) in enumerate([(0.9, 0.6), (0.8, 0.5), (0.2, 0.1), (0.8, 0.5)]):
        reach(reseeded, number, clean, pgd)
    asked = prepare(Confirm(study="tiny-reseeded", seeds=2))
    assert (asked.config.name, asked.parent.name) == ("tiny-reseeded-confirmed", "tiny")
    assert asked.config.confirms is not None
    assert (asked.config.confirms.study, asked.config.confirms.trials) == ("tiny", [2])
    assert asked.config.confirms.seeds == [7, 8]
    assert {config.evaluation.split for config in asked.config.confirms.configs()} == {"test"}
    assert prepare(Confirm(study="tiny", seeds=2)).config.confirms.seeds == [7, 8], "nor does one of the search itself"
    assert prepare(Confirm(study="tiny-reseeded", seeds=2, trials=(0,))).config.confirms.trials == [0]


def test_what_is_likely_enough_to_stand_on_the_frontier_is_chosen_too(parent: StudyPaths) -> None:
    """Of 50 images each: 0001 is worse than 0000 by one image in both, 0002 by twenty."""
    for number, (clean, pgd) in enumerate([(0.8, 0.6), (0.78, 0.58), (0.4, 0.2)]):
        reach(parent, number, clean, pgd)
    asked = {"study": "tiny", "seeds": 1}
    chosen = {chance: prepare(Reseed(**asked, chance=chance)).config.confirms.trials for chance in (None, 5, 100)}
    assert chosen == {None: [0], 5: [0, 1], 100: [0]}
    assert prepare(Confirm(**asked, chance=5)).config.confirms.trials == [0, 1]


def test_of_what_is_reseeded_too(reseeded: StudyPaths) -> None:
    for number, (clean, pgd) in enumerate([(0.8, 0.6), (0.78, 0.58), (0.76, 0.56), (0.74, 0.54)]):
        reach(reseeded, number, clean, pgd)
    asked = {"study": "tiny-reseeded", "seeds": 1}
    assert prepare(Confirm(**asked)).config.confirms.trials == [0]
    assert prepare(Confirm(**asked, chance=2)).config.confirms.trials == [0, 2]


def test_what_is_flagged_under_a_seed_is_not_confirmed(reseeded: StudyPaths) -> None:
    for number in range(4):
        result = reseeded.trial(number).result
        write_json(result, json.loads(result.read_text()) | {"verdict": "flagged: noise breaks it"})
    with pytest.raises(ChoiceError, match="no configuration of tiny-reseeded has finished, unflagged"):
        prepare(Confirm(study="tiny-reseeded"))


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (Reseed(study="tiny-reseeded"), "tiny-reseeded is reseeded itself; name the study that it is of, tiny"),
        (Confirm(study="tiny", name="tiny-reseeded", trials=(0, 2)), "tiny-reseeded was begun with other settings"),
        (again(trials=(1,)), r"tiny-reseeded has trials 0,2 of tiny, not 1; go on with --trials 0,2"),
    ],
)
def test_what_cannot_be_trained_again_is_refused(reseeded: StudyPaths, asked: Any, words: str) -> None:
    with pytest.raises(ChoiceError, match=words):
        prepare(asked)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"settings": {"data.train_images": 9}}, "set only evaluation. settings$"),
        ({"chance": 5}, "--trials and --chance exclude each other"),
        ({"chance": 101, "trials": ()}, "--chance 101: give percent, above 0 and up to 100"),
        (
            {"settings": {"evaluation.split": "test"}},
            "to reseed is to attack the search's validation images, by what --attack names",
        ),
    ],
)
def test_what_would_be_another_question_is_refused(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(ChoiceError, match=words):
        again(**changes)


def test_the_plan_says_on_which_images(parent: StudyPaths) -> None:
    console = quiet()
    console.print(plan(prepare(again())))
    assert "trained and measured on the images of the search" in console.file.getvalue()
    assert "4 trainings (2 configurations x 2 seeds)" in console.file.getvalue()


def test_commands_and_pages_say_what_it_is(
    parent: StudyPaths, reseeded: StudyPaths, study: Callable[..., tuple[int, str, str]], tmp_path: Path
) -> None:
    assert "Under new seeds: study front tiny-reseeded" in study("front", "tiny")[1]
    shown = study("front", "tiny-reseeded")[1]
    assert "tiny-reseeded reseeds tiny: means over seeds" in " ".join(shown.split())
    (clean,) = (one["searched.clean_accuracy"] for one in confirmed(read_study(reseeded)).to_dict("records")[:1])
    assert "In the search: Clean accuracy, %" in study("front", "tiny-reseeded")[1].replace("\n", " ")
    assert f" {clean:.1%} ".replace("%", "") in shown
    assert study("report", "tiny-reseeded", "-o", tmp_path / "report.html")[0] == 0
    page = (tmp_path / "report.html").read_text()
    assert "The chosen under new seeds" in page
    assert "Confirmed on test images" not in page
    assert "study reseed tiny --trials 0 --dry-run" in study("status", "tiny/0")[1]
    assert study_paths("tiny-reseeded").root == reseeded.root
