"""The published figures against a second transcription of the tables they were copied from."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest

from analysis.papers import published
from analysis.papers.published import PublishedPoint
from trainables.recipes import RECIPES, rcs, recipe, table1, table2, table3, table4, table5


def only(points: tuple[PublishedPoint, ...], method: str, data: str, head: str = "") -> PublishedPoint:
    (point,) = (row for row in points if row.method == method and row.data == data and head in row.head)
    return point


@pytest.mark.parametrize(
    ("table", "rows", "radii"),
    [
        (published.TABLE_1, 7, (4, 8)),
        (published.TABLE_2, 6, (4, 8, 16)),
        (published.TABLE_3, 4, (4, 8, 16)),
        (published.TABLE_5, 4, (4, 8, 16)),
    ],
)
def test_every_row_has_both_data_sets_and_all_radii(
    table: tuple[PublishedPoint, ...], rows: int, radii: tuple[int, ...]
) -> None:
    assert [point.data for point in table] == ["CIFAR-10", "CIFAR-100"] * rows
    assert all(tuple(point.robust) == radii for point in table)


def test_the_papers_own_method() -> None:
    point = only(published.TABLE_1, "CF-AMC-SSL, 16 crops, m=3", "CIFAR-10")
    assert (point.clean, point.robust[4], point.robust[8]) == (75.88, 55.97, 33.34)
    assert (point.epochs, point.minutes, point.network) == (10, 97, "ResNet-18")
    assert only(published.TABLE_1, "CF-AMC-SSL, 16 crops, m=3", "CIFAR-100").robust[8] == 17.19


def test_values_of_the_other_tables() -> None:
    assert only(published.TABLE_2, "EMP-SSL, not adversarial", "CIFAR-100", "64").clean == 72.3
    assert only(published.TABLE_3, "Crop EMP-SSL, 16 crops, PGD-5", "CIFAR-100", "clean head").robust[16] == 1.73
    assert only(published.TABLE_5, "SimCLR-FreeAdv, m=7", "CIFAR-10").robust == {4: 39.09, 8: 28.88, 16: 12.76}
    assert only(published.ROBUST_SSL_LEADERBOARD, "DynACL-AIR++", "CIFAR-10", "ALF").robust[8] == 48.23


def test_robust_heads_of_table_3_repeat_table_1() -> None:
    for point in published.TABLE_3:
        if "robust head" in point.head:
            twin = only(published.TABLE_1, point.method, point.data)
            assert (twin.clean, twin.robust[4], twin.robust[8]) == (point.clean, point.robust[4], point.robust[8])


def test_accuracy_falls_with_the_radius() -> None:
    adversarial = [*published.TABLE_1, *published.TABLE_3, *published.TABLE_5]
    for point in adversarial:
        falling = [point.clean, *(point.robust[radius] for radius in sorted(point.robust))]
        assert falling == sorted(falling, reverse=True), point


def test_protocol_says_what_the_figures_rest_on() -> None:
    point = only(published.TABLE_1, "Crop SimCLR, PGD-5", "CIFAR-10")
    assert point.protocol == (
        "CIFAR-10; ResNet-18; 500 epochs; 934 min on one A6000, pre-training only; "
        "robust head (r-LE), whole image, PGD-20 on all 10,000 test images"
    )


@pytest.mark.parametrize(
    ("head", "network", "attack", "radius", "tables", "count"),
    [
        ("robust", "ResNet-18", "PGD-20", 8, {"Table 1"}, 7),  # Table 3 prints two of them again
        ("robust", "ResNet-18", "PGD-20", 16, {"Table 3"}, 2),
        ("robust", "ResNet-50", "PGD-20", 16, {"Table 5"}, 4),
        ("clean", "ResNet-18", "PGD-20", 8, {"Table 2", "Table 3"}, 4),
        ("clean", "ResNet-50", "PGD-20", 8, set(), 0),
        ("n_crops_32", "ResNet-18", "PGD-20", 8, set(), 0),
        ("slf", "ResNet-18", "PGD-20", 8, set(), 0),
        ("slf", "ResNet-18", "AutoAttack standard", 8, {"CIFAR-10"}, 6),
        ("alf", "ResNet-18", "AutoAttack standard", 8, {"CIFAR-10"}, 6),
        ("robust", "ResNet-18", "AutoAttack standard", 8, set(), 0),
    ],
)
def test_references_are_what_was_measured_so(
    head: str, network: str, attack: str, radius: float, tables: set[str], count: int
) -> None:
    points = published.references("CIFAR-10", head, network, attack, radius)
    assert ({point.table for point in points}, len(points)) == (tables, count)
    assert {point.head_name for point in points} <= {head}


BLANK = (
    *("table4/cf_amc_ssl_m1", "table4/cf_amc_ssl_m3", "table4/cf_amc_ssl_m5", "table4/cf_amc_ssl_m7"),
    *("table4/pgd_emp_ssl", "table4/simclr_free_m3", "table4/simclr_free_m7"),
    *("table4/supervised_free_m3", "table4/supervised_free_sup_con_m3"),
    *("table6/cf_amc_ssl", "table6/simclr_free", "table6/pgd_emp_ssl", "table6/robust_simclr"),
    *(f"ablation-m/m_{m}" for m in (1, 3, 5, 7, 12)),
    *(f"ablation-crops/{kind}_{number}" for kind in ("crops", "patches") for number in (4, 8, 16, 40)),
    *(f"ablation-scale/simclr_{views}" for views in ("crops_8", "patches_25", "patches_50", "patches_75")),
    *(f"ablation-scale/emp_ssl_{views}" for views in ("patches_25", "crops_8", "crops_25", "crops_50")),
    *("ablation-heads/pgd_emp_ssl", "ablation-heads/patch_pgd_emp_ssl"),
    *("rcs/acl_rcs_0.05", "rcs/acl_rcs_0.1", "rcs/acl_rcs_0.2", "rcs/dynacl_rcs_0.05", "rcs/dynacl_rcs_0.1"),
    *(f"rcs/{name}_random_{fraction}" for name in ("acl", "dynacl") for fraction in (0.05, 0.1, 0.2)),
)
"""Recipes whose published figures are pictures, or which nobody published."""


def test_every_recipe_has_its_published_points_or_is_known_to_have_none():
    published_recipes = {point.recipe for point in published.POINTS if point.recipe}
    assert published_recipes | set(BLANK) == set(RECIPES)
    assert not published_recipes & set(BLANK)


def test_every_point_has_a_recipe_but_those_of_methods_that_are_no_trainables():
    without = {point.method for point in published.POINTS if point.recipe is None}
    assert without == {"DeACL", "DynACL++", "DynACL-AIR++"}


def test_no_two_points_claim_one_cell():
    keys = [(point.recipe, point.data, point.head_name) for point in published.POINTS if point.recipe]
    assert len(set(keys)) == len(keys)


def test_a_points_protocol_is_its_recipes():
    networks = {"ResNet-18": "resnet18", "ResNet-50": "resnet50"}
    for point in published.POINTS:
        if point.recipe is None:
            continue
        config = recipe(point.recipe)
        assert point.head_name in config.evaluation.heads
        assert config.network.architecture == networks[point.network]
        assert point.epochs in (None, config.optimiser.epochs)
        assert {radius / 255 for radius in point.robust} <= set(config.evaluation.attack_epsilons)
        assert ("auto_attack" in config.evaluation.attacks) == point.attack.startswith("AutoAttack")
        assert (f"m={config.adversary.replays}" in point.method) == (config.adversary.name == "free")


def test_heads_of_table_2_are_published_for_both_encoders():
    keys = {(point.recipe, point.head_name) for point in published.TABLE_2}
    heads = ("clean", "n_crops_32", "n_crops_64")
    assert keys == {(f"table2/{name}", head) for name in ("simclr", "emp_ssl") for head in heads}


def test_find():
    point = published.find("table1/simclr_free", "CIFAR-100", "robust")
    assert point is not None
    assert (point.clean, point.robust) == (47.64, {4: 26.53, 8: 11.7})
    assert published.find("table1/simclr_free", "CIFAR-100", "clean") is None
    assert published.find("table6/cf_amc_ssl", "CIFAR-10", "robust") is None
    one_figure = published.find("table4/cf_amc_ssl_m12", "CIFAR-10", "robust")
    assert one_figure is not None
    assert (one_figure.clean, one_figure.robust) == (55.84, {})


@pytest.mark.parametrize("module", [table1, table2, table3, table4, table5, rcs])
def test_a_recipe_files_head_states_the_same_figures(module):
    lines = (module.__doc__ or "").splitlines()
    points = [point for point in published.POINTS if point.recipe and point.recipe.startswith(f"{module.NAME}/")]
    assert points
    for point in points:
        row = point.recipe.partition("/")[2]
        labels = (row, f"{row}, {point.head_name}")
        figures = " / ".join(f"{value:g}" for value in (point.clean, *point.robust.values()))
        beginnings = [line.strip().partition("  ") for line in lines]
        (line,) = (rest for label, _, rest in beginnings if label in labels)
        assert f" {figures} " in f" {line} ", (point, line)


PRINTED = Path(__file__).parents[2] / "golden" / "published.csv"
ATTACKS = {"PGD-20": "pgd", "AutoAttack standard": "auto_attack"}


def as_printed(point: PublishedPoint) -> dict[str, Any]:
    """The filled cells of its row."""
    cells = {
        "table": point.table if point.source == published.PAPER else "RobustSSL",
        **{"method": point.method, "data": point.data, "head": point.head_name, "network": point.network},
        **{"epochs": point.epochs, "minutes": point.minutes, "clean": point.clean},
        **{f"{ATTACKS[point.attack]}_{radius}": value for radius, value in point.robust.items()},
    }
    return {name: value for name, value in cells.items() if value is not None}


def test_every_figure_is_as_it_was_printed():
    words = ("table", "method", "data", "head", "network")
    with PRINTED.open(newline="") as file:
        rows = [
            {name: cell if name in words else float(cell) for name, cell in row.items() if cell}
            for row in csv.DictReader(file)
        ]
    assert [as_printed(point) for point in published.POINTS] == rows


def test_the_leaderboards_protocol_and_what_its_training_took():
    point = only(published.ROBUST_SSL_LEADERBOARD, "DeACL", "CIFAR-10", "ALF")
    assert point.protocol == (
        "CIFAR-10; ResNet-18; 1000 epochs; about a day on one RTX 3090; "
        "adversarial linear finetuning (ALF), AutoAttack standard on all 10,000 test images"
    )
    hardware = {row.method: row.hardware for row in published.ROBUST_SSL_LEADERBOARD}
    assert hardware.pop("DynACL-RCS") == "about 9.3 h, against 43 h without the coreset"
    assert set(hardware.values()) == {"about a day on one RTX 3090"}
