"""Where training broke down: robustness lost to catastrophic overfitting, features lost to collapse.

Both are read off a trial's curve, in two ways. What a trial loses is judged against what the same trial had reached
before, so that no scale of a loss enters. What it never had is judged at its end: it must have lasted for ``LASTING``
epochs, the last among them, for trainings may begin so. An accuracy under PGD of nothing is overfitting only where PGD
also raises the training loss far more than FGSM, at the radius of the training's own adversary: of a training against a
weaker adversary than the probe's both are alike, for it never was robust at the probe's radius. One without an
adversary has no robustness to lose and is never said to overfit. A training that ended because its loss was no number
reported no such epoch: the last one that it reported is marked.

The sanity checks of an evaluation judge the end of a training alone and see neither when it broke nor that it did in a
trial that never came to an end.
"""

from __future__ import annotations

import math
from typing import Any

import pandas as pd

from analysis import labels
from analysis.reading.runs import CONFIG, Study
from trainables.metrics import EVALUATION_IMAGES, PROBE_ACCURACY, PROBE_PGD_ACCURACY, Accuracy

OVERFITTING, COLLAPSE = "catastrophic overfitting", "collapse"
LOST = 0.5
"""The share of the best figure so far down to which one must fall to be called lost."""
KEPT = 0.9
"""The share that clean accuracy must keep for a loss of robustness to be overfitting and no collapse."""
SOUND = 0.1
"""The accuracy from which there is something to lose."""
FALLEN_BEHIND, LEVEL_WITH = 3.0, 1.5
"""How many times as much as FGSM PGD must raise the loss, and what it must have been at most before."""
HIGH, NOTHING = 0.3, 0.01
"""The probe's accuracies, clean and under PGD, that are far apart whatever they were before."""
LASTING = 3
"""Epochs up to the last one that something must have held to be no mere beginning."""
DIVERGED = "DivergedError: "
"""How the reason of a trial begins whose loss was no number."""
RULES = (
    f"{OVERFITTING.capitalize()}: the probe's accuracy under PGD, once at {SOUND:.0%} or more, falls to half its best "
    "or less while the clean one keeps nine tenths, or PGD comes to raise the loss three times as much as FGSM where "
    f"it had not raised it {LEVEL_WITH:g} times as much, or does so in all epochs up to the "
    f"last, three or more, with at most {NOTHING:.0%} accuracy under PGD and {HIGH:.0%} or more without; trainings "
    f"without an adversary are left out. {COLLAPSE.capitalize()}: the clean accuracy falls to half its best or less, "
    "or is no better than chance in all epochs up to the last, three or more (by its 95 % interval, where the number "
    "of classes is known), or the loss is no number in the epoch after the marked one, which ended the training"
)
"""What ``breakdowns`` finds, in a caption's words."""
_CLASSES = {"digits": 10, "cifar10": 10, "cifar100": 100}
_PROBED = 500
"""Images that a probe classifies; fewer where fewer are evaluated."""
_LOSSES = ("train/loss_clean", "train/loss_fgsm", "train/loss_pgd")
_COLUMNS = ("trial", "epoch", "kind")


def breakdowns(study: Study) -> pd.DataFrame:
    """A row a trial, but those excluded, and kind: ``trial``, ``epoch`` (the first at which it shows), ``kind``; in
    order of trials."""
    curves = study.curves.reindex(columns=["trial", "epoch", *_LOSSES, PROBE_ACCURACY, PROBE_PGD_ACCURACY])
    trials = study.trials.set_index("number")
    collapsed = _collapsed(curves) | _at_chance(curves, trials)
    overfitted = (_overfitted(curves) | _without_robustness(curves)) & _attacked(curves, trials)
    found = [_first(curves, collapsed, COLLAPSE), _diverged(study), _first(curves, overfitted, OVERFITTING)]
    counted = study.trials.loc[study.trials["excluded"] == "", "number"]
    every = pd.concat(found)
    ordered = every[every["trial"].isin(counted)].sort_values(["trial", "epoch"], kind="stable")
    return ordered.drop_duplicates(["trial", "kind"]).reset_index(drop=True)


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
    return (best >= SOUND) & (clean <= LOST * best)


def _at_chance(curves: pd.DataFrame, trials: pd.DataFrame) -> pd.Series[bool]:
    sources = _setting(curves, trials, "evaluation.source").fillna(_setting(curves, trials, "data.source"))
    chance = 1 / sources.map(_CLASSES)
    evaluated = trials.reindex(columns=[EVALUATION_IMAGES])[EVALUATION_IMAGES].fillna(_PROBED).clip(1, _PROBED)
    low = [_low(*each) for each in zip(curves[PROBE_ACCURACY], curves["trial"].map(evaluated), strict=True)]
    return _to_the_end(curves, pd.Series(low, curves.index) <= chance)


def _low(accuracy: float, images: float) -> float:
    """The lower end of the accuracy's interval; NaN for none."""
    if math.isnan(accuracy):
        return math.nan
    return Accuracy(correct=round(accuracy * images), images=round(images)).interval()[0]


def _diverged(study: Study) -> pd.DataFrame:
    gone = study.trials[study.trials["reason"].str.startswith(DIVERGED)]
    return pd.DataFrame({"trial": gone["number"], "epoch": gone["epochs"].clip(lower=1), "kind": COLLAPSE})


def _overfitted(curves: pd.DataFrame) -> pd.Series[bool]:
    robust, clean = curves[PROBE_PGD_ACCURACY], curves[PROBE_ACCURACY]
    best_robust, best_clean = _best_before(curves, robust), _best_before(curves, clean)
    lost = (best_robust >= SOUND) & (robust <= LOST * best_robust) & (clean >= KEPT * best_clean)
    return lost | _fell_behind(curves)


def _fell_behind(curves: pd.DataFrame) -> pd.Series[bool]:
    """Where PGD raises the loss far more than FGSM, which it did not before, and no less than it used to."""
    ratio, rise = _ratio(curves), _rise(curves)
    before = -_best_before(curves, -ratio)
    return (ratio >= FALLEN_BEHIND) & (before <= LEVEL_WITH) & (rise >= LOST * _best_before(curves, rise))


def _without_robustness(curves: pd.DataFrame) -> pd.Series[bool]:
    apart = (curves[PROBE_ACCURACY] >= HIGH) & (curves[PROBE_PGD_ACCURACY] <= NOTHING)
    return _to_the_end(curves, apart & (_ratio(curves) >= FALLEN_BEHIND))


def _attacked(curves: pd.DataFrame, trials: pd.DataFrame) -> pd.Series[bool]:
    return _setting(curves, trials, "adversary.name") != "none"


def _setting(curves: pd.DataFrame, trials: pd.DataFrame, path: str) -> pd.Series[Any]:
    """Of each row's trial; ``None`` where it is not known."""
    return curves["trial"].map(trials.reindex(columns=[CONFIG + path])[CONFIG + path]).astype(object)


def _rise(curves: pd.DataFrame) -> pd.Series[float]:
    clean, _, pgd = (curves[name] for name in _LOSSES)
    return pgd - clean


def _ratio(curves: pd.DataFrame) -> pd.Series[float]:
    """How many times as much as FGSM PGD raises the loss."""
    clean, fgsm, _ = (curves[name] for name in _LOSSES)
    rise = _rise(curves)
    return rise / (fgsm - clean).clip(lower=rise.abs() / 1e6)


def _to_the_end(curves: pd.DataFrame, holds: pd.Series[bool]) -> pd.Series[bool]:
    """Where ``holds`` is true of the row and all later ones of the trial, these being ``LASTING`` at least."""
    lasts = holds[::-1].groupby(curves["trial"]).cummin()[::-1].astype(bool)
    return lasts & (lasts.groupby(curves["trial"]).transform("sum") >= LASTING)


def _best_before(curves: pd.DataFrame, values: pd.Series[float]) -> pd.Series[float]:
    """The largest of the same trial's earlier epochs; NaN at its first."""
    trials = curves["trial"]
    return values.groupby(trials).cummax().groupby(trials).ffill().groupby(trials).shift()
