"""Rows of Table 1 (arXiv 2501.03507): CIFAR-10, ResNet-18, robust head, PGD-20 on all test images.

[P] paper text, [C] softsys4ai/CF-AMC-SSL at ff36114. Published minutes are pre-training alone on one A6000.
Views, epochs, m and 8/255: [P]. Batch sizes, rates, weights, temperature: [C], through the trainables' defaults.
Head epochs: our assumption, the sources do not state them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from trainables import cf_amc_ssl, pgd_emp_ssl, robust_simclr
from trainables.config import TrialConfig, override

PATCHES = {"views.kind": "patches"}
FULL_DATA = {"data.validation_fraction": 0.0, "evaluation.split": "test"}
"""The table's protocol: every training image trains, every test image is attacked."""


def cf_amc_ssl_row() -> TrialConfig:
    """CF-AMC-SSL: 16 crops, m = 3, 10 epochs. Published 75.88 / 55.97 / 33.34 in 97 min."""
    return override(cf_amc_ssl.defaults("paper"), FULL_DATA)


def patch_cf_amc_ssl() -> TrialConfig:
    """EMP-FreeAdv on 16 patches, m = 3, 10 epochs. Published 61.83 / 42.28 / 21.53 in 97 min."""
    return override(cf_amc_ssl.defaults("paper"), FULL_DATA | PATCHES)


def pgd_emp_ssl_row() -> TrialConfig:
    """EMP-SSL on 16 crops, 5-step PGD, 30 epochs. Published 76.55 / 53.3 / 28.49 in 530 min."""
    return override(pgd_emp_ssl.defaults("paper"), FULL_DATA)


def patch_pgd_emp_ssl() -> TrialConfig:
    """EMP-SSL on 16 patches, 5-step PGD, 30 epochs. Published 61 / 37.65 / 16.95 in 530 min."""
    return override(pgd_emp_ssl.defaults("paper"), FULL_DATA | PATCHES)


def robust_simclr_row() -> TrialConfig:
    """SimCLR on 2 crops, 5-step PGD, 500 epochs. Published 72.86 / 47.98 / 16.81 in 934 min."""
    return override(robust_simclr.defaults("paper"), FULL_DATA)


def patch_robust_simclr() -> TrialConfig:
    """SimCLR on 2 patches, 5-step PGD, 500 epochs. Published 65.44 / 41.85 / 17.19 in 934 min."""
    return override(robust_simclr.defaults("paper"), FULL_DATA | PATCHES)


ROWS: Mapping[str, Callable[[], TrialConfig]] = {
    "cf_amc_ssl": cf_amc_ssl_row,
    "patch_cf_amc_ssl": patch_cf_amc_ssl,
    "pgd_emp_ssl": pgd_emp_ssl_row,
    "patch_pgd_emp_ssl": patch_pgd_emp_ssl,
    "robust_simclr": robust_simclr_row,
    "patch_robust_simclr": patch_robust_simclr,
}
