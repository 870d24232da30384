"""Dimensions that a configuration has only where others of its trainable have certain values."""

from __future__ import annotations

import json
from typing import Any

import optuna
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from search_spaces import SearchSpace, SpaceError, build
from search_spaces.ends import differently_built
from search_spaces.given import dimensions
from search_spaces.placing import place
from trainables.catalogue import check, default_config
from trainables.config import override

RESIDUAL = {"network.architecture": ["resnet18", "resnet50"]}
NETWORKS: dict[str, Any] = {
    "network.architecture": ["resnet18", "vit_tiny", "resnet50"],
    "network.width": {"low": 16, "high": 64, "step": 16, "when": RESIDUAL},
    "network.depth": {"choices": [None, 10], "when": {"network.architecture": "resnet18"}},
    "network.patch_size": {"choices": [2, 8], "when": {"network.architecture": "vit_tiny"}},
    "network.dropout": {"choices": [0.1], "when": {"network.architecture": "vit_tiny"}},
}
BOTH = ("cf_amc_ssl", "simclr")


def space_of(choices: dict[str, Any], *names: str) -> SearchSpace:
    return build([default_config(name) for name in names or BOTH[:1]], {"unlisted": "fixed", **choices})


def faults(choices: dict[str, Any]) -> dict[tuple[str | int, ...], str]:
    with pytest.raises(SpaceError) as caught:
        space_of(choices)
    return {fault.path: fault.message for fault in caught.value.faults}


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=40, deadline=None)
def test_a_configuration_has_what_its_others_allow_and_is_found_again(seed: int) -> None:
    space = space_of(NETWORKS, *BOTH)
    config = space.sample(seed)
    check(config)
    params = space.params(config)
    assert space.config(params) == config
    assert place(space, config) == params
    network, residual = config.network, config.network.architecture != "vit_tiny"
    assert ("network.width" in params) == residual
    assert ("network.patch_size" in params) == (not residual)
    assert ("network.depth" in params) == (network.architecture == "resnet18")
    assert network.dropout == (0.0 if residual else 0.1), "a single value holds under its condition alone"
    assert network.patch_size == params.get("network.patch_size", 4)
    trial = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=seed)).ask()
    assert space.params(space.suggest(trial)) == trial.params


def test_configurations_are_counted_once() -> None:
    assert space_of(NETWORKS).size == 4 * 2 + 2 + 4
    assert space_of(NETWORKS | {"m": {"low": 1, "high": 3}}, *BOTH).size == (4 * 2 + 2 + 4) * (3 + 1)
    two = {"m": [1, 2], "crops": {"low": 4, "high": 5, "when": {"m": [2], "optimiser.nesterov": True}}}
    assert space_of(two | {"optimiser.nesterov": [True, False]}).size == 2 + 3


def test_a_parameter_that_a_configuration_does_not_have_is_refused() -> None:
    space = space_of(NETWORKS)
    vit = {"network.architecture": "vit_tiny", "network.patch_size": 2}
    assert space.config(vit).network.patch_size == 2
    with pytest.raises(SpaceError, match=r"network\.width means something to cf_amc_ssl only where network\.archit"):
        space.config(vit | {"network.width": 16})
    with pytest.raises(SpaceError, match=r"parameter 'network\.patch_size' is missing"):
        space.config({"network.architecture": "vit_tiny"})
    assert dimensions(space, "cf_amc_ssl", vit) == {"network.architecture", "network.patch_size"}


def test_what_others_decide_to_be_without_keeps_its_trainables_value() -> None:
    space = space_of(NETWORKS)
    vit = space.config({"network.architecture": "vit_tiny", "network.patch_size": 2})
    odd = override(vit, {"network.dropout": 0.2})
    with pytest.raises(SpaceError, match=r"network\.dropout is 0\.2, held at 0\.1"):
        place(space, odd)


def test_every_network_is_built_beforehand_with_what_it_has() -> None:
    built = {config.network for config in differently_built(space_of(NETWORKS).parts[0])}
    assert len(built) == (4 + 1) + 2 + 4, "each value of each dimension with every architecture that has it"
    assert {(one.architecture, one.width) for one in built if one.architecture == "vit_tiny"} == {("vit_tiny", 64)}


def test_conditions_stand_in_tables_and_in_json() -> None:
    space = space_of(NETWORKS)
    rows = {row.dimension: row.range for row in space.describe()}
    assert rows["network.width"] == "16 to 64 in steps of 16 where network.architecture is resnet18 or resnet50"
    assert rows["network.dropout"] == "0.1 where network.architecture is vit_tiny"
    stated = json.loads(json.dumps(space.to_json()))["trainables"]["cf_amc_ssl"]
    assert stated["when"]["network.width"] == RESIDUAL
    assert "when" not in space_of({"m": [1, 2]}).to_json()["trainables"]["cf_amc_ssl"]


WIDTH, ARCHITECTURES = "network.width", {"network.architecture": ["resnet18", "vit_tiny"]}


@pytest.mark.parametrize(
    ("choices", "path", "message"),
    [
        (
            ARCHITECTURES | {WIDTH: {"choices": [16], "when": {"network.architectur": "resnet18"}}},
            (WIDTH, "when", "network.architectur"),
            "network.width depends on network.architectur, which does not vary by itself there; did you mean network",
        ),
        (
            ARCHITECTURES | {WIDTH: {"choices": [16, 32], "when": {"network.architecture": ["resnet18", "vgg"]}}},
            (WIDTH, "when", "network.architecture"),
            "network.width has a condition that is never met: network.architecture is 'vgg', outside one of resnet",
        ),
        (
            ARCHITECTURES | {WIDTH: {"choices": [16, 32], "when": {"network.architecture": []}}},
            (WIDTH, "when", "network.architecture"),
            "network.width depends on no value of network.architecture; give at least one",
        ),
        (
            ARCHITECTURES | {WIDTH: {"choices": [16, 32], "when": {"network.architecture": ["resnet18", "resnet18"]}}},
            (WIDTH, "when", "network.architecture"),
            "network.width depends on a value of network.architecture that is listed twice: resnet18, resnet18; keep",
        ),
        (
            ARCHITECTURES | {WIDTH: {"choices": [16, 32], "when": None}},
            (WIDTH, "when"),
            "network.width.when is null; it must be a mapping, {network.architecture: resnet18} say",
        ),
        (
            ARCHITECTURES | {WIDTH: {"choices": [16, 32], "when": "resnet18"}},
            (WIDTH, "when"),
            "network.width.when is 'resnet18'; it must be a mapping, {network.architecture: resnet18} say",
        ),
        (
            {"learning_rate": {"low": 0.1, "high": 1}, "m": {"low": 1, "high": 3, "when": {"learning_rate": 0.3}}},
            ("m", "when", "learning_rate"),
            "m depends on learning_rate, of which single values are never drawn; drop it",
        ),
        (
            {"m": [1, 2], WIDTH: {"choices": [16, 32], "when": {"network.architecture": "resnet18"}}},
            (WIDTH, "when", "network.architecture"),
            "network.width depends on network.architecture, which does not vary by itself there; choose from m",
        ),
        (
            {
                "m": [1, 2],
                "network.architecture": {"choices": ["resnet18", "resnet34"], "when": {"m": 2}},
                WIDTH: {"choices": [16, 32], "when": {"network.architecture": "resnet18"}},
            },
            (WIDTH, "when", "network.architecture"),
            "which does not vary by itself there; choose from m",
        ),
        (
            ARCHITECTURES | {WIDTH: {"choices": [16, 32], "when": {"network.architecture": "vit_tiny"}}},
            (WIDTH,),
            "network.width cannot be 16: ",
        ),
        (
            ARCHITECTURES | {WIDTH: [16, 32]},
            (WIDTH,),
            "; or say where it is searched, when: {network.architecture: ...}",
        ),
        ({"m": {"choices": [1, 2], "low": 1}}, ("m", "low"), "m has both choices and low; keep one of them"),
        ({"m": {"choice": [1, 2]}}, ("m", "choice"), "m.choice is unknown; did you mean choices? Valid: "),
        ({"m": {"choices": 3}}, ("m", "choices"), "m.choices is 3; it must be a list, [a, b] say"),
        ({"m": {"choices": [3, "x"]}}, ("m", "choices", 1), "m[1] is 'x'; it must be a whole number"),
    ],
)
def test_mistakes_are_told_once_with_their_place(choices: dict[str, Any], path: tuple[Any, ...], message: str) -> None:
    found = faults(choices)
    assert list(found) == [path]
    assert message in found[path]


def test_a_condition_is_its_trainables_own() -> None:
    own = ARCHITECTURES | {"network.patch_size": NETWORKS["network.patch_size"]}
    space = space_of({"cf_amc_ssl": own, "optimiser.nesterov": [True, False]}, *BOTH)
    drawn = [space.params(space.sample(seed)) for seed in range(40)]
    assert {params["trainable"] for params in drawn if "network.patch_size" in params} == {"cf_amc_ssl"}
    assert space.size == 2 * (1 + 2) + 2
