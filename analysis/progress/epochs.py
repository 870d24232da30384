"""How what training reports of an epoch reads to people."""

from __future__ import annotations

from analysis import labels
from analysis.progress.so_far import PROBES
from trainables.metrics import (
    FORWARD_EQUIVALENTS,
    PROBE_ACCURACY,
    PROBE_PGD_ACCURACY,
    TRAIN_FORWARD_EQUIVALENTS,
    TRAIN_SECONDS,
)

_TITLES = {
    "train/loss": "Training loss",
    "train/loss_clean": "Fixed batch: clean loss",
    "train/loss_fgsm": "Fixed batch: FGSM loss",
    "train/loss_pgd": "Fixed batch: PGD loss",
    PROBE_ACCURACY: "Probe accuracy",
    PROBE_PGD_ACCURACY: "Probe accuracy under PGD",
    "train/learning_rate": "Learning rate",
    TRAIN_FORWARD_EQUIVALENTS: "Forward-equivalents so far",
    TRAIN_SECONDS: "Seconds so far",
}
_DIGITS = 5
"""Of a loss: that of one large number under PGD and under FGSM differs late."""


def name(metric: str) -> str:
    """``Probe accuracy``; of a part of an objective, or what a package adds, its own name: ``tcr``."""
    return _TITLES.get(metric, metric.removeprefix("train/").replace("_", " "))


def title(metric: str) -> str:
    """``Probe accuracy, %``."""
    return f"{name(metric)}, %" if metric in PROBES else name(metric)


def words(metric: str, value: float) -> str:
    """A share in percent, a loss with the digits that tell it from another."""
    if metric in PROBES:
        return labels.percent(value)
    return labels.cost(value) if metric == FORWARD_EQUIVALENTS else labels.cost(value, _DIGITS)
