"""Table 5 of arXiv 2501.03507: ResNet-50, robust head (r-LE), PGD-20.

published, %       CIFAR-10: clean / 4 / 8 / 16        CIFAR-100: clean / 4 / 8 / 16
cf_amc_ssl_m7        73.43 / 56.81 / 38.31 / 11.03       47.4 / 32.19 / 19.9 / 6.21
cf_amc_ssl_m3        75.89 / 57.61 / 35.19 / 6.51        53.34 / 33.08 / 18.15 / 3.72
simclr_free_m7       49.49 / 39.09 / 28.88 / 12.76       25.49 / 18.36 / 12.51 / 5.51
simclr_free_m3       66.89 / 47.52 / 26.9 / 3.68         38.95 / 24.14 / 12.17 / 1.61
"""

from __future__ import annotations

from trainables.recipes import table1
from trainables.recipes.protocol import epochs, free
from trainables.recipes.recipe import Recipe, Table, paper

NAME, WHERE = "table5", "Table 5"


def _row(encoder: Recipe, label: str, replays: int, passes: int) -> Recipe:
    summary = f"{label}, ResNet-50, m = {replays}, {passes} epochs"
    network = {"network.architecture": paper("resnet50", WHERE)}
    changes = {**network, **free(replays, WHERE), **epochs(passes, WHERE)}
    return encoder.derive(NAME, f"{encoder.row}_m{replays}", summary, changes)


TABLE = Table(
    name=NAME,
    title="Table 5: ResNet-50",
    rows=(
        _row(table1.CF_AMC_SSL, "CF-AMC-SSL: 16 crops", 7, 9),
        _row(table1.CF_AMC_SSL, "CF-AMC-SSL: 16 crops", 3, 10),
        _row(table1.SIMCLR_FREE, "SimCLR-FreeAdv: 2 crops", 7, 150),
        _row(table1.SIMCLR_FREE, "SimCLR-FreeAdv: 2 crops", 3, 150),
    ),
)
