"""Every setting that may vary between trials is searched by its dotted path, or refused with the reason."""

from __future__ import annotations

import json
from typing import Any, get_args

import optuna
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from optuna.distributions import CategoricalDistribution, json_to_distribution

from search_spaces import DIMENSIONS, SearchSpace, SpaceError, build
from search_spaces.ends import differently_built
from search_spaces.given import given as given_params
from search_spaces.leaves import LEAVES, SEARCHABLE
from search_spaces.placing import place
from trainables.catalogue import check, default_config
from trainables.checkpoint import FREE_TO_CHANGE
from trainables.config import AugmentationName, LarsForm, TrialConfig, flatten, leaf_types, override

CHOICES: dict[str, Any] = {
    "views.kind": ["crops", "patches"],
    "views.augmentation": list(get_args(AugmentationName)),
    "network.architecture": ["resnet18", "resnet34", "vit_tiny"],
    "network.stem": ["cifar", "imagenet"],
    "network.depth": [10, 18],
    "optimiser.lars": list(get_args(LarsForm)),
    "coreset.divergence": ["kl", "js"],
}
RANGES: dict[str, Any] = {
    "views.ratio_min": {"low": 0.5, "high": 1.0},
    "views.ratio_max": {"low": 1.0, "high": 2.0, "step": 0.25},
    "views.strength_period": {"low": 1, "high": 9},
    "network.width": {"low": 8, "high": 64, "log": True},
    "network.patch_size": {"low": 2, "high": 8, "step": 2},
    "network.dropout": {"low": 0, "high": 0.5},
    "network.pre_feature": {"low": 128, "high": 4096, "log": True},
    "network.projector_hidden": {"low": 128, "high": 4096, "log": True},
    "network.projector_layers": {"low": 1, "high": 3},
    "network.embedding": {"low": 64, "high": 1024, "step": 64},
    "objective.tcr_eps": {"low": 0.05, "high": 0.5, "log": True},
    "objective.reweighting": {"low": 0, "high": 1},
    "optimiser.warmup_epochs": {"low": 0, "high": 9},
    "optimiser.momentum": {"low": 0, "high": 0.99},
    "optimiser.weight_decay": {"low": 1e-6, "high": 1e-2, "log": True},
    "optimiser.lars_eta": {"low": 1e-4, "high": 0.1, "log": True},
    "coreset.warmup_epochs": {"low": 0, "high": 9},
    "coreset.interval": {"low": 1, "high": 50, "log": True},
    "coreset.validation_fraction": {"low": 0.005, "high": 0.1},
    "coreset.validation_steps": {"low": 1, "high": 5},
    "coreset.batch_steps": {"low": 1, "high": 5},
    "coreset.learning_rate": {"low": 1e-3, "high": 0.1, "log": True},
}
SETTINGS: dict[str, dict[str, Any]] = {
    "network.patch_size": {"network.architecture": "vit_tiny"},
    "network.dropout": {"network.architecture": "vit_tiny"},
}
"""What a trainable must be for a leaf to be more than its default."""
FOUR = ("cf_amc_ssl", "simclr", "dynacl", "supervised_free")
"""Of which each leaf means something to one, and some to some of them alone."""


def bases(path: str) -> list[TrialConfig]:
    coreset = {"coreset.name": "rcs", "coreset.warmup_epochs": 1} if path.startswith("coreset.") else {}
    return [override(default_config(name), {**coreset, **SETTINGS.get(path, {})}) for name in FOUR]


def whole(space: Any, *names: str) -> SearchSpace:
    return build([default_config(name) for name in names or ("cf_amc_ssl",)], {"unlisted": "fixed", **space})


def refusals(space: Any, *names: str) -> dict[tuple[str | int, ...], str]:
    with pytest.raises(SpaceError) as caught:
        whole(space, *names)
    return {fault.path: fault.message for fault in caught.value.faults}


@pytest.mark.parametrize("path", LEAVES)
@given(data=st.data())
@settings(max_examples=5, deadline=None)
def test_each_leaf_is_searched_and_a_point_of_it_is_a_trial(path: str, data: st.DataObject) -> None:
    choice = CHOICES.get(path) or RANGES.get(path) or [True, False]
    if path == "network.depth":  # of basic networks alone
        choice = data.draw(st.sampled_from([choice, {"low": 10, "high": 18, "step": 8}]))
    space = build(bases(path), {"unlisted": "fixed", path: choice})
    assert all(name in ("trainable", path) for name in space.distributions)
    config = space.sample(data.draw(st.integers(0, 2**32)))
    check(config)
    params = space.params(config)
    owned = path in params
    assert owned == SEARCHABLE[path].belongs(config)
    assert type(flatten(config)[path]) is LEAVES[path].kind or not owned
    assert space.config(params) == config
    assert place(space, config) == params
    trial = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0)).ask()
    drawn = space.suggest(trial)
    assert space.params(drawn) == trial.params
    stated = json.loads(json.dumps(space.to_json()["parameters"][path]))
    assert json_to_distribution(json.dumps(stated)) == space.distributions[path]


def test_together_they_are_valid_too() -> None:
    """On one network, whose own sizes stand in each other's way."""
    pure = {path for path in LEAVES if path.partition(".")[0] in ("views", "objective", "optimiser", "adversary")}
    asked = {path: CHOICES.get(path) or RANGES.get(path) or [True, False] for path in pure}
    space = build([default_config("cf_amc_ssl"), default_config("dynacl")], asked | {"epochs": {"low": 10, "high": 20}})
    for seed in range(20):
        config = space.sample(seed)
        check(config)
        assert space.config(space.params(config)).optimiser == config.optimiser


def test_a_setting_is_a_dimension_or_is_refused_with_the_reason() -> None:
    told = {path: refusals({path: 1})[(path,)] for path in leaf_types() if path not in SEARCHABLE}
    assert set(told) == set(leaf_types()) - set(LEAVES)
    assert not [path for path, message in told.items() if "unknown" in message]
    named = {dimension.path: dimension.name for dimension in DIMENSIONS.values()}
    assert all(told[path].startswith(f"{path} is searched as {name}: ") for path, name in named.items())
    assert not set(FREE_TO_CHANGE) & set(LEAVES)


@pytest.mark.parametrize(
    ("space", "message"),
    [
        ({"optimiser.wieght_decay": 0.1}, "unknown dimension 'optimiser.wieght_decay'; did you mean optimiser.weight_"),
        ({"optimizer.momentum": 0.1}, "did you mean optimiser.momentum?"),
        ({"weight_decay": 0.1}, "did you mean optimiser.weight_decay?"),
        ({"adversary.epsilom": 0.1}, "did you mean epsilon?"),
        ({"warm": 0.1}, "or a setting by its path, optimiser.weight_decay say"),
        ({"optimiser": {"momentum": 0.5}}, "is a section of settings; name what varies by its path, optimiser."),
        ({"evaluation.head": ["clean"]}, "is not searched: it decides what an accuracy means"),
        ({"data.train_images": [100]}, "is not searched: it decides which images are learned"),
        ({"data.placement": ["host"]}, "is not searched"),
        ({"seed": [1, 2]}, "is not searched: it is chance"),
        ({"device": ["cpu"]}, "is not searched: it changes no result"),
        ({"compute.precision": ["float32"]}, "is not searched: it changes no result"),
        ({"optimiser.micro_batches": [1, 2]}, "is not searched: it is for want of memory"),
        ({"adversary.name": ["none", "free"]}, "is not searched: it makes another method"),
        ({"adversary.step_size": [0.1]}, "is searched as step_ratio: adversary's step as a multiple"),
        ({"objective.reweighting": 0.5}, "objective.reweighting means nothing to cf_amc_ssl; drop it"),
        ({"network.dual_batch_norm": [True, False]}, "means nothing to cf_amc_ssl"),
        ({"coreset.interval": [10, 20]}, "means nothing to cf_amc_ssl"),
        ({"network.architecture": {"low": 1, "high": 2}}, "is text, which has no range; list its choices"),
        ({"optimiser.nesterov": {"low": 0, "high": 1}}, "is true or false, which has no range; list its choices"),
        ({"optimiser.nesterov": ["true", False]}, "optimiser.nesterov[0] is 'true'; it must be true or false"),
        ({"optimiser.nesterov": 1}, "optimiser.nesterov is 1; it must be true or false"),
        ({"network.architecture": ["resnet18", 18]}, "network.architecture[1] is 18; it must be text"),
        ({"network.width": ["wide"]}, "network.width[0] is 'wide'; it must be a whole number"),
        ({"network.pre_feature": {"low": None, "high": 64}}, "network.pre_feature.low is null; it must be a whole num"),
        ({"network.pre_feature": [None, 64, None]}, "lists a choice twice: null, 64, null"),
        ({"network.width": [None, 64]}, "network.width[0] is null; it must be a whole number"),
        ({"adversary.random_start": [None, True]}, "adversary.random_start[0] is null; it must be true or false"),
        ({"crops": None}, "crops is null; it must be a whole number"),
        ({"optimiser.weight_decay": {"low": 1e-5}}, "optimiser.weight_decay has no high"),
        ({"optimiser.lars": ["clipped", "scalled"]}, "optimiser.lars cannot be scalled: optimiser.lars is 'scalled'"),
        ({"network.stem": "imgnet"}, "network.stem cannot be imgnet"),
        ({"optimiser.momentum": {"low": 0.5, "high": 1}}, "optimiser.momentum cannot be 1: "),
        ({"network.depth": {"low": 10, "high": 18}}, "network.depth cannot be 11: "),
        ({"views.augmentation": ["none", "none"]}, "lists a choice twice"),
        (
            {"network.architecture": ["resnet18", "vit_tiny"], "network.width": [32, 64]},
            "network.width cannot be 32 where network.architecture is vit_tiny: ",
        ),
        (
            {"optimiser.warmup_epochs": {"low": 0, "high": 8}, "epochs": {"low": 5, "high": 30}},
            "optimiser.warmup_epochs cannot be 8 where epochs is 5: ",
        ),
        (
            {"views.kind": ["padded", "crops"], "crop_scale_min": {"low": 0.1, "high": 0.4}},
            "views.kind cannot be padded where crop_scale_min is 0.1: ",
        ),
    ],
)
def test_mistakes_are_told_with_their_remedy(space: dict[str, Any], message: str) -> None:
    (told,) = refusals(space).values()
    assert message in told


def test_a_wrong_end_hides_no_other_mistake_and_makes_none() -> None:
    able = {"epochs": {"low": 12, "high": 30}, "optimiser.warmup_epochs": [9, 11]}
    assert whole(able).size > 1
    pair = {"network.architecture": ["resnet18", "vit_tiny"], "network.width": [32, 64]}
    wrong = {"crops": {"low": 0, "high": 4}, "optimiser.momentum": [0.5, 1]}
    assert list(refusals(able | pair | wrong)) == [("crops",), ("optimiser.momentum",), ("network.width",)]


def test_a_setting_of_the_study_contradicts_its_range() -> None:
    with pytest.raises(SpaceError, match=r"optimiser\.momentum is in the space, but settings fix optimiser\.momentum"):
        build([default_config("simclr")], {"optimiser.momentum": [0.1]}, {"simclr": {"optimiser.momentum"}})


def test_a_trainable_has_its_own_range_or_lacks_the_leaf() -> None:
    asked = {"optimiser.nesterov": [True, False], "adversary.random_start": [True, False]}
    own = {"simclr": {"optimiser.nesterov": True}}
    space = whole({**asked, **own}, "simclr", "cf_amc_ssl")
    assert list(space.distributions) == ["trainable", "adversary.random_start", "optimiser.nesterov"]
    assert not space.parameters("simclr")
    split = whole({"simclr": {"optimiser.momentum": [0.5, 0.9]}, "optimiser.momentum": [0.8, 0.9]}, "simclr", "emp_ssl")
    assert {"simclr.optimiser.momentum", "emp_ssl.optimiser.momentum"} < set(split.distributions)
    told = refusals({"simclr": {"adversary.random_start": [True, False]}}, "simclr", "cf_amc_ssl")
    assert told == {("simclr", "adversary.random_start"): "adversary.random_start means nothing to simclr; drop it"}


def test_a_fixed_text_stands_in_every_config() -> None:
    space = whole({"network.architecture": "vit_tiny", "network.patch_size": [2, 4], "optimiser.nesterov": [False]})
    assert list(space.distributions) == ["network.patch_size"]
    config = space.config({"network.patch_size": 2})
    assert (config.network.architecture, config.network.patch_size) == ("vit_tiny", 2)
    assert config.optimiser.nesterov is False
    assert space.to_json()["trainables"]["cf_amc_ssl"]["fixed"]["optimiser.nesterov"] is False


def test_what_depends_on_a_leaf_is_written_after_it() -> None:
    """The largest scale is a share of what the kind of views leaves above the smallest."""
    space = whole({"views.kind": ["patches", "crops"], "crop_scale_span": [0.5, 1.0]})
    patches = space.config({"views.kind": "patches", "crop_scale_span": 0.5})
    assert patches.views.scale == pytest.approx((0.25, 0.25 + 0.5 * 0.75))


def test_values_of_another_type_are_outside() -> None:
    space = whole({"optimiser.nesterov": [True, False], "network.architecture": ["resnet18", "resnet34"]})
    for wrong in ("True", 1, None):
        with pytest.raises(SpaceError, match=r"optimiser\.nesterov is .*, outside one of true, false of cf_amc_ssl"):
            space.config({"optimiser.nesterov": wrong, "network.architecture": "resnet18"})
    with pytest.raises(SpaceError, match=r"network\.architecture is 18, outside one of resnet18, resnet34"):
        space.config({"optimiser.nesterov": True, "network.architecture": 18})
    vit = override(default_config("cf_amc_ssl"), {"network.architecture": "vit_tiny"})
    with pytest.raises(SpaceError, match=r"network\.architecture is 'vit_tiny', outside"):
        space.params(vit)


def test_null_is_a_choice_where_it_is_a_value_of_its_own() -> None:
    assert [path for path, leaf in LEAVES.items() if leaf.may_be_null] == [
        "views.strength_period",
        "network.depth",
        "network.pre_feature",
    ]
    choices = {"network.pre_feature": [64, None], "views.strength_period": [None, 2], "network.depth": None}
    space = whole(choices, "cf_amc_ssl", "simclr")
    drawn = [space.sample(seed) for seed in range(40)]
    assert {config.network.pre_feature for config in drawn} == {64, None}
    assert {config.views.strength_period for config in drawn} == {2, None}
    for config in drawn:
        params = space.params(config)
        assert space.config(params) == config
        assert place(space, config) == given_params(space, params) == params
    rows = {row.dimension: row.range for row in space.describe()}
    assert rows == {
        "views.strength_period": "one of null, 2",
        "network.depth": "null",
        "network.pre_feature": "one of 64, null",
    }
    stated = space.to_json()["parameters"]["network.pre_feature"]
    assert json_to_distribution(json.dumps(stated)) == CategoricalDistribution([64, None])
    other = override(default_config("simclr"), {"network.depth": 10, "network.pre_feature": 32})
    with pytest.raises(SpaceError, match=r"network\.pre_feature is 32, outside one of 64, null of simclr"):
        space.params(other)
    with pytest.raises(SpaceError, match=r"network\.depth is 10, held at null"):
        place(space, override(other, {"network.pre_feature": None}))
    with pytest.raises(SpaceError, match=r"learning_rate is null, outside 0\.1 to 1 \(log\) of cf_amc_ssl"):
        whole({"learning_rate": {"low": 0.1, "high": 1}}).config({"learning_rate": None})


def test_what_a_leaf_left_open_comes_to_is_found() -> None:
    """``None`` stands for the source's own start, and for its kind's ratios."""
    space = whole({"adversary.random_start": [True, False], "views.ratio_max": [1.0, 4 / 3]}, "cf_amc_ssl")
    assert place(space, default_config("cf_amc_ssl")) == {"adversary.random_start": False, "views.ratio_max": 4 / 3}
    with pytest.raises(SpaceError, match=r"optimiser\.nesterov is true, held at false"):
        place(whole({"optimiser.nesterov": False}), default_config("cf_amc_ssl"))


def test_tables_speak_as_study_files_do() -> None:
    space = whole(
        {"optimiser.nesterov": [True, False], "views.augmentation": ["emp_ssl", "none"], "network.stem": "cifar"}
    )
    rows = {row.dimension: (row.range, row.parameter) for row in space.describe() if row.dimension in LEAVES}
    assert rows == {
        "views.augmentation": ("one of emp_ssl, none", "views.augmentation"),
        "network.stem": ("cifar", None),
        "optimiser.nesterov": ("one of true, false", "optimiser.nesterov"),
    }
    assert isinstance(space.distributions["optimiser.nesterov"], CategoricalDistribution)


def test_every_network_of_a_space_is_known_before_it_is_searched() -> None:
    asked = {"network.architecture": ["resnet18", "vit_tiny"], "network.dual_batch_norm": [False, True]}
    part = whole(asked | {"optimiser.nesterov": [True, False], "crops": 4}, "acl", "cf_amc_ssl").parts[0]
    networks = [config.network for config in differently_built(part)]
    assert [(network.architecture, network.dual_batch_norm) for network in networks] == [
        *(("resnet18", False), ("resnet18", True)),
        *(("vit_tiny", False), ("vit_tiny", True)),
    ]
    assert len(differently_built(whole({}).parts[0])) == 1
