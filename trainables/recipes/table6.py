"""Table 6 of arXiv 2501.03507: AutoAttack against robust heads. ResNet-18; a picture in the source, no figures.

The released code attacked with torchattacks 3.5.1, whose APGD and FAB run 10 steps instead of 100: that weaker attack
stands beside the standard one, only to explain the published figures.
"""

from __future__ import annotations

from trainables.recipes import table1
from trainables.recipes.recipe import Table, assumed, code

NAME = "table6"
_ATTACKS = {
    "evaluation.attacks": code(("pgd", "auto_attack", "torchattacks_10_steps"), "evaluate_empssl.py"),
    "evaluation.epsilon": assumed(8 / 255, "the radius cannot be read; the scripts name 4, 8 and 16/255"),
}

TABLE = Table(
    name=NAME,
    title="Table 6: AutoAttack",
    rows=tuple(
        encoder.derive(NAME, encoder.row, encoder.summary, _ATTACKS)
        for encoder in (table1.CF_AMC_SSL, table1.SIMCLR_FREE, table1.PGD_EMP_SSL, table1.ROBUST_SIMCLR)
    ),
    notes=("The published table is a picture, measured with torchattacks' 10-step AutoAttack.",),
)
