"""Ablations of arXiv 2501.03507 (section 3.3, Figures 2 to 5): pictures in the source, so no figures stand beside them.

``ablation-m``: replays, at Table 1's 10 epochs. ``ablation-crops``: number of crops or patches (Figure 5).
``ablation-scale``: the share of the image that a view shows (Figures 2 to 4). ``ablation-heads``: one image against
aggregated crops, with and without an adversary in the head's training (the paper's fourth question).
"""

from __future__ import annotations

from trainables.recipes import table1
from trainables.recipes.protocol import free, heads, views
from trainables.recipes.recipe import Constant, Constants, Recipe, Table, assumed, code, paper

M, CROPS, SCALE, HEADS = "ablation-m", "ablation-crops", "ablation-scale", "ablation-heads"
_PICTURES = ("The published figures are pictures.",)


def _replays(number: int) -> Recipe:
    summary = f"CF-AMC-SSL: 16 crops, m = {number}, 10 epochs"
    return table1.CF_AMC_SSL.derive(M, f"m_{number}", summary, free(number, "section 3.5"))


def _number(kind: str, number: int) -> Recipe:
    """Evaluated on one central crop, the whole image, and on aggregated ones."""
    changes = {
        **views(number, kind, "Figure 5"),
        **heads("clean", "n_crops_32", "n_crops_64", where="Figure 5"),
    }
    summary = f"EMP-SSL: {number} {kind}, PGD-5, 30 epochs"
    return table1.PGD_EMP_SSL.derive(CROPS, f"{kind}_{number}", summary, changes)


def _area(low: float, high: float, source: Constant) -> Constants:
    """Views that show from ``low`` to ``high`` of the image; ``source`` says who has them so."""
    return {"views.scale_min": source._replace(value=low), "views.scale_max": source._replace(value=high)}


def _emp_ssl(kind: str, low: float, high: float, source: Constant) -> Recipe:
    changes = {**views(40, kind, "section 3.3"), **_area(low, high, source), **_SCALE_HEADS}
    return table1.PGD_EMP_SSL.derive(SCALE, _label("emp_ssl", kind, low), _words("EMP-SSL", kind, low, high), changes)


def _simclr(kind: str, low: float, high: float, source: Constant) -> Recipe:
    changes = {**views(2, kind, "section 3.3"), **_area(low, high, source), **_SCALE_HEADS}
    return table1.ROBUST_SIMCLR.derive(SCALE, _label("simclr", kind, low), _words("SimCLR", kind, low, high), changes)


def _label(method: str, kind: str, low: float) -> str:
    """``emp_ssl_patches_25``: the smallest share in percent."""
    return f"{method}_{kind}_{round(100 * low)}"


def _words(method: str, kind: str, low: float, high: float) -> str:
    return f"{method}: {kind} of {low:g} to {high:g} of the image, PGD-5"


_SCALE_HEADS = heads("clean", "n_crops_32", "n_crops_64", where="Figures 2 to 4")
_FIGURE_5, _FIGURE_3 = paper(None, "Figure 5"), paper(None, "Figure 3")
_SCRIPT = code(None, "run_simclr_patch.sh")
_BETWEEN = assumed(None, "the sizes in the pictures cannot be read")
_ALL_HEADS = heads(
    "robust",
    "clean",
    "n_crops_32",
    "robust_n_crops_32",
    "n_crops_64",
    "robust_n_crops_64",
    where="section 1, question 4",
)

ABLATION_M = Table(name=M, title="Ablation: replays m", rows=tuple(map(_replays, (1, 3, 5, 7, 12))), notes=_PICTURES)
ABLATION_CROPS = Table(
    name=CROPS,
    title="Ablation: number of views",
    rows=tuple(_number(kind, number) for kind in ("crops", "patches") for number in (4, 8, 16, 40)),
    notes=_PICTURES,
)
ABLATION_SCALE = Table(
    name=SCALE,
    title="Ablation: scale of views",
    rows=(
        _simclr("crops", 0.08, 1.0, _FIGURE_3),
        _simclr("patches", 0.25, 0.25, _SCRIPT),
        _simclr("patches", 0.5, 0.5, _BETWEEN),
        _simclr("patches", 0.75, 0.75, _SCRIPT),
        _emp_ssl("patches", 0.25, 0.25, _FIGURE_5),
        _emp_ssl("crops", 0.08, 1.0, _FIGURE_5),
        _emp_ssl("crops", 0.25, 1.0, _BETWEEN),
        _emp_ssl("crops", 0.5, 1.0, _BETWEEN),
    ),
    notes=_PICTURES,
)
ABLATION_HEADS = Table(
    name=HEADS,
    title="Ablation: one image or many crops",
    rows=tuple(
        encoder.derive(HEADS, encoder.row, encoder.summary, _ALL_HEADS)
        for encoder in (table1.PGD_EMP_SSL, table1.PATCH_PGD_EMP_SSL)
    ),
    notes=_PICTURES,
)
TABLES = (ABLATION_M, ABLATION_CROPS, ABLATION_SCALE, ABLATION_HEADS)
