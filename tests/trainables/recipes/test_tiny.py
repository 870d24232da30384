"""Tiny recipes keep what tells rows apart."""

from __future__ import annotations

import re

import pytest

from trainables.catalogue import check
from trainables.config import flatten
from trainables.coresets import minibatches
from trainables.recipes import RECIPES, TABLES, recipe, tiny

KEPT = (
    "trainable",
    "faithful_to",
    "objective.name",
    "objective.invariance_weight",
    "objective.tcr_weight",
    "adversary.name",
    "adversary.steps",
    "adversary.replays",
    "adversary.random_start",
    "views.kind",
    "views.scale_min",
    "views.scale_max",
    "views.augmentation",
    "network.architecture",
    "network.dual_batch_norm",
    "coreset.name",
    "coreset.fraction",
    "coreset.divergence",
    "evaluation.attacks",
    "evaluation.split",
    "data.validation_fraction",
)


def kinds(heads: tuple[str, ...]) -> list[str]:
    return [re.sub(r"\d+", "N", name) for name in heads]


@pytest.mark.parametrize("name", RECIPES)
def test_what_makes_a_row_stays(name):
    full = recipe(name, faithful_to="released_code")
    small = tiny(full)
    check(small)
    before, after = flatten(full), flatten(small)
    assert {path: after[path] for path in KEPT} == {path: before[path] for path in KEPT}
    assert kinds(small.evaluation.heads) == kinds(full.evaluation.heads)
    assert small.evaluation.heads.index(small.evaluation.head) == 0
    assert small.data.source == "digits"
    assert small.optimiser.epochs <= 5


@pytest.mark.parametrize("table", TABLES)
def test_rows_stay_apart(table):
    rows = [repr(tiny(row.config())) for row in TABLES[table].rows]
    assert len(set(rows)) == len(rows)


def test_coresets_of_different_fractions_hold_different_numbers_of_minibatches():
    sizes = []
    for fraction in (0.05, 0.1, 0.2):
        config = tiny(recipe(f"rcs/acl_rcs_{fraction}"))
        images = round(config.data.train_images * (1 - config.coreset.validation_fraction))
        sizes.append(minibatches(images, config.optimiser.batch_size, config.coreset.fraction))
    assert sizes == [1, 2, 4]


@pytest.mark.parametrize("path", ["optimiser.epochs", "views.number"])
def test_more_remains_at_least_as_much(path):
    pairs = sorted({(flatten(config)[path], flatten(tiny(config))[path]) for config in map(recipe, RECIPES)})
    small = [after for _, after in pairs]
    assert small == sorted(small)
    assert len(set(small)) > 3


def test_numbers_of_views_and_crops():
    shrunk = [tiny(recipe(f"ablation-crops/crops_{number}")) for number in (4, 8, 16, 40)]
    assert [config.views.number for config in shrunk] == [2, 3, 4, 6]
    assert shrunk[0].evaluation.heads == ("clean", "n_crops_6", "n_crops_8")
    assert tiny(recipe("ablation-heads/pgd_emp_ssl")).evaluation.heads[3] == "robust_n_crops_6"
