"""What an extended study was before: read back from its manifest, and told in words."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.reading.runs import read_study
from analysis.report.page import render
from analysis.searched.changes import EXTENSIONS, FROM, PARTS, Change, before, changes, in_words, over_time, told
from study.tracking.view import description

HALVING = {"name": "halving", "eta": 2.0, "loss": 0.03}
LARGE = {"name": "nsga2", "population": 20}
RECORDS = [
    {"time": 1.0, "budget_before": {"trials": 4}},
    {
        FROM: 4,
        before("sampler"): LARGE,
        before("scheduler"): {"name": "none", "eta": 2.0, "loss": 0.03},
    },
    {before("space"): {"m": [1, 2]}, "outside": []},
    {FROM: 9, before("scheduler"): HALVING, before("constraints"): {"trusted": True}, before("sampler"): "gp"},
]
MANIFEST: dict[str, Any] = {
    "sampler": "tpe",
    "scheduler": HALVING | {"loss": 0.1},
    "constraints": {"trusted": True, "clean_accuracy": {"at_least": 0.7}},
    "space": {"m": [1, 2, 3]},
    EXTENSIONS: RECORDS,
}


def test_every_change_is_told_in_words() -> None:
    assert told(MANIFEST) == (
        "from trial 0004 sampler: gp (before: nsga2 (population 20)); scheduler: halving (before: none). "
        "later other ranges. "
        "from trial 0009 sampler: tpe (before: gp); scheduler: halving (loss 0.1) (before: halving (loss 0.03)); "
        "constraints: figures trusted, clean_accuracy at least 70 % (before: figures trusted)"
    )
    assert (
        over_time(MANIFEST, "sampler") == "nsga2 (population 20), then from trial 0004: gp, then from trial 0009: tpe"
    )
    assert over_time(MANIFEST, "scheduler") == (
        "none, then from trial 0004: halving, then from trial 0009: halving (loss 0.1)"
    )
    assert over_time(MANIFEST, "constraints") == (
        "figures trusted, then from trial 0009: figures trusted, clean_accuracy at least 70 %"
    )


def test_a_study_that_was_never_changed_is_what_it_is() -> None:
    plain = MANIFEST | {EXTENSIONS: RECORDS[:1]}
    assert (told(plain), told({})) == ("", "")
    found = [over_time(plain, part) for part in ("sampler", "scheduler", "constraints")]
    assert found == ["tpe", "halving", "figures trusted, clean_accuracy at least 70 %"]
    assert [over_time({}, part) for part in ("sampler", "scheduler", "constraints")] == ["", "", "none"]


def test_ranges_are_told_as_they_are_and_were() -> None:
    def crops(high: int) -> dict[str, Any]:
        return {"name": "IntDistribution", "attributes": {"low": 4, "high": high, "log": False, "step": 1}}

    manifest = {
        "space": {"parameters": {"crops": crops(40), "m": crops(9)}},
        EXTENSIONS: [{FROM: 2, before("space"): {"parameters": {"crops": crops(24), "crops_scale": crops(8)}}}],
    }
    assert told(manifest) == (
        "from trial 0002 crops: 4 to 40 (before: 4 to 24); crops_scale: \N{EN DASH} (before: 4 to 8); "
        "m: 4 to 9 (before: \N{EN DASH})"
    )


def test_a_dimension_that_is_fixed_is_told_with_its_value() -> None:
    m = {"name": "IntDistribution", "attributes": {"low": 2, "high": 4}}

    def words(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
        return list(in_words(Change(2, {"space": (before, after)})))

    def space(parameters: dict[str, Any], **fixed: dict[str, Any]) -> dict[str, Any]:
        return {"parameters": parameters, "trainables": {name: {"fixed": held} for name, held in fixed.items()}}

    both, one = space({}, acl={"m": 3}, simclr={"m": 3}), space({"acl.m": m}, simclr={"m": 3})
    assert words(space({"m": m}), both) == ["m: held at 3 (before: 2 to 4)"]
    assert words(one, both) == ["acl.m: held at 3 (before: 2 to 4)"]
    assert words(both, space({}, acl={"m": 3}, simclr={"m": 5})) == [
        "m: held at 3 of acl, held at 5 of simclr (before: held at 3)"
    ]


def test_where_a_dimension_is_searched_is_told_as_it_is_and_was() -> None:
    sizes = {"name": "CategoricalDistribution", "attributes": {"choices": [2, 4]}}

    def space(**when: dict[str, Any]) -> dict[str, Any]:
        owners = {name: {"parameters": {"m": "m", "network.patch_size": "sizes"}} for name in ("acl", "simclr")}
        whens = {name: {"when": {"network.patch_size": demands}} for name, demands in when.items()}
        parameters = {"sizes": sizes, "m": {"name": "IntDistribution", "attributes": {"low": 2, "high": 4}}}
        return {"parameters": parameters, "trainables": {name: owners[name] | whens.get(name, {}) for name in owners}}

    def words(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
        return list(in_words(Change(2, {"space": (before, after)})))

    vit, null = {"network.architecture": ["vit_tiny", "vit_small"]}, {"network.pre_feature": [None], "crops": [4]}
    assert words(space(), space(acl=vit, simclr=vit)) == [
        "sizes: 2, 4 where network.architecture is vit_tiny or vit_small (before: 2, 4)"
    ]
    assert words(space(acl=null), space(acl=null, simclr=vit)) == [
        "sizes: 2, 4, of acl where network.pre_feature is null and crops is 4, of simclr where network.architecture is "
        "vit_tiny or vit_small (before: 2, 4, of acl where network.pre_feature is null and crops is 4)"
    ]
    for torn in (3, {"acl": 3}, {"acl": {"parameters": {"network.patch_size": "sizes"}, "when": [3]}}):
        assert words(space(), space() | {"trainables": torn}) == ["other ranges"]


@pytest.mark.parametrize("damage", [3, {}, [3, None], [{FROM: "x", before("sampler"): "random"}]])
def test_a_damaged_record_costs_itself_alone(damage: Any) -> None:
    assert [change.trial for change in changes(MANIFEST | {EXTENSIONS: damage})] in ([], [None])


steps = st.lists(st.dictionaries(st.sampled_from(PARTS), st.integers(0, 3), min_size=1), max_size=6)


@given(steps)
def test_what_was_done_is_read_back(asked: list[dict[str, int]]) -> None:
    manifest: dict[str, Any] = dict.fromkeys(PARTS, 0)
    records, done = [], []
    for number, wanted in enumerate(asked):
        parts = {part: (manifest[part], value) for part, value in wanted.items() if manifest[part] != value}
        records.append({FROM: number, **{before(part): old for part, (old, _) in parts.items()}})
        done += [Change(number, parts)] if parts else []
        manifest |= wanted
    assert changes(manifest | {EXTENSIONS: records}) == done


def test_the_report_and_mlflow_say_what_was_changed(new_study: Callable[..., Any]) -> None:
    folder = new_study(**MANIFEST)
    folder.finished(0, 0.6, 0.5)
    assert f"<dt>Changed</dt><dd>{told(MANIFEST)}</dd>" in render(read_study(folder.paths))
    note = description("tiny", MANIFEST)
    assert f"- Changed: {told(MANIFEST)}" in note
    assert "- Bounds: figures trusted, clean_accuracy at least 70 %" in note
