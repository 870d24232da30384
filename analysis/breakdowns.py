"""Where training broke down: robustness lost to catastrophic overfitting, features lost to collapse.

Both are read off a trial's curve, against what the same trial had reached before, so that no scale of a loss enters.
The sanity checks of an evaluation judge the end of a training alone and see neither when it broke nor that it did in a
trial that never came to an end.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from analysis import labels
from analysis.runs import Study
from trainables.metrics import PROBE_ACCURACY, PROBE_PGD_ACCURACY

OVERFITTING, COLLAPSE = "catastrophic overfitting", "collapse"
LOST = 0.5
"""The share of the best figure so far down to which one must fall to be called lost."""
KEPT = 0.9
"""The share that clean accuracy must keep for a loss of robustness to be overfitting and no collapse."""
SOUND = 0.1
"""The accuracy from which there is something to lose."""
FALLEN_BEHIND, LEVEL_WITH = 3.0, 1.5
"""How many times as much as FGSM PGD must raise the loss, and what it must have been at most before."""
RULES = (
    f"{OVERFITTING.capitalize()}: the probe's accuracy under PGD falls to half its best or less while the clean one "
    "keeps nine tenths, or PGD comes to raise the loss three times as much as FGSM; "
    f"{COLLAPSE}: the clean one falls to half its best or less, or the loss is no number any more"
)
"""What ``breakdowns`` finds, in a caption's words."""
_LOSSES = ("train/loss_clean", "train/loss_fgsm", "train/loss_pgd")
_COLUMNS = ("trial", "epoch", "kind")


def breakdowns(study: Study) -> pd.DataFrame:
    """A row a trial and kind: ``trial``, ``epoch`` (the first at which it shows), ``kind``; in order of trials."""
    curves = study.curves.reindex(
        columns=["trial", "epoch", "train/loss", *_LOSSES, PROBE_ACCURACY, PROBE_PGD_ACCURACY]
    )
    found = [_first(curves, _collapsed(curves), COLLAPSE), _first(curves, _overfitted(curves), OVERFITTING)]
    return pd.concat(found).sort_values(["trial", "epoch"], kind="stable").reset_index(drop=True)


def breakdowns_sentence(found: pd.DataFrame) -> str:
    """``2 trials show catastrophic overfitting: 0003 from epoch 7, ...``; that none does where none does."""
    if found.empty:
        return "No trial shows catastrophic overfitting or collapse."
    parts = []
    for kind, rows in found.groupby("kind"):
        count = f"{len(rows)} trial shows" if len(rows) == 1 else f"{len(rows)} trials show"
        pairs = zip(rows["trial"], rows["epoch"], strict=True)
        each = [f"{labels.trial_number(trial)} from epoch {epoch}" for trial, epoch in pairs]
        parts.append(f"{count} {kind}: {', '.join(each[:12])}{' and more' if len(each) > 12 else ''}.")
    return " ".join(parts)


def _first(curves: pd.DataFrame, hit: pd.Series[bool], kind: str) -> pd.DataFrame:
    return curves[hit].drop_duplicates("trial").assign(kind=kind)[list(_COLUMNS)]


def _collapsed(curves: pd.DataFrame) -> pd.Series[bool]:
    clean, best = curves[PROBE_ACCURACY], _best_before(curves, curves[PROBE_ACCURACY])
    loss = curves["train/loss"]
    began = loss.notna().groupby(curves["trial"]).cummax()
    found: pd.Series[bool] = ((best >= SOUND) & (clean <= LOST * best)) | (began & ~np.isfinite(loss))
    return found


def _overfitted(curves: pd.DataFrame) -> pd.Series[bool]:
    robust, clean = curves[PROBE_PGD_ACCURACY], curves[PROBE_ACCURACY]
    best_robust, best_clean = _best_before(curves, robust), _best_before(curves, clean)
    lost = (best_robust >= SOUND) & (robust <= LOST * best_robust) & (clean >= KEPT * best_clean)
    return lost | _fell_behind(curves)


def _fell_behind(curves: pd.DataFrame) -> pd.Series[bool]:
    """Where PGD raises the loss far more than FGSM, which it did not before, and no less than it used to."""
    clean, fgsm, pgd = (curves[name] for name in _LOSSES)
    rise = pgd - clean
    ratio = rise / (fgsm - clean).clip(lower=rise.abs() / 1e6)
    before = -_best_before(curves, -ratio)
    return (ratio >= FALLEN_BEHIND) & (before <= LEVEL_WITH) & (rise >= LOST * _best_before(curves, rise))


def _best_before(curves: pd.DataFrame, values: pd.Series[float]) -> pd.Series[float]:
    """The largest of the same trial's earlier epochs; NaN at its first."""
    trials = curves["trial"]
    return values.groupby(trials).cummax().groupby(trials).ffill().groupby(trials).shift()
