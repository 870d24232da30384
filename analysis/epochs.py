"""How what training reports of an epoch reads to people."""

from __future__ import annotations

from analysis import labels
from analysis.so_far import PROBES
from trainables.metrics import FORWARD_EQUIVALENTS

_DIGITS = 5
"""Of a loss: that of one large number under PGD and under FGSM differs late."""


def title(metric: str) -> str:
    """``probe accuracy, %``, ``loss pgd``."""
    name = metric.removeprefix("train/").replace("_", " ")
    return f"{name}, %" if metric in PROBES else name


def words(metric: str, value: float) -> str:
    """A share in percent, a loss with the digits that tell it from another."""
    if metric in PROBES:
        return labels.percent(value)
    return labels.cost(value) if metric == FORWARD_EQUIVALENTS else labels.cost(value, _DIGITS)
