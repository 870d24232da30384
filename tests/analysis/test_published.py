"""The published figures, spot-checked against the tables they were copied from."""

from __future__ import annotations

import pytest

from analysis import published
from analysis.published import PublishedPoint


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


def test_references_follow_the_head() -> None:
    assert {point.table for point in published.references("CIFAR-10", "robust")} == {"Table 1"}
    assert [point.clean for point in published.references("CIFAR-10", "clean")] == [84.24, 80.72]
    assert len(published.references("CIFAR-100", "robust")) == 7
