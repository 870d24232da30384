"""Constants of the sources, their provenance, and the choices a recipe leaves: data set, and whom to follow."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, get_args

import pytest

from trainables.adversaries import Attack, resolve
from trainables.catalogue import TRAINABLES, check, default_config, find
from trainables.config import ConfigError, FaithfulTo, flatten
from trainables.cost import image_forward_equivalents
from trainables.recipes import RECIPES, find_table, recipe
from trainables.recipes.recipe import Provenance

R = 8 / 255
LARS: dict[str, Any] = {
    "optimiser.learning_rate": 0.3,
    "optimiser.momentum": 0.9,
    "optimiser.nesterov": True,
    "optimiser.weight_decay": 1e-4,
    "optimiser.lars": "clipped",
    "optimiser.lars_eta": 0.005,
    "optimiser.warmup_epochs": 0,
    "network.stem": "cifar",
    "network.width": 64,
    "network.pre_feature": 4096,
    "network.projector_hidden": 4096,
    "network.projector_layers": 2,
    "evaluation.head_learning_rate": 3e-4,
    "evaluation.head_batch_size": 256,
    "evaluation.head_epochs": 20,
    "evaluation.head_attack_steps": 5,
    "evaluation.head_epsilon": 8 / 255,
    "evaluation.crops_epochs": 100,
}
EMP_SSL = LARS | {
    "objective.invariance_weight": 200,
    "objective.tcr_weight": 1,
    "objective.tcr_eps": 0.2,
    "network.embedding": 1024,
    "views.augmentation": "emp_ssl",
}
SIMCLR = LARS | {"objective.temperature": 0.07, "network.embedding": 128, "views.augmentation": "simclr"}
ACL = {
    "objective.temperature": 0.5,
    "views.augmentation": "simclr",
    "views.scale_min": 0.1,
    "network.dual_batch_norm": True,
    "network.pre_feature": None,
    "network.projector_hidden": 512,
    "network.projector_layers": 3,
    "network.embedding": 512,
    "optimiser.learning_rate": 5,
    "optimiser.momentum": 0.9,
    "optimiser.nesterov": False,
    "optimiser.weight_decay": 1e-6,
    "optimiser.warmup_epochs": 10,
    "optimiser.lars": "scaled",
    "optimiser.lars_eta": 0.001,
    "adversary.step_size": 2 / 255,
    "adversary.random_start": True,
    "evaluation.finetune_epochs": 25,
}
BY_OBJECTIVE = {"emp_ssl": EMP_SSL, "nt_xent": SIMCLR, "acl": ACL}


@pytest.mark.parametrize("name", [name for name in RECIPES if not name.startswith("table4/supervised")])
def test_constants_that_tables_leave_to_the_sources(name):
    config = recipe(name)
    leaves, wanted = flatten(config), BY_OBJECTIVE[config.objective.name]
    assert {path: leaves[path] for path in wanted} == wanted


ATTACKS = {
    "cf_amc_ssl": (Attack(epsilon=R, step_size=R, steps=5), {"step_size": 1e-2}),
    "simclr_free": (Attack(epsilon=R, step_size=R, steps=5), {"step_size": 1e-2}),
    "supervised_free": (Attack(epsilon=R, step_size=R, steps=5), {"step_size": 1e-2}),
    "pgd_emp_ssl": (Attack(epsilon=R, step_size=1e-2, steps=5), {"leaks_weight_gradients": True}),
    "robust_simclr": (
        Attack(epsilon=R, step_size=1e-2, steps=5, random_start=True),
        {"random_start": False, "leaks_weight_gradients": True},
    ),
    "supervised_pgd": (Attack(epsilon=R, step_size=2 / 255, steps=7, random_start=True), {}),
    "acl": (Attack(epsilon=R, step_size=2 / 255, steps=5, random_start=True), {}),
    "dynacl": (Attack(epsilon=R, step_size=2 / 255, steps=5, random_start=True), {}),
}
"""Of each method, as the text has it, and what is otherwise as the code has it."""


@pytest.mark.parametrize("name", ATTACKS)
def test_a_methods_own_adversary_is_its_sources(name):
    """Text and code differ in what is resolved, and in no default: see ``faithful_to``."""
    text, code = default_config(name, "paper"), default_config(name, "released_code")
    assert replace(code, faithful_to="paper") == text
    as_text, otherwise = ATTACKS[name]
    assert resolve(text.adversary, text.objective.name, "paper") == as_text
    assert resolve(code.adversary, code.objective.name, "released_code") == replace(as_text, **otherwise)
    assert text.adversary.replays == 3


def test_every_adversary_is_written_out_here():
    attacking = {name for name in TRAINABLES if default_config(name).adversary.name != "none"}
    assert attacking == set(ATTACKS)


SIZES = {
    "cf_amc_ssl": (16, 10, 100),
    "pgd_emp_ssl": (16, 30, 128),
    "emp_ssl": (64, 30, 128),
    "robust_simclr": (2, 500, 512),
    "simclr_free": (2, 167, 512),
    "simclr": (2, 500, 512),
    "supervised_free": (1, 167, 128),
    "supervised_pgd": (1, 200, 128),
    "acl": (2, 1000, 512),
    "dynacl": (2, 1000, 512),
}
"""Views, epochs and batch of each method, unless a table says otherwise."""


@pytest.mark.parametrize("name", TRAINABLES)
def test_a_methods_own_sizes(name):
    config = default_config(name)
    assert (config.views.number, config.optimiser.epochs, config.optimiser.batch_size) == SIZES[name]


WORK = {
    "cf_amc_ssl": (16 * 3 * 3, 16 * 3 * 3),
    "pgd_emp_ssl": (16 * (5 * 2 + 3), 16 * (5 * 3 + 3)),
    "emp_ssl": (64 * 3, 64 * 3),
    "robust_simclr": (2 * 5 * 2 + 4 * 3, 2 * 5 * 3 + 2 * 3),
    "simclr_free": (2 * 3 * 3, 2 * 3 * 3),
    "simclr": (2 * 3, 2 * 3),
    "supervised_free": (3 * 3, 3 * 3),
    "supervised_pgd": (7 * 2 + 3, 7 * 2 + 3),
    "acl": (2 * 5 * 2 + 4 * 3,) * 2,
    "dynacl": (2 * 5 * 2 + 4 * 3,) * 2,
}
"""Forward-equivalents of an image, after text and code: a pass forward is 1, back to the image 1, to weights too 2."""


@pytest.mark.parametrize("name", TRAINABLES)
def test_the_work_of_an_image(name):
    whose = get_args(FaithfulTo)
    found = (image_forward_equivalents(default_config(name, who), find(name).pairing(who)) for who in whose)
    assert tuple(found) == WORK[name]


def test_supervised_methods_see_one_padded_view_and_train_as_the_others():
    for name, epochs in (("supervised_pgd", 200), ("supervised_free", 167)):
        leaves = flatten(default_config(name))
        padded = {"views.number": 1, "views.kind": "padded", "views.augmentation": "none"}
        wanted = LARS | padded | {"optimiser.epochs": epochs, "optimiser.batch_size": 128}
        assert {path: leaves[path] for path in wanted} == wanted


def test_dynacl_weakens_augmentation_every_50_epochs_and_weighs_by_two_thirds():
    for name in (name for name in RECIPES if name.startswith("rcs/dynacl")):
        config = recipe(name)
        assert (config.views.strength_period, config.objective.reweighting) == (50, pytest.approx(2 / 3))


@pytest.mark.parametrize("name", RECIPES)
def test_every_constant_names_its_source(name):
    constants = RECIPES[name].constants
    paths = set(flatten(recipe(name)))
    assert {"optimiser.epochs", "adversary.name", "evaluation.heads"} <= constants.keys() <= paths
    for constant in constants.values():
        assert constant.source in get_args(Provenance)
        assert constant.where


@pytest.mark.parametrize("faithful_to", ["paper", "released_code"])
@pytest.mark.parametrize("data", ["cifar10", "cifar100"])
def test_every_recipe_is_complete_for_each_data_set_and_each_source(faithful_to, data):
    for name in RECIPES:
        config = recipe(name, data=data, faithful_to=faithful_to)
        check(config)
        assert (config.data.source, config.faithful_to) == (data, faithful_to)
        assert config.trainable == RECIPES[name].trainable


def test_assumptions_are_told():
    assert RECIPES["table1/cf_amc_ssl"].assumptions.keys() == {"evaluation.head_epochs"}
    assert RECIPES["table4/cf_amc_ssl_m12"].assumptions.keys() == {"evaluation.head_epochs", "optimiser.epochs"}
    assert "evaluation.crops_epochs" in RECIPES["table2/emp_ssl"].assumptions


def test_unknown_names_are_answered_with_the_valid_ones():
    with pytest.raises(ConfigError, match=r"unknown recipe 'table1/none'; choose one of table1/patch_pgd_emp_ssl, "):
        recipe("table1/none")
    with pytest.raises(ConfigError, match=r"unknown table 'table7'; choose one of table1, table2, "):
        find_table("table7")
    with pytest.raises(ConfigError, match=r"data\.source is 'mnist'"):
        recipe("table1/cf_amc_ssl", data="mnist")
