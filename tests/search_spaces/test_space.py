"""Every point of every space is a valid trial, and points and parameters are two names of one thing."""

from __future__ import annotations

import json
import pickle

import optuna
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from optuna.distributions import CategoricalDistribution, IntDistribution, json_to_distribution

from search_spaces import DIMENSIONS, SearchSpace, SpaceError, build
from trainables.catalogue import TRAINABLES, check, default_config
from trainables.config import TrialConfig, override
from trainables.recipes import RECIPES, recipe


@pytest.fixture(autouse=True, scope="module")
def quiet_optuna():
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    yield
    optuna.logging.set_verbosity(before)


def bases(*names: str) -> list[TrialConfig]:
    return [default_config(name) for name in names or TRAINABLES]


def of_any_scale() -> list[TrialConfig]:
    """The trainables whose views may be of any size: patches have one, unless a study gives both of its ends."""
    return [base for base in bases() if base.views.kind != "patches"]


def everything() -> SearchSpace:
    return build(bases())


def same(params: dict, others: dict) -> bool:
    """Equal but for the last digits that a product of floats costs."""
    words = {name: value for name, value in params.items() if isinstance(value, str)}
    numbers = {name: value for name, value in params.items() if name not in words}
    return params.keys() == others.keys() and all(
        [others[name] == value for name, value in words.items()]
        + [others[name] == pytest.approx(value, rel=1e-9, abs=1e-12) for name, value in numbers.items()]
    )


@st.composite
def narrowings(draw: st.DrawFn) -> dict[str, object]:
    """Any dimension left alone, fixed, cut, put on a grid, or given as choices, all within its default range."""
    choices: dict[str, object] = {"unlisted": draw(st.sampled_from(["searched", "fixed"]))}
    for dimension in DIMENSIONS.values():
        defaults = filter(None, (dimension.default(base) for base in of_any_scale() if dimension.belongs(base)))
        if (default := next(defaults, None)) is None:
            continue
        if isinstance(default, CategoricalDistribution):
            values = st.sampled_from(default.choices)
        elif isinstance(default, IntDistribution):
            values = st.integers(default.low, default.high)
        else:
            values = st.floats(default.low, default.high)
        low, high = sorted((draw(values), draw(values)))
        several = st.lists(values, min_size=1, max_size=4, unique=True)
        ranged = st.sampled_from([{"low": low, "high": high}, {"low": low, "high": high, "log": False}])
        choice = draw(st.one_of(st.none(), values, several, ranged))
        if choice is not None:
            choices[dimension.name] = choice
    return choices


@given(narrowings(), st.integers(0, 2**32))
@settings(max_examples=30, deadline=None)
def test_each_sample_of_a_narrowed_space_is_a_valid_trial_and_params_are_its_inverse(choices, seed):
    space = build(of_any_scale(), choices)
    config = space.sample(seed)
    check(config)
    params = space.params(config)
    assert params.keys() <= space.distributions.keys()
    again = space.config(params)
    assert same(space.params(again), params)
    assert space.sample(seed) == config


def test_the_nearest_of_choices_that_rounding_could_confuse_is_taken():
    space = build(of_any_scale(), {"unlisted": "fixed", "crop_scale_span": [0.0, 2**-52]})
    params = {"trainable": "cf_amc_ssl", space.parameter("cf_amc_ssl", "crop_scale_span"): 2**-52}
    other = params | {space.parameter("cf_amc_ssl", "crop_scale_span"): 0.0}
    assert space.config(params).views.scale_max > space.config(other).views.scale_max


@given(narrowings())
@settings(max_examples=15, deadline=None)
def test_what_optuna_suggests_is_what_the_parameters_say(choices):
    space = build(of_any_scale(), choices)
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=1))
    for _ in range(3):
        trial = study.ask()
        config = space.suggest(trial)
        assert same(space.params(config), trial.params)
        assert space.config(trial.params) == config
        assert trial.distributions == {name: space.distributions[name] for name in trial.params}


def test_the_search_reaches_all_trainables_and_both_ends():
    space = build(bases(), {"m": {"low": 1, "high": 3}})
    drawn = [space.sample(seed) for seed in range(200)]
    assert {config.trainable for config in drawn} == set(TRAINABLES)
    assert {config.adversary.replays for config in drawn if config.trainable == "cf_amc_ssl"} == {1, 2, 3}


def test_an_enqueued_recipe_is_what_the_first_trial_runs():
    space = everything()
    wanted = recipe("table1/cf_amc_ssl")
    study = optuna.create_study()
    study.enqueue_trial(space.params(wanted))
    config = space.suggest(study.ask())
    assert config.trainable == "cf_amc_ssl"
    assert config.views.scale == pytest.approx(wanted.views.scale)
    assert (config.views.number, config.adversary.replays) == (16, 3)
    assert config.adversary.epsilon == pytest.approx(8 / 255)
    assert config.adversary.step_size == pytest.approx(8 / 255)


@pytest.mark.parametrize("name", [name for name in RECIPES if name.startswith("table1/")])
def test_the_papers_rows_lie_in_the_default_space(name):
    space = everything()
    config = recipe(name)
    assert space.config(space.params(config)).optimiser == config.optimiser


def test_the_released_codes_step_is_found_as_a_ratio():
    space = build([default_config("cf_amc_ssl", "released_code")])
    params = space.params(default_config("cf_amc_ssl", "released_code"))
    assert params["step_ratio"] == pytest.approx(1e-2 / (8 / 255))
    assert space.config(params).adversary.step_size == pytest.approx(1e-2)


def test_each_trainable_has_its_own_dimensions():
    own = {part.trainable: {name for name, _ in part.searched} for part in everything().parts}
    assert own["cf_amc_ssl"] - own["pgd_emp_ssl"] == {"m"}
    assert own["pgd_emp_ssl"] - own["cf_amc_ssl"] == {"pgd_steps"}
    assert own["robust_simclr"] - own["pgd_emp_ssl"] == {"temperature"}
    assert own["pgd_emp_ssl"] - own["robust_simclr"] == {"crops", "invariance_weight", "tcr_weight"}


def test_parameters_carry_the_trainable_only_where_ranges_differ():
    three = bases("cf_amc_ssl", "pgd_emp_ssl", "robust_simclr")
    names = build(three, {"cf_amc_ssl": {"epsilon": [4 / 255, 8 / 255]}}).distributions
    assert {"crops", "learning_rate", "m", "trainable"} <= names.keys()
    assert {"cf_amc_ssl.epsilon", "pgd_emp_ssl.epsilon", "cf_amc_ssl.epochs", "robust_simclr.epochs"} <= names.keys()
    assert "epsilon" not in names


def test_a_coreset_brings_its_fraction():
    names = build([override(default_config("acl"), {"coreset.name": "rcs"})], {"unlisted": "searched"}).distributions
    assert "coreset_fraction" in names
    assert "coreset_fraction" not in build(bases("acl")).distributions


def test_one_trainable_needs_no_choice_of_it():
    space = build(bases("cf_amc_ssl"), {"unlisted": "fixed", "m": [1, 3]})
    assert list(space.distributions) == ["m"]
    assert space.config({"m": 3}).adversary.replays == 3
    assert space.params(default_config("cf_amc_ssl")) == {"m": 3}


def test_a_fixed_value_is_no_longer_searched_but_stands_in_every_config():
    three = bases("cf_amc_ssl", "pgd_emp_ssl", "robust_simclr")
    space = build(three, {"epsilon": 4 / 255, "crop_scale_min": 0.3, "crop_scale_span": 0.5, "step_ratio": 0.5})
    assert not {"epsilon", "crop_scale_min", "crop_scale_span", "step_ratio"} & space.distributions.keys()
    config = space.sample(0)
    assert config.adversary.epsilon == pytest.approx(4 / 255)
    assert config.adversary.step_size == pytest.approx(2 / 255)
    assert config.views.scale == pytest.approx((0.3, 0.65))


def test_patches_keep_their_scale_unless_a_study_asks():
    patches = override(default_config("cf_amc_ssl"), {"views.kind": "patches"})
    assert "crop_scale_min" not in build([patches]).distributions
    asked = build([patches], {"crop_scale_min": {"low": 0.1, "high": 0.6}, "crop_scale_span": [0, 0.5]})
    assert all(asked.sample(seed).views.scale[0] >= 0.1 for seed in range(20))


def test_widening_is_allowed_as_far_as_a_trial_can_go():
    space = build(bases("cf_amc_ssl"), {"crops": {"low": 1, "high": 100}, "epsilon": {"low": 1 / 255, "high": 1.0}})
    assert space.distributions["crops"] == IntDistribution(1, 100)
    with pytest.raises(SpaceError) as caught:
        build(
            bases("cf_amc_ssl"),
            {
                "crop_scale_min": {"low": 0, "high": 0.5},
                "crop_scale_span": [0, 1.5],
                "epsilon": {"low": 0.01, "high": 1.5},
                "m": 0,
                "batch_size": [1, 64],
                "learning_rate": {"low": 0, "high": 1},
            },
        )
    messages = {fault.path[0]: fault.message for fault in caught.value.faults}
    assert messages.keys() == {
        "crop_scale_min",
        "crop_scale_span",
        "epsilon",
        "m",
        "batch_size",
        "learning_rate",
    }
    assert "epsilon cannot be 1.5" in messages["epsilon"] or "382/255" in messages["epsilon"]
    assert "adversary.replays is 0" in messages["m"]


def test_every_mistake_is_reported_at_once_with_its_place():
    with pytest.raises(SpaceError) as caught:
        build(
            bases(),
            {
                "cropz": 3,
                "crops": {"low": 40, "high": 4},
                "m": [1, "three"],
                "epochs": {"lo": 1, "high": 2.5},
                "pgd_steps": [],
                "epsilon": True,
                "temperature": [0.1, 0.1],
                "tcr_weight": {"low": 0.1, "high": 1, "step": 0.4},
                "invariance_weight": {"low": 1, "high": 2, "log": "yes"},
                "cf_amc_ssl": {"temperature": 0.1},
                "robust_simclr": 3,
                "unlisted": "dropped",
            },
        )
    faults = {fault.path: fault.message for fault in caught.value.faults}
    assert faults.keys() == {
        ("cropz",),
        ("crops",),
        ("m", 1),
        ("epochs", "lo"),
        ("epochs", "high"),
        ("pgd_steps",),
        ("epsilon",),
        ("temperature",),
        ("tcr_weight", "step"),
        ("invariance_weight", "log"),
        ("cf_amc_ssl", "temperature"),
        ("robust_simclr",),
        ("unlisted",),
    }
    assert "did you mean crops?" in faults["cropz",]
    assert "40 to 4" in faults["crops",]


def test_a_dimension_that_no_trainable_has_is_refused():
    with pytest.raises(SpaceError, match="cf_amc_ssl has no dimension 'temperature'"):
        build(bases("cf_amc_ssl"), {"temperature": 0.1})


def test_a_setting_fixes_its_dimension_and_contradicts_a_range():
    base = override(default_config("cf_amc_ssl"), {"optimiser.epochs": 2})
    space = build([base], settled={"cf_amc_ssl": {"optimiser.epochs"}})
    assert "epochs" not in space.distributions
    assert space.sample(3).optimiser.epochs == 2
    with pytest.raises(SpaceError, match=r"settings fix optimiser\.epochs"):
        build([base], {"epochs": [2, 3]}, {"cf_amc_ssl": {"optimiser.epochs"}})


def test_values_outside_are_all_named():
    space = build(bases("cf_amc_ssl"), {"crops": [4, 8], "m": {"low": 4, "high": 12}, "batch_size": 100})
    with pytest.raises(SpaceError) as caught:
        space.params(default_config("cf_amc_ssl"))
    assert {fault.path for fault in caught.value.faults} == {("crops",), ("m",)}
    with pytest.raises(SpaceError, match="not in this space"):
        space.params(default_config("robust_simclr"))


def test_incomplete_unknown_and_wrong_parameters_are_refused():
    space = build(bases(), {"unlisted": "fixed", "m": [1, 3], "crops": {"low": 4, "high": 8}})
    with pytest.raises(SpaceError, match="'trainable' is missing"):
        space.config({"m": 3})
    with pytest.raises(SpaceError, match=r"'n' is unknown.*'crops' is missing"):
        space.config({"trainable": "cf_amc_ssl", "m": 3, "n": 4})
    with pytest.raises(SpaceError, match="m is 2, outside one of 1, 3"):
        space.config({"trainable": "cf_amc_ssl", "m": 2, "crops": 4})
    with pytest.raises(SpaceError, match="crops is 'many'"):
        space.config({"trainable": "cf_amc_ssl", "m": 3, "crops": "many"})


def test_a_grid_of_fractions_keeps_its_last_point():
    space = build(bases("cf_amc_ssl"), {"epsilon": {"low": 2 / 255, "high": 16 / 255, "step": 2 / 255}})
    drawn = {round(space.sample(seed).adversary.epsilon * 255) for seed in range(200)}
    assert drawn == {2, 4, 6, 8, 10, 12, 14, 16}
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    drawn = {round(space.suggest(study.ask()).adversary.epsilon * 255) for _ in range(100)}
    assert drawn == {2, 4, 6, 8, 10, 12, 14, 16}
    assert space.params(default_config("cf_amc_ssl"))["epsilon"] == pytest.approx(8 / 255)


def test_json_gives_optunas_distributions_back():
    space = build(bases(), {"batch_size": 64})
    plain = json.loads(json.dumps(space.to_json()))
    read = {name: json_to_distribution(json.dumps(value)) for name, value in plain["parameters"].items()}
    assert read == space.distributions
    assert plain["trainables"]["cf_amc_ssl"]["fixed"] == {"batch_size": 64}
    assert plain["trainables"]["cf_amc_ssl"]["parameters"]["epochs"] == "cf_amc_ssl.epochs"


def test_a_space_is_a_value():
    assert everything() == everything()
    assert build(bases(), {"m": [1, 3]}) != everything()
    assert hash(everything()) == hash(everything())
    assert pickle.loads(pickle.dumps(everything())) == everything()


def test_the_description_names_each_dimension_once_per_range():
    rows = build(bases(), {"m": 3}).describe()
    by_name = {}
    for row in rows:
        by_name.setdefault(row.dimension, []).append(row)
    assert by_name["m"][0].parameter is None
    assert by_name["m"][0].range == "3"
    assert by_name["epsilon"][0].range == "2/255 to 16/255"
    assert set(by_name["epsilon"][0].trainables) == set(TRAINABLES) - {"simclr", "emp_ssl"}
    assert len(by_name["epochs"]) == len(TRAINABLES)
