"""Table 1 of arXiv 2501.03507: ResNet-18, robust head (r-LE), PGD-20; minutes are pre-training on one A6000.

    published, %         CIFAR-10: clean / 4 / 8   CIFAR-100: clean / 4 / 8   minutes
    patch_pgd_emp_ssl       61 / 37.65 / 16.95       39.26 / 14.38 / 4.22        530
    pgd_emp_ssl             76.55 / 53.3 / 28.49     51.71 / 33.88 / 19.35       530
    robust_simclr           72.86 / 47.98 / 16.81    44.57 / 19.84 / 5.68        934
    patch_robust_simclr     65.44 / 41.85 / 17.19    43.71 / 21.87 / 8.33        934
    patch_cf_amc_ssl        61.83 / 42.28 / 21.53    40.31 / 23.78 / 12.13        97
    simclr_free             70.25 / 48.34 / 24.5     47.64 / 26.53 / 11.7        157
    cf_amc_ssl              75.88 / 55.97 / 33.34    50.74 / 31.73 / 17.19        97

Views, epochs, m and 8/255: [P]. Batch sizes, rates, weights, temperature: [C], through the trainables' defaults.
"""

from __future__ import annotations

from trainables.recipes.protocol import TEST, epochs, free, heads, pgd, views
from trainables.recipes.recipe import Constants, Recipe, Table

NAME, WHERE = "table1", "Table 1"
_CROPS, _PATCHES = views(16, "crops", WHERE), views(16, "patches", WHERE)
_TWO_CROPS, _TWO_PATCHES = views(2, "crops", WHERE), views(2, "patches", WHERE)


def _row(row: str, summary: str, trainable: str, seen: Constants, adversary: Constants, passes: int) -> Recipe:
    shared = {**TEST, **heads("robust", where=WHERE)}
    constants = {**shared, **seen, **adversary, **epochs(passes, WHERE)}
    return Recipe(table=NAME, row=row, summary=summary, trainable=trainable, constants=constants)


PATCH_PGD_EMP_SSL = _row(
    "patch_pgd_emp_ssl",
    "patch EMP-SSL: 16 patches, PGD-5, 30 epochs",
    "pgd_emp_ssl",
    _PATCHES,
    pgd(WHERE),
    30,
)
PGD_EMP_SSL = _row(
    "pgd_emp_ssl",
    "crop EMP-SSL: 16 crops, PGD-5, 30 epochs",
    "pgd_emp_ssl",
    _CROPS,
    pgd(WHERE),
    30,
)
ROBUST_SIMCLR = _row(
    "robust_simclr",
    "crop SimCLR: 2 crops, PGD-5, 500 epochs",
    "robust_simclr",
    _TWO_CROPS,
    pgd(WHERE),
    500,
)
PATCH_ROBUST_SIMCLR = _row(
    "patch_robust_simclr",
    "patch SimCLR: 2 patches, PGD-5, 500 epochs",
    "robust_simclr",
    _TWO_PATCHES,
    pgd(WHERE),
    500,
)
PATCH_CF_AMC_SSL = _row(
    "patch_cf_amc_ssl",
    "patch EMP-FreeAdv: 16 patches, m = 3, 10 epochs",
    "cf_amc_ssl",
    _PATCHES,
    free(3, WHERE),
    10,
)
SIMCLR_FREE = _row(
    "simclr_free",
    "crop SimCLR-FreeAdv: 2 crops, m = 3, 167 epochs",
    "simclr_free",
    _TWO_CROPS,
    free(3, WHERE),
    167,
)
CF_AMC_SSL = _row(
    "cf_amc_ssl",
    "CF-AMC-SSL: 16 crops, m = 3, 10 epochs",
    "cf_amc_ssl",
    _CROPS,
    free(3, WHERE),
    10,
)

TABLE = Table(
    name=NAME,
    title="Table 1: adversarial pre-training, robust head",
    rows=(
        PATCH_PGD_EMP_SSL,
        PGD_EMP_SSL,
        ROBUST_SIMCLR,
        PATCH_ROBUST_SIMCLR,
        PATCH_CF_AMC_SSL,
        SIMCLR_FREE,
        CF_AMC_SSL,
    ),
)
