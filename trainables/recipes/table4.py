"""Table 4 of arXiv 2501.03507: replays m, against PGD and against labels. ResNet-18, robust head, PGD-20.

The table is a picture in the source, so no figures stand beside these rows but one, quoted elsewhere:

    published, %        CIFAR-10: clean
    cf_amc_ssl_m12        55.84

Epochs: m = 3 from Table 1, m = 7 from Table 5; else N / m (Algorithm 1) with N = 30, and for m = 12, where that leaves
too few ("more training epochs", section 3.5), as many as m = 7 has [A].
"""

from __future__ import annotations

from trainables.recipes import table1
from trainables.recipes.protocol import TEST, free, heads
from trainables.recipes.recipe import Constant, Constants, Recipe, Table, assumed, paper

NAME, WHERE = "table4", "Table 4"
_EPOCHS = {
    1: assumed(30, "N / m with N = 30 (Algorithm 1)"),
    3: paper(10, "Table 1"),
    5: assumed(6, "N / m with N = 30 (Algorithm 1)"),
    7: paper(9, "Table 5"),
    12: assumed(9, "as for m = 7"),
}
_SIMCLR_EPOCHS = {3: paper(167, "Table 1"), 7: paper(150, "Table 5")}


def _replayed(encoder: Recipe, label: str, replays: int, passes: Constant) -> Recipe:
    """``encoder`` with m = ``replays``."""
    summary = f"{label}, m = {replays}, {passes.value} epochs"
    changes = {**free(replays, WHERE), "optimiser.epochs": passes}
    return encoder.derive(NAME, f"{encoder.row}_m{replays}", summary, changes)


def _supervised(row: str, summary: str, changes: Constants) -> Recipe:
    """Labels instead of pairs, m = 3; as many epochs as the self-supervised twin."""
    constants = {
        **TEST,
        **free(3, WHERE),
        "optimiser.epochs": assumed(167, "as SimCLR-FreeAdv has at m = 3"),
        **changes,
    }
    return Recipe(table=NAME, row=row, summary=summary, trainable="supervised_free", constants=constants)


_OWN_CLASSIFIER: Constants = {
    "evaluation.heads": assumed(("own", "robust"), "whether its classifier was trained anew is not stated"),
    "evaluation.head": assumed("own", "the network's own classifier"),
    "evaluation.head_epochs": assumed(20, "epochs of the robust head are not stated"),
    "objective.name": assumed("cross_entropy", "which supervised loss is not stated"),
}
_CONTRASTIVE: Constants = {
    **heads("robust", where=WHERE),
    "objective.name": assumed("sup_con", "`its supervised variant`, after SimCLR, may mean this loss"),
    "views.number": assumed(2, "as SimCLR"),
    "views.kind": assumed("crops", "as SimCLR"),
    "views.augmentation": assumed("simclr", "as SimCLR"),
    "optimiser.batch_size": assumed(512, "as SimCLR"),
    "network.embedding": assumed(128, "as SimCLR"),
}

TABLE = Table(
    name=NAME,
    title="Table 4: replays, and labels",
    rows=(
        *(_replayed(table1.CF_AMC_SSL, "CF-AMC-SSL: 16 crops", m, passes) for m, passes in _EPOCHS.items()),
        table1.PGD_EMP_SSL.derive(NAME, "pgd_emp_ssl", table1.PGD_EMP_SSL.summary, {}),
        *(_replayed(table1.SIMCLR_FREE, "SimCLR-FreeAdv: 2 crops", m, passes) for m, passes in _SIMCLR_EPOCHS.items()),
        _supervised("supervised_free_m3", "Supervised-FreeAdv: cross-entropy, m = 3", _OWN_CLASSIFIER),
        _supervised("supervised_free_sup_con_m3", "Supervised-FreeAdv: SupCon, m = 3", _CONTRASTIVE),
    ),
    notes=("The published table is a picture; rows at m = 3 and the PGD row are Table 1's.",),
)
