"""``study add``: what is added, what is refused, and what the user is told."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from analysis.layout import ENDED, StudyPaths, append_event, study_paths, write_atomically, write_json
from analysis.reading.runs import read_study
from search_spaces.work import total_on
from study.add import add
from study.commands.summary import summary
from study.config import StudyConfig
from study.files.added import waiting
from study.files.lock import sole_driver
from trainables.config import UserError, override

Tiny = Callable[..., StudyConfig]
TRIED = {"learning_rate": 0.5, "m": 1}


@pytest.fixture
def paths(tiny: Tiny, studies: Path) -> StudyPaths:
    """A study of three trials, of which the first has finished and early stopping ended the second."""
    paths = study_paths("tiny")
    write_atomically(paths.study_file, tiny().to_yaml())
    begun(paths, 0, TRIED, "finished")
    begun(paths, 1, TRIED | {"m": 2}, "stopped")
    write_json(paths.trial(1).stop, {"reason": "halving: rank 9 of 9"})
    return paths


def begun(paths: StudyPaths, number: int, params: dict[str, Any], status: str) -> None:
    write_json(paths.trial(number).config, {"trainable": "cf_amc_ssl", "params": params, "config": {}})
    append_event(paths.trial(number), ENDED, 1, status=status, reason=None, metrics={})


def added(paths: StudyPaths) -> list[Any]:
    return [each.values for each in waiting(paths)]


def test_a_trials_parameters_are_where_one_begins(paths: StudyPaths) -> None:
    told = add("tiny", {"learning_rate": 0.25}, like="1")
    assert told == ["1 configuration added to tiny, to run first when the study goes on: study resume tiny"]
    assert added(paths) == [{"learning_rate": 0.25, "m": 2}]
    with sole_driver(paths):
        told = add("tiny", {"cf_amc_ssl.learning_rate": "1/8"}, like="1")
    assert told[0] == "1 configuration added to tiny, to run next"
    assert added(paths)[1] == {"learning_rate": 0.125, "m": 2}


def test_a_file_lists_configurations_over_what_they_share(paths: StudyPaths, tmp_path: Path) -> None:
    file = tmp_path / "points.yaml"
    file.write_text("- {m: 1}\n- {m: 2, learning_rate: 1/4}\n- learning_rate: 0.75\n")
    add("tiny", {"learning_rate": 0.0625}, like="1", file=file)
    assert added(paths) == [
        {"m": 1, "learning_rate": 0.0625},
        {"m": 2, "learning_rate": 0.25},
        {"m": 2, "learning_rate": 0.75},
    ]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            "- {m: 1, learning_rate: 0.25}\n- {m: 3, learning_rate: 0.25}\n- {m: 1}\n",
            [
                ":2: m is 3, outside one of 1, 2 of cf_amc_ssl",
                ":3: parameter 'learning_rate' is missing",
                "nothing was",
            ],
        ),
        ("- {m: 1, learning_rate: 0.25}\n- 3\n", [":2: a configuration is a mapping"]),
        ("m: 1\nlearning_rate: 0.25\n", [":1: a configuration is a mapping"]),
        ("", [":1: a configuration is a mapping"]),
        ("- {m: [1}\n", ["not YAML"]),
        ("- {m: 1, m: 2, learning_rate: 0.25}\n", [":1: "]),
    ],
)
def test_nothing_of_a_file_with_a_mistake_is_added(
    paths: StudyPaths, tmp_path: Path, text: str, words: list[str]
) -> None:
    file = tmp_path / "points.yaml"
    file.write_text(text)
    with pytest.raises(UserError) as wrong:
        add("tiny", {}, file=file)
    assert all(each in str(wrong.value) for each in words)
    assert added(paths) == []


@pytest.mark.parametrize(
    ("values", "like", "words"),
    [
        ({"learning_rate": 7}, "0", "learning_rate is 7, outside 0.05 to 1 (log) of cf_amc_ssl"),
        ({"m": 2}, None, "parameter 'learning_rate' is missing"),
        ({"crops": 4}, "0", "parameter 'crops' is unknown to cf_amc_ssl"),
        ({"trainable": "acl"}, "0", "trainable 'acl' is not in this space"),
        ({}, "9", "there is no trial tiny/9 in"),
    ],
)
def test_what_lies_outside_is_refused(paths: StudyPaths, values: dict[str, Any], like: str | None, words: str) -> None:
    with pytest.raises(UserError) as wrong:
        add("tiny", values, like=like)
    assert words in str(wrong.value)
    assert added(paths) == []


def test_what_has_been_tried_is_left_out_and_told(paths: StudyPaths, tiny: Tiny) -> None:
    assert add("tiny", {}, like="0") == ["not added, for tiny/0000 has tried it: m 1, learning_rate 0.5"]
    assert add("tiny", {}, like="1")[0].startswith("not added, for tiny/0001 has tried it")
    assert added(paths) == []
    begun(paths, 2, TRIED | {"learning_rate": 0.25}, "stopped")  # by hand, or by a time limit
    begun(paths, 3, TRIED | {"learning_rate": 0.125}, "failed")
    for number in (2, 3):
        assert add("tiny", {}, like=str(number))[0].startswith("1 configuration added")
    write_atomically(paths.study_file, tiny(repeats="new_seed").to_yaml())
    assert add("tiny", {}, like="0")[0].startswith("1 configuration added")
    assert add("tiny", {}, like="1")[0].startswith("not added"), "early stopping ended it, whatever its seed"


def test_what_a_trial_has_begun_is_left_out_and_told(paths: StudyPaths, tiny: Tiny) -> None:
    """No two equal configurations train side by side: the driver would pass over it."""
    write_json(paths.trial(2).config, {"trainable": "cf_amc_ssl", "params": TRIED | {"learning_rate": 0.25}})
    assert add("tiny", {}, like="2") == ["not added, for tiny/0002 has begun it: m 1, learning_rate 0.25"]
    assert added(paths) == []
    write_atomically(paths.study_file, tiny(repeats="new_seed").to_yaml())
    assert add("tiny", {}, like="2")[0].startswith("1 configuration added")


def test_radii_are_told_in_pixel_levels(paths: StudyPaths, tiny: Tiny) -> None:
    space = {"unlisted": "fixed", "epsilon": {"low": 4 / 255, "high": 12 / 255}, "m": [1, 2]}
    write_atomically(paths.study_file, tiny(space=space).to_yaml())
    add("tiny", {"epsilon": "8/255", "m": 1})
    assert add("tiny", {"epsilon": "8/255", "m": 1})[0] == "not added, for it waits already: epsilon 8/255, m 1"
    with pytest.raises(UserError, match=r"epsilon is 12\.01/255, outside 4/255 to 12/255 of cf_amc_ssl"):
        add("tiny", {"epsilon": "12.01/255", "m": 1})
    with pytest.raises(UserError, match="epsilon is 'large', outside"):
        add("tiny", {"epsilon": "large", "m": 1})


def test_null_is_added_as_any_choice_is(paths: StudyPaths, tiny: Tiny, tmp_path: Path) -> None:
    space = {"unlisted": "fixed", "views.strength_period": [None, 1], "m": [1, 2]}
    write_atomically(paths.study_file, tiny(space=space, settings={"optimiser.epochs": 2}).to_yaml())
    begun(paths, 2, {"views.strength_period": None, "m": 2}, "finished")
    assert add("tiny", {}, like="2") == ["not added, for tiny/0002 has tried it: m 2, views.strength_period null"]
    file = tmp_path / "points.yaml"
    file.write_text("- {m: 1, views.strength_period: null}\n")
    add("tiny", {}, file=file)
    assert added(paths) == [{"m": 1, "views.strength_period": None}]
    with pytest.raises(UserError, match=r"m is null, outside one of 1, 2"):
        add("tiny", {"m": None}, like="2")


def test_what_another_trial_has_and_this_one_not_is_left_behind(paths: StudyPaths, tiny: Tiny) -> None:
    ratio = {"choices": [1.0, 1.25], "when": {"views.kind": "patches"}}
    space = {"unlisted": "fixed", "views.kind": ["crops", "patches"], "views.ratio_max": ratio, "m": [1, 2]}
    write_atomically(paths.study_file, tiny(space=space).to_yaml())
    begun(paths, 2, {"m": 2, "views.kind": "patches", "views.ratio_max": 1.25}, "failed")
    add("tiny", {"views.kind": "crops"}, like="2")
    add("tiny", {"m": 1}, like="2")
    assert added(paths) == [
        {"m": 2, "views.kind": "crops"},
        {"m": 1, "views.kind": "patches", "views.ratio_max": 1.25},
    ]
    with pytest.raises(UserError, match=r"views\.ratio_max means something to cf_amc_ssl only where views\.kind is "):
        add("tiny", {"views.kind": "crops", "views.ratio_max": 1.0}, like="2")


def test_what_waits_already_is_left_out_and_told(paths: StudyPaths, tmp_path: Path) -> None:
    file = tmp_path / "points.yaml"
    file.write_text("- {learning_rate: 0.25}\n- {learning_rate: 0.25}\n")
    told = add("tiny", {}, like="1", file=file)
    assert told[0] == "not added, for it waits already: m 2, learning_rate 0.25"
    assert told[1].startswith("1 configuration added")
    assert add("tiny", {"learning_rate": 0.25}, like="1") == [told[0]]
    assert len(added(paths)) == 1


@pytest.mark.parametrize("said", ['{"a', '{"a": 3}', "[]"])
def test_a_damaged_request_is_told_and_passed_over(paths: StudyPaths, said: str) -> None:
    broken = paths.added("0-broken")
    broken.write_text(said)
    add("tiny", {"learning_rate": 0.25}, like="1")
    assert added(paths) == [{"learning_rate": 0.25, "m": 2}]
    assert list(summary(read_study(paths), paths, 0.0).lines())[-2:] == [
        "1 configuration added by hand waits",
        f"{broken} is damaged; delete it and add again",
    ]


def test_a_dimension_is_given_once(paths: StudyPaths) -> None:
    with pytest.raises(UserError, match="m is given twice, with its trainable and without"):
        add("tiny", {"m": 1, "cf_amc_ssl.m": 2}, like="0")


def test_the_budget_that_lacks_is_told_with_how_to_give_it(paths: StudyPaths, tiny: Tiny) -> None:
    for rate in (0.25, 0.125):
        told = add("tiny", {"learning_rate": rate}, like="0")
    assert told[1:] == [
        "the budget lacks 1 trial for what waits: 2 of 3 were begun; give it more with: study extend tiny --trials 1"
    ]
    write_atomically(paths.study_file, tiny(budget={"gpu_hours": 1}).to_yaml())
    append_event(paths.trial(2), ENDED, 1, status="finished", reason=None, metrics={"gpu_minutes": 90.0})
    told = add("tiny", {"learning_rate": 0.75}, like="0")
    assert told[1] == "1.5 of 1 GPU-hours are spent, so what waits needs more: study extend tiny --gpu-hours HOURS"


def test_a_replay_gets_a_longer_budget_by_going_on_with_it(paths: StudyPaths) -> None:
    write_json(paths.manifest, {"name": "tiny", "replayed": "curves.json.gz"})
    for rate in (0.25, 0.125):
        told = add("tiny", {"learning_rate": rate}, like="0")
    assert told[1].endswith("give it more with: study resume tiny --backend replay --curves FILE --trials 4")


def test_a_study_of_listed_configurations_takes_no_others(paths: StudyPaths, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("search_spaces.space.SearchSpace.points", ({"configuration": 1},))
    with pytest.raises(UserError, match="tiny runs the configurations that it lists, and no others"):
        add("tiny", {"learning_rate": 0.25}, like="0")
    assert added(paths) == []


def test_what_is_known_to_stand_on_no_frontier_is_told_and_added(paths: StudyPaths, tiny: Tiny) -> None:
    config = tiny()
    base = config.base_configs()["cf_amc_ssl"]
    once = float(total_on(config.search_space())(override(base, {"adversary.replays": 1})))
    write_atomically(paths.study_file, tiny(constraints={"forward_equivalents": 1.5 * once}).to_yaml())
    assert len(add("tiny", {"learning_rate": 0.25, "m": 1})) == 1
    told = add("tiny", {"learning_rate": 0.25, "m": 2})
    assert told[-1].startswith("will stand on no frontier, for forward_equivalents is ")
    assert told[-1].endswith(": m 2, learning_rate 0.25")
    assert added(paths) == [{"learning_rate": 0.25, "m": 1}, {"learning_rate": 0.25, "m": 2}]
