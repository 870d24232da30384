"""What each row of each table is, written out: a recipe that drifts from its table fails here."""

from __future__ import annotations

from typing import NamedTuple

import pytest

from trainables.config import TrialConfig, flatten
from trainables.recipes import RECIPES, TABLES, recipe


class Row(NamedTuple):
    """Objective, adversary with its steps or replays, views, epochs, batch and heads, as the table says."""

    objective: str
    adversary: str
    passes: int
    kind: str
    views: int
    epochs: int
    batch: int
    heads: tuple[str, ...]


ROBUST, BOTH, OWN = ("robust",), ("robust", "clean"), ("own", "robust")
CROPS = ("clean", "n_crops_32", "n_crops_64")
EVERY = ("robust", "clean", "n_crops_32", "robust_n_crops_32", "n_crops_64", "robust_n_crops_64")
LINEAR = ("slf", "alf")
ACL = Row("acl", "pgd", 5, "crops", 2, 1000, 512, LINEAR)

EXPECTED = {
    "table1/patch_pgd_emp_ssl": Row("emp_ssl", "pgd", 5, "patches", 16, 30, 128, ROBUST),
    "table1/pgd_emp_ssl": Row("emp_ssl", "pgd", 5, "crops", 16, 30, 128, ROBUST),
    "table1/robust_simclr": Row("nt_xent", "pgd", 5, "crops", 2, 500, 512, ROBUST),
    "table1/patch_robust_simclr": Row("nt_xent", "pgd", 5, "patches", 2, 500, 512, ROBUST),
    "table1/patch_cf_amc_ssl": Row("emp_ssl", "free", 3, "patches", 16, 10, 100, ROBUST),
    "table1/simclr_free": Row("nt_xent", "free", 3, "crops", 2, 167, 512, ROBUST),
    "table1/cf_amc_ssl": Row("emp_ssl", "free", 3, "crops", 16, 10, 100, ROBUST),
    "table2/simclr": Row("nt_xent", "none", 0, "crops", 2, 500, 512, CROPS),
    "table2/emp_ssl": Row("emp_ssl", "none", 0, "patches", 64, 30, 128, CROPS),
    "table3/robust_simclr": Row("nt_xent", "pgd", 5, "crops", 2, 500, 512, BOTH),
    "table3/pgd_emp_ssl": Row("emp_ssl", "pgd", 5, "crops", 16, 30, 128, BOTH),
    "table4/cf_amc_ssl_m1": Row("emp_ssl", "free", 1, "crops", 16, 30, 100, ROBUST),
    "table4/cf_amc_ssl_m3": Row("emp_ssl", "free", 3, "crops", 16, 10, 100, ROBUST),
    "table4/cf_amc_ssl_m5": Row("emp_ssl", "free", 5, "crops", 16, 6, 100, ROBUST),
    "table4/cf_amc_ssl_m7": Row("emp_ssl", "free", 7, "crops", 16, 9, 100, ROBUST),
    "table4/cf_amc_ssl_m12": Row("emp_ssl", "free", 12, "crops", 16, 9, 100, ROBUST),
    "table4/pgd_emp_ssl": Row("emp_ssl", "pgd", 5, "crops", 16, 30, 128, ROBUST),
    "table4/simclr_free_m3": Row("nt_xent", "free", 3, "crops", 2, 167, 512, ROBUST),
    "table4/simclr_free_m7": Row("nt_xent", "free", 7, "crops", 2, 150, 512, ROBUST),
    "table4/supervised_free_m3": Row("cross_entropy", "free", 3, "padded", 1, 167, 128, OWN),
    "table4/supervised_free_sup_con_m3": Row("sup_con", "free", 3, "crops", 2, 167, 512, ROBUST),
    "table5/cf_amc_ssl_m7": Row("emp_ssl", "free", 7, "crops", 16, 9, 100, ROBUST),
    "table5/cf_amc_ssl_m3": Row("emp_ssl", "free", 3, "crops", 16, 10, 100, ROBUST),
    "table5/simclr_free_m7": Row("nt_xent", "free", 7, "crops", 2, 150, 512, ROBUST),
    "table5/simclr_free_m3": Row("nt_xent", "free", 3, "crops", 2, 150, 512, ROBUST),
    "table6/cf_amc_ssl": Row("emp_ssl", "free", 3, "crops", 16, 10, 100, ROBUST),
    "table6/simclr_free": Row("nt_xent", "free", 3, "crops", 2, 167, 512, ROBUST),
    "table6/pgd_emp_ssl": Row("emp_ssl", "pgd", 5, "crops", 16, 30, 128, ROBUST),
    "table6/robust_simclr": Row("nt_xent", "pgd", 5, "crops", 2, 500, 512, ROBUST),
    "ablation-m/m_1": Row("emp_ssl", "free", 1, "crops", 16, 10, 100, ROBUST),
    "ablation-m/m_3": Row("emp_ssl", "free", 3, "crops", 16, 10, 100, ROBUST),
    "ablation-m/m_5": Row("emp_ssl", "free", 5, "crops", 16, 10, 100, ROBUST),
    "ablation-m/m_7": Row("emp_ssl", "free", 7, "crops", 16, 10, 100, ROBUST),
    "ablation-m/m_12": Row("emp_ssl", "free", 12, "crops", 16, 10, 100, ROBUST),
    "ablation-crops/crops_4": Row("emp_ssl", "pgd", 5, "crops", 4, 30, 128, CROPS),
    "ablation-crops/crops_8": Row("emp_ssl", "pgd", 5, "crops", 8, 30, 128, CROPS),
    "ablation-crops/crops_16": Row("emp_ssl", "pgd", 5, "crops", 16, 30, 128, CROPS),
    "ablation-crops/crops_40": Row("emp_ssl", "pgd", 5, "crops", 40, 30, 128, CROPS),
    "ablation-crops/patches_4": Row("emp_ssl", "pgd", 5, "patches", 4, 30, 128, CROPS),
    "ablation-crops/patches_8": Row("emp_ssl", "pgd", 5, "patches", 8, 30, 128, CROPS),
    "ablation-crops/patches_16": Row("emp_ssl", "pgd", 5, "patches", 16, 30, 128, CROPS),
    "ablation-crops/patches_40": Row("emp_ssl", "pgd", 5, "patches", 40, 30, 128, CROPS),
    "ablation-scale/simclr_crops_8": Row("nt_xent", "pgd", 5, "crops", 2, 500, 512, CROPS),
    "ablation-scale/simclr_patches_25": Row("nt_xent", "pgd", 5, "patches", 2, 500, 512, CROPS),
    "ablation-scale/simclr_patches_50": Row("nt_xent", "pgd", 5, "patches", 2, 500, 512, CROPS),
    "ablation-scale/simclr_patches_75": Row("nt_xent", "pgd", 5, "patches", 2, 500, 512, CROPS),
    "ablation-scale/emp_ssl_patches_25": Row("emp_ssl", "pgd", 5, "patches", 40, 30, 128, CROPS),
    "ablation-scale/emp_ssl_crops_8": Row("emp_ssl", "pgd", 5, "crops", 40, 30, 128, CROPS),
    "ablation-scale/emp_ssl_crops_25": Row("emp_ssl", "pgd", 5, "crops", 40, 30, 128, CROPS),
    "ablation-scale/emp_ssl_crops_50": Row("emp_ssl", "pgd", 5, "crops", 40, 30, 128, CROPS),
    "ablation-heads/pgd_emp_ssl": Row("emp_ssl", "pgd", 5, "crops", 16, 30, 128, EVERY),
    "ablation-heads/patch_pgd_emp_ssl": Row("emp_ssl", "pgd", 5, "patches", 16, 30, 128, EVERY),
    "rcs/acl": ACL,
    "rcs/acl_rcs_0.05": ACL,
    "rcs/acl_rcs_0.1": ACL,
    "rcs/acl_rcs_0.2": ACL,
    "rcs/acl_random_0.05": ACL,
    "rcs/acl_random_0.1": ACL,
    "rcs/acl_random_0.2": ACL,
    "rcs/dynacl": ACL,
    "rcs/dynacl_rcs_0.05": ACL,
    "rcs/dynacl_rcs_0.1": ACL,
    "rcs/dynacl_rcs_0.2": ACL,
    "rcs/dynacl_random_0.05": ACL,
    "rcs/dynacl_random_0.1": ACL,
    "rcs/dynacl_random_0.2": ACL,
}

CORESETS = {
    "": ("none", None),
    "_rcs_0.05": ("rcs", 0.05),
    "_rcs_0.1": ("rcs", 0.1),
    "_rcs_0.2": ("rcs", 0.2),
    "_random_0.05": ("random", 0.05),
    "_random_0.1": ("random", 0.1),
    "_random_0.2": ("random", 0.2),
}

SCALES = {
    "simclr_crops_8": ((0.08, 1.0), (3 / 4, 4 / 3)),
    "simclr_patches_25": ((0.25, 0.25), (1, 1)),
    "simclr_patches_50": ((0.5, 0.5), (1, 1)),
    "simclr_patches_75": ((0.75, 0.75), (1, 1)),
    "emp_ssl_patches_25": ((0.25, 0.25), (1, 1)),
    "emp_ssl_crops_8": ((0.08, 1.0), (3 / 4, 4 / 3)),
    "emp_ssl_crops_25": ((0.25, 1.0), (3 / 4, 4 / 3)),
    "emp_ssl_crops_50": ((0.5, 1.0), (3 / 4, 4 / 3)),
}


def as_row(config: TrialConfig) -> Row:
    passes = {"pgd": config.adversary.steps, "free": config.adversary.replays, "none": 0}[config.adversary.name]
    return Row(
        config.objective.name,
        config.adversary.name,
        passes,
        config.views.kind,
        config.views.number,
        config.optimiser.epochs,
        config.optimiser.batch_size,
        config.evaluation.heads,
    )


def difference(one: str, other: str) -> set[str]:
    """Settings in which two recipes differ."""
    left, right = flatten(recipe(one)), flatten(recipe(other))
    return {path for path in left if left[path] != right[path]}


def test_every_row_is_written_out_here():
    assert set(RECIPES) == set(EXPECTED)


@pytest.mark.parametrize("name", EXPECTED)
def test_a_row_is_what_its_table_says(name):
    config = recipe(name)
    assert as_row(config) == EXPECTED[name]
    assert config.evaluation.head == EXPECTED[name].heads[0]


@pytest.mark.parametrize("name", EXPECTED)
def test_every_row_is_measured_on_all_test_images_after_training_on_all_others(name):
    config = recipe(name)
    assert (config.data.validation_fraction, config.evaluation.split) == (0, "test")
    assert (config.evaluation.images, config.data.train_images, config.evaluation.auto_attack_images) == (None,) * 3
    assert config.evaluation.attack_epsilons == pytest.approx((4 / 255, 8 / 255, 16 / 255))
    assert config.evaluation.epsilon == pytest.approx(8 / 255)
    assert (config.evaluation.attack_steps, config.evaluation.attack_step_size) == (20, 1e-2)
    assert config.adversary.epsilon == pytest.approx(8 / 255)


@pytest.mark.parametrize("table", TABLES)
def test_no_two_rows_of_a_table_are_the_same(table):
    rows = [row.config() for row in TABLES[table].rows]
    assert len(set(map(repr, rows))) == len(rows)


@pytest.mark.parametrize(
    ("one", "other", "paths"),
    [
        ("table1/cf_amc_ssl", "table1/patch_cf_amc_ssl", {"views.kind"}),
        ("table1/pgd_emp_ssl", "table1/patch_pgd_emp_ssl", {"views.kind"}),
        ("table1/robust_simclr", "table1/patch_robust_simclr", {"views.kind"}),
        (
            "table1/cf_amc_ssl",
            "table1/pgd_emp_ssl",
            {"trainable", "adversary.name", "optimiser.epochs", "optimiser.batch_size"},
        ),
        ("table1/simclr_free", "table1/robust_simclr", {"trainable", "adversary.name", "optimiser.epochs"}),
        ("table1/cf_amc_ssl", "table4/cf_amc_ssl_m3", set()),
        ("table1/pgd_emp_ssl", "table3/pgd_emp_ssl", {"evaluation.heads"}),
        ("table1/cf_amc_ssl", "table6/cf_amc_ssl", {"evaluation.attacks"}),
        ("table4/cf_amc_ssl_m7", "table5/cf_amc_ssl_m7", {"network.architecture"}),
        ("ablation-m/m_1", "ablation-m/m_12", {"adversary.replays"}),
        ("ablation-crops/crops_4", "ablation-crops/crops_40", {"views.number"}),
        ("ablation-heads/pgd_emp_ssl", "ablation-heads/patch_pgd_emp_ssl", {"views.kind"}),
        ("rcs/acl", "rcs/dynacl", {"trainable", "views.strength_period", "objective.reweighting"}),
        ("rcs/acl_rcs_0.1", "rcs/acl_random_0.1", {"coreset.name"}),
        ("rcs/acl_rcs_0.1", "rcs/acl_rcs_0.05", {"coreset.fraction"}),
    ],
)
def test_neighbours_differ_in_what_the_table_compares_alone(one, other, paths):
    assert difference(one, other) == paths


@pytest.mark.parametrize("trainable", ["acl", "dynacl"])
@pytest.mark.parametrize("suffix", CORESETS)
def test_coresets(trainable, suffix):
    coreset = recipe(f"rcs/{trainable}{suffix}").coreset
    name, fraction = CORESETS[suffix]
    assert coreset.name == name
    if fraction is not None:
        assert (coreset.fraction, coreset.warmup_epochs, coreset.interval) == (fraction, 100, 20)
        assert (coreset.divergence, coreset.validation_fraction) == ("kl", 0.01)


@pytest.mark.parametrize("row", SCALES)
def test_scales_and_ratios(row):
    views = recipe(f"ablation-scale/{row}").views
    assert (views.scale, views.ratio) == (pytest.approx(SCALES[row][0]), pytest.approx(SCALES[row][1]))


@pytest.mark.parametrize("kind", ["crops", "patches"])
def test_the_scale_of_crops_and_patches_in_the_tables(kind):
    views = recipe("table1/cf_amc_ssl" if kind == "crops" else "table1/patch_cf_amc_ssl").views
    assert (views.scale, views.ratio) == {
        "crops": ((0.08, 1.0), (3 / 4, 4 / 3)),
        "patches": ((0.25, 0.25), (1.0, 1.0)),
    }[kind]


def test_networks():
    wide = {name for name in RECIPES if recipe(name).network.architecture == "resnet50"}
    assert wide == {name for name in EXPECTED if name.startswith("table5/")}
    assert {recipe(name).network.architecture for name in RECIPES} == {"resnet18", "resnet50"}


def test_attacks():
    standard = {name for name in RECIPES if recipe(name).evaluation.attacks == ("pgd", "auto_attack")}
    explained = {name for name in RECIPES if "torchattacks_10_steps" in recipe(name).evaluation.attacks}
    assert standard == {name for name in EXPECTED if name.startswith("rcs/")}
    assert explained == {name for name in EXPECTED if name.startswith("table6/")}
    assert recipe("table6/cf_amc_ssl").evaluation.attacks == ("pgd", "auto_attack", "torchattacks_10_steps")
