"""Intervals of accuracies that several seeds measured on the same images."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence

from trainables.metrics import Accuracy

SEEDS_INTERVAL = "95 %: the wider of Wilson's over the images and Student's over the seeds"
"""What ``over_seeds`` gives, in a caption's words."""


def over_seeds(accuracies: Sequence[float], images: int) -> tuple[float, float, float]:
    """Mean over seeds, and the ends of its 95 % interval within [0, 1].

    ``accuracies``: shares in [0, 1], each of the same ``images``. The interval is Wilson's over the images or
    Student's over the seeds, whichever reaches farther: seeds that agree do not make the images more, and one seed
    says nothing of others. Pooling the images of all seeds would count each image several times.
    """
    mean = statistics.mean(accuracies)
    low, high = Accuracy(correct=round(mean * images), images=images).interval()
    half = _student_half_width(accuracies)
    return mean, max(0.0, min(low, mean - half)), min(1.0, max(high, mean + half))


def _student_half_width(values: Sequence[float]) -> float:
    if len(values) == 1:
        return 0.0
    from scipy.stats import t

    return float(t.ppf(0.975, len(values) - 1)) * statistics.stdev(values) / math.sqrt(len(values))
