"""Configurations that somebody writes down: the parameters that a sampler would have drawn, or all that is wrong."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given as example
from hypothesis import settings
from hypothesis import strategies as st

from search_spaces.build import build
from search_spaces.faults import SpaceError
from search_spaces.given import dimensions, given
from search_spaces.space import TRAINABLE, SearchSpace
from trainables.catalogue import default_config


def space_of(*trainables: str, **choices: Any) -> SearchSpace:
    return build([default_config(name) for name in trainables], {"unlisted": "fixed"} | choices)


SEVERAL = space_of(
    *("cf_amc_ssl", "robust_simclr"),
    epsilon={"low": 2 / 255, "high": 8 / 255, "step": 2 / 255},
    cf_amc_ssl={"m": [3, 5], "learning_rate": {"low": 0.05, "high": 1.0}},
    robust_simclr={"learning_rate": {"low": 0.1, "high": 2.0, "log": True}},
)
ONE = space_of("cf_amc_ssl", m={"low": 2, "high": 9}, learning_rate={"low": 0.05, "high": 1.0})
WHOLE = {TRAINABLE: "cf_amc_ssl", "m": 3, "learning_rate": 0.5, "epsilon": 8 / 255}


@settings(max_examples=20, deadline=None)
@example(seed=st.integers(0, 10_000), whole=st.booleans())
@pytest.mark.parametrize("space", [SEVERAL, ONE])
def test_what_a_space_holds_is_given_by_its_dimensions_or_its_parameters(
    space: SearchSpace, seed: int, whole: bool
) -> None:
    config = space.sample(seed)
    params = space.params(config)
    names = {name: name if whole else name.removeprefix(f"{config.trainable}.") for name in params}
    values = {names[name]: value for name, value in params.items()} | {TRAINABLE: config.trainable}
    assert given(space, values) == params
    assert space.config(given(space, values)) == space.config(params)


def test_values_are_those_that_a_sampler_draws() -> None:
    found = given(SEVERAL, WHOLE | {"learning_rate": 1, "epsilon": 0.0313725490196})
    assert found["epsilon"] == SEVERAL.distributions["epsilon"].high, "a neighbour of a grid's point is another point"
    assert (found["cf_amc_ssl.learning_rate"], type(found["cf_amc_ssl.learning_rate"])) == (1.0, float)
    assert type(found["m"]) is int


@pytest.mark.parametrize(
    ("space", "change", "faults"),
    [
        (SEVERAL, {"m": 4}, ["m is 4, outside one of 3, 5 of cf_amc_ssl"]),
        (SEVERAL, {"m": "x"}, ["m is 'x', outside one of 3, 5 of cf_amc_ssl"]),
        (SEVERAL, {"learning_rate": 1.5}, ["learning_rate is 1.5, outside 0.05 to 1 (log) of cf_amc_ssl"]),
        (SEVERAL, {"learning_rate": float("nan")}, ["learning_rate is nan, outside 0.05 to 1 (log) of cf_amc_ssl"]),
        (SEVERAL, {"epsilon": 3 / 255}, ["outside 2/255 to 8/255 in steps of 2/255 of cf_amc_ssl"]),
        (SEVERAL, {"m": None, "learning_rate": 9}, ["m is null, outside", "learning_rate is 9, outside"]),
        (SEVERAL, {"crop": 3, "m": 4}, ["parameter 'crop' is unknown to cf_amc_ssl", "m is 4, outside"]),
        (SEVERAL, {TRAINABLE: "acl"}, ["trainable 'acl' is not in this space"]),
        (SEVERAL, {TRAINABLE: "robust_simclr"}, ["parameter 'm' is unknown to robust_simclr"]),
        (ONE, {TRAINABLE: "acl"}, ["trainable 'acl' is not in this space"]),
        (ONE, {"m": 3.5}, ["m is 3.5, outside 2 to 9 of cf_amc_ssl", "parameter 'epsilon' is unknown to cf_amc_ssl"]),
    ],
)
def test_all_that_is_wrong_is_named(space: SearchSpace, change: dict[str, Any], faults: list[str]) -> None:
    with pytest.raises(SpaceError) as wrong:
        given(space, WHOLE | change)
    for fault in faults:
        assert fault in str(wrong.value)


def test_what_is_missing_is_named_beside_what_is_out_of_range() -> None:
    with pytest.raises(SpaceError) as wrong:
        given(SEVERAL, {TRAINABLE: "cf_amc_ssl", "m": 4})
    messages = [fault.message for fault in wrong.value.faults]
    assert sorted(messages) == [
        "m is 4, outside one of 3, 5 of cf_amc_ssl",
        "parameter 'cf_amc_ssl.learning_rate' is missing",
        "parameter 'epsilon' is missing",
    ]
    with pytest.raises(SpaceError, match="parameter 'trainable' is missing; choose from cf_amc_ssl, robust_simclr"):
        given(SEVERAL, {"m": 3})


def test_dimensions_are_called_as_the_study_file_calls_them() -> None:
    assert dimensions(SEVERAL, "cf_amc_ssl", {}) == {"m", "learning_rate", "epsilon"}
    assert dimensions(SEVERAL, "robust_simclr", {}) == {"learning_rate", "epsilon"}


@pytest.mark.parametrize(
    ("params", "fault"),
    [
        ({"m": 3}, None),
        ({}, None),
        ({"cf_amc_ssl.learning_rate": 0.5, "epsilon": 4 / 255}, None),
        ({TRAINABLE: "robust_simclr", "robust_simclr.learning_rate": 1.5}, None),
        ({TRAINABLE: "robust_simclr", "m": 3}, "parameter 'm' is unknown"),
        ({TRAINABLE: "acl"}, "trainable 'acl' is not in this space"),
        ({"m": 4}, "m is 4, outside one of 3, 5 of cf_amc_ssl"),
        ({"learning_rate": 0.5}, "parameter 'learning_rate' is unknown"),
    ],
)
def test_some_parameters_are_checked_without_the_others(params: dict[str, Any], fault: str | None) -> None:
    if fault is None:
        SEVERAL.check(params)
        return
    with pytest.raises(SpaceError) as wrong:
        SEVERAL.check(params)
    assert fault in str(wrong.value)
