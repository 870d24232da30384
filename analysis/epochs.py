"""How what training reports of an epoch reads to people."""

from __future__ import annotations

from analysis import labels
from trainables.metrics import FORWARD_EQUIVALENTS, PROBE_ACCURACY, PROBE_PGD_ACCURACY

_PROBES = (PROBE_ACCURACY, PROBE_PGD_ACCURACY)
_DIGITS = 5
"""Of a loss: that of one large number under PGD and under FGSM differs late."""


def title(metric: str) -> str:
    """``probe accuracy, %``, ``loss pgd``."""
    name = metric.removeprefix("train/").replace("_", " ")
    return f"{name}, %" if metric in _PROBES else name


def words(metric: str, value: float) -> str:
    """A share in percent, a loss with the digits that tell it from another."""
    if metric in _PROBES:
        return labels.percent(value)
    return labels.cost(value) if metric == FORWARD_EQUIVALENTS else labels.cost(value, _DIGITS)
