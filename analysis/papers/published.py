"""Published figures as data, each with the protocol it was measured by and the recipe that trains it anew.

Tables 1, 2, 3 and 5 of arXiv 2501.03507 (Tables 4 and 6 are pictures in the source: of the former one figure is quoted
elsewhere, of the latter none), and the linear evaluations that the RobustSSL leaderboard collects. Accuracies are
percent, as printed. All of them are test figures of hand-picked settings: none may be compared with figures on a
validation split.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

PAPER = "arXiv 2501.03507"
LEADERBOARD = "RobustSSL leaderboard"
_HEADS = {
    "robust": "robust head (r-LE), whole image",
    "clean": "clean head, whole image",
    "n_crops_32": "clean head, average of 32 crops or patches, each attacked by itself",
    "n_crops_64": "clean head, average of 64 crops or patches, each attacked by itself",
    "slf": "standard linear finetuning (SLF)",
    "alf": "adversarial linear finetuning (ALF)",
}
ON_CROPS = ("n_crops_32", "n_crops_64")
PGD, AUTO_ATTACK = "PGD-20", "AutoAttack standard"
_A6000 = "one A6000, pre-training only"

DataSet = Literal["CIFAR-10", "CIFAR-100"]


@dataclass(frozen=True, kw_only=True)
class PublishedPoint:
    """One row of one published table on one data set."""

    source: str
    table: str
    method: str
    data: DataSet
    head_name: str
    """As in ``evaluation.heads``."""
    attack: str
    clean: float
    robust: Mapping[float, float] = field(hash=False)
    """Accuracy under attack in percent by radius in 1/255; empty where only the clean figure is known."""
    recipe: str | None = None
    """Its name in ``trainables.recipes``; ``None`` where the method is not among the trainables."""
    network: str = "ResNet-18"
    epochs: int | None = None
    minutes: float | None = None
    hardware: str = ""

    @property
    def head(self) -> str:
        """In words."""
        return _HEADS[self.head_name]

    @property
    def on_crops(self) -> bool:
        """Whether each crop was attacked, and not the image that they are cut from."""
        return self.head_name in ON_CROPS

    @property
    def protocol(self) -> str:
        """In words: what was trained how long on what, and how it was evaluated."""
        trained = f"{self.epochs} epochs" if self.epochs else ""
        spent = f"{self.minutes:g} min on {self.hardware}" if self.minutes else self.hardware
        evaluated = f"{self.head}, {self.attack} on all 10,000 test images"
        return "; ".join(part for part in (self.data, self.network, trained, spent, evaluated) if part)


def _both(
    table: str,
    row: str,
    method: str,
    cifar10: tuple[float, ...],
    cifar100: tuple[float, ...],
    *,
    head: str,
    network: str = "ResNet-18",
    epochs: int | None = None,
    minutes: float | None = None,
) -> tuple[PublishedPoint, PublishedPoint]:
    """A row's two points; ``cifar10`` and ``cifar100`` are clean, then PGD at 4, 8 (and 16) / 255."""
    figures: tuple[tuple[DataSet, tuple[float, ...]], ...] = (("CIFAR-10", cifar10), ("CIFAR-100", cifar100))
    ten, hundred = (
        PublishedPoint(
            source=PAPER,
            table=table,
            method=method,
            data=data,
            head_name=head,
            attack=PGD,
            clean=clean,
            robust=dict(zip((4, 8, 16), attacked, strict=False)),
            recipe=f"{table.replace('Table ', 'table')}/{row}",
            network=network,
            epochs=epochs,
            minutes=minutes,
            hardware=_A6000 if minutes else "",
        )
        for data, (clean, *attacked) in figures
    )
    return ten, hundred


def _table1(
    row: str, method: str, epochs: int, minutes: float, cifar10: tuple[float, ...], cifar100: tuple[float, ...]
) -> tuple[PublishedPoint, PublishedPoint]:
    return _both("Table 1", row, method, cifar10, cifar100, head="robust", epochs=epochs, minutes=minutes)


TABLE_1: tuple[PublishedPoint, ...] = (
    *_table1(
        "patch_pgd_emp_ssl", "Patch EMP-SSL, 16 patches, PGD-5", 30, 530, (61, 37.65, 16.95), (39.26, 14.38, 4.22)
    ),
    *_table1("pgd_emp_ssl", "Crop EMP-SSL, 16 crops, PGD-5", 30, 530, (76.55, 53.3, 28.49), (51.71, 33.88, 19.35)),
    *_table1("robust_simclr", "Crop SimCLR, PGD-5", 500, 934, (72.86, 47.98, 16.81), (44.57, 19.84, 5.68)),
    *_table1("patch_robust_simclr", "Patch SimCLR, PGD-5", 500, 934, (65.44, 41.85, 17.19), (43.71, 21.87, 8.33)),
    *_table1(
        "patch_cf_amc_ssl", "Patch EMP-FreeAdv, 16 patches, m=3", 10, 97, (61.83, 42.28, 21.53), (40.31, 23.78, 12.13)
    ),
    *_table1("simclr_free", "Crop SimCLR-FreeAdv, m=3", 167, 157, (70.25, 48.34, 24.5), (47.64, 26.53, 11.7)),
    *_table1("cf_amc_ssl", "CF-AMC-SSL, 16 crops, m=3", 10, 97, (75.88, 55.97, 33.34), (50.74, 31.73, 17.19)),
)


_METHODS = {"simclr": ("SimCLR", 500), "emp_ssl": ("EMP-SSL", 30)}


def _table2(
    row: str, head: str, cifar10: tuple[float, ...], cifar100: tuple[float, ...]
) -> tuple[PublishedPoint, PublishedPoint]:
    method, epochs = _METHODS[row]
    return _both("Table 2", row, f"{method}, not adversarial", cifar10, cifar100, head=head, epochs=epochs)


TABLE_2: tuple[PublishedPoint, ...] = (
    *_table2("simclr", "clean", (86.65, 0.13, 0, 0), (62.5, 0.74, 0.53, 0.45)),
    *_table2("emp_ssl", "clean", (75.02, 0, 0, 0), (44.31, 0.02, 0.02, 0.02)),
    *_table2("simclr", "n_crops_32", (86.68, 0.02, 0, 0), (65.21, 0.18, 0.12, 0.07)),
    *_table2("emp_ssl", "n_crops_32", (92.85, 0.04, 0.01, 0), (71.82, 0.46, 0.15, 0.08)),
    *_table2("simclr", "n_crops_64", (89.31, 0.01, 0, 0), (66.3, 0.17, 0.12, 0.12)),
    *_table2("emp_ssl", "n_crops_64", (93.29, 0.02, 0.03, 0.01), (72.3, 0.5, 0.2, 0.09)),
)


def _table3(
    encoder: tuple[str, str, int, float], head: str, cifar10: tuple[float, ...], cifar100: tuple[float, ...]
) -> tuple[PublishedPoint, PublishedPoint]:
    row, method, epochs, minutes = encoder
    return _both("Table 3", row, method, cifar10, cifar100, head=head, epochs=epochs, minutes=minutes)


_SIMCLR_PGD = ("robust_simclr", "Crop SimCLR, PGD-5", 500, 934)
_EMP_PGD = ("pgd_emp_ssl", "Crop EMP-SSL, 16 crops, PGD-5", 30, 530)

TABLE_3: tuple[PublishedPoint, ...] = (
    *_table3(_SIMCLR_PGD, "clean", (84.24, 25.68, 1.97, 0.07), (55.91, 3.58, 0.18, 0)),
    *_table3(_EMP_PGD, "clean", (80.72, 33.62, 8.95, 0.92), (51.83, 19.3, 6.85, 1.73)),
    *_table3(_SIMCLR_PGD, "robust", (72.86, 47.98, 16.81, 0.33), (44.57, 19.84, 5.68, 0.26)),
    *_table3(_EMP_PGD, "robust", (76.55, 53.3, 28.49, 3.96), (51.71, 33.88, 19.35, 4.92)),
)


TABLE_4: tuple[PublishedPoint, ...] = (
    PublishedPoint(
        source=PAPER,
        table="Table 4",
        method="CF-AMC-SSL, 16 crops, m=12",
        data="CIFAR-10",
        head_name="robust",
        attack=PGD,
        clean=55.84,
        robust={},
        recipe="table4/cf_amc_ssl_m12",
    ),
)
"""The table is a picture; a digest of the paper quotes this one figure of it."""


def _table5(
    row: str, method: str, epochs: int, cifar10: tuple[float, ...], cifar100: tuple[float, ...]
) -> tuple[PublishedPoint, PublishedPoint]:
    return _both("Table 5", row, method, cifar10, cifar100, head="robust", network="ResNet-50", epochs=epochs)


TABLE_5: tuple[PublishedPoint, ...] = (
    *_table5("cf_amc_ssl_m7", "CF-AMC-SSL, 16 crops, m=7", 9, (73.43, 56.81, 38.31, 11.03), (47.4, 32.19, 19.9, 6.21)),
    *_table5(
        "cf_amc_ssl_m3", "CF-AMC-SSL, 16 crops, m=3", 10, (75.89, 57.61, 35.19, 6.51), (53.34, 33.08, 18.15, 3.72)
    ),
    *_table5("simclr_free_m7", "SimCLR-FreeAdv, m=7", 150, (49.49, 39.09, 28.88, 12.76), (25.49, 18.36, 12.51, 5.51)),
    *_table5("simclr_free_m3", "SimCLR-FreeAdv, m=3", 150, (66.89, 47.52, 26.9, 3.68), (38.95, 24.14, 12.17, 1.61)),
)


_A_DAY = "about a day on one RTX 3090"


def _leaderboard(
    method: str,
    slf: tuple[float, float],
    alf: tuple[float, float],
    *,
    recipe: str | None = None,
    hardware: str = _A_DAY,
) -> tuple[PublishedPoint, ...]:
    """A method's points under standard (SLF) and adversarial (ALF) linear finetuning."""
    return tuple(
        PublishedPoint(
            source=LEADERBOARD,
            table="CIFAR-10",
            method=method,
            data="CIFAR-10",
            head_name=head,
            attack=AUTO_ATTACK,
            clean=clean,
            robust={8: attacked},
            recipe=recipe,
            epochs=1000,
            hardware=hardware,
        )
        for head, (clean, attacked) in (("slf", slf), ("alf", alf))
    )


_RCS_HOURS = "about 9.3 h, against 43 h without the coreset"

ROBUST_SSL_LEADERBOARD: tuple[PublishedPoint, ...] = (
    *_leaderboard("ACL", (78.22, 39.17), (75.53, 40.60), recipe="rcs/acl"),
    *_leaderboard("DeACL", (79.94, 43.27), (77.71, 41.99)),
    *_leaderboard("DynACL", (75.41, 45.09), (72.97, 45.67), recipe="rcs/dynacl"),
    *_leaderboard("DynACL++", (79.82, 46.54), (78.81, 47.98)),
    *_leaderboard("DynACL-RCS", (77.14, 44.29), (74.95, 45.75), recipe="rcs/dynacl_rcs_0.2", hardware=_RCS_HOURS),
    *_leaderboard("DynACL-AIR++", (81.80, 46.99), (79.56, 48.23)),
)

POINTS: tuple[PublishedPoint, ...] = (*TABLE_1, *TABLE_2, *TABLE_3, *TABLE_4, *TABLE_5, *ROBUST_SSL_LEADERBOARD)


def find(recipe: str, data: DataSet, head_name: str) -> PublishedPoint | None:
    """The point of a recipe's head on a data set; ``None`` where nothing, or only a picture, is published."""
    return next((p for p in POINTS if (p.recipe, p.data, p.head_name) == (recipe, data, head_name)), None)


def references(data: DataSet, head_name: str, network: str, attack: str, radius: float) -> tuple[PublishedPoint, ...]:
    """The points that were measured so, ``radius`` in 1/255; what two tables print is there once.

    None of a head on crops: its published attacks perturb each crop, which no adversary of the image can do.
    """
    found: dict[tuple[str, float], PublishedPoint] = {}
    for point in POINTS:
        kind = (point.data, point.head_name, point.network, point.attack)
        if kind == (data, head_name, network, attack) and radius in point.robust and not point.on_crops:
            found.setdefault((point.method, point.clean), point)
    return tuple(found.values())
