"""Table 3 of arXiv 2501.03507: clean and robust head on the same encoder. ResNet-18, PGD-20.

    published, %             CIFAR-10: clean / 4 / 8 / 16       CIFAR-100: clean / 4 / 8 / 16
    robust_simclr, clean       84.24 / 25.68 / 1.97 / 0.07        55.91 / 3.58 / 0.18 / 0
    pgd_emp_ssl, clean         80.72 / 33.62 / 8.95 / 0.92        51.83 / 19.3 / 6.85 / 1.73
    robust_simclr, robust      72.86 / 47.98 / 16.81 / 0.33       44.57 / 19.84 / 5.68 / 0.26
    pgd_emp_ssl, robust        76.55 / 53.3 / 28.49 / 3.96        51.71 / 33.88 / 19.35 / 4.92

The encoders are Table 1's crop rows.
"""

from __future__ import annotations

from trainables.recipes import table1
from trainables.recipes.protocol import heads
from trainables.recipes.recipe import Table

NAME = "table3"
_HEADS = heads("robust", "clean", where="Table 3")

TABLE = Table(
    name=NAME,
    title="Table 3: clean and robust head",
    rows=tuple(
        encoder.derive(NAME, encoder.row, encoder.summary, _HEADS)
        for encoder in (table1.ROBUST_SIMCLR, table1.PGD_EMP_SSL)
    ),
)
