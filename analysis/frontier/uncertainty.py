"""Intervals over repetitions, seeds or images: of accuracies that several seeds measured, of means, of differences."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from trainables.metrics import Accuracy

SEEDS_INTERVAL = "95 %: the wider of Wilson's over the images and Student's over the seeds"
"""What ``over_seeds`` gives, in a caption's words."""
LEVEL = 0.95
_NORMAL = statistics.NormalDist().inv_cdf((1 + LEVEL) / 2)


class Interval(NamedTuple):
    """A mean, or a difference of means, and the ends of its interval: infinite where it rests on one repetition."""

    mean: float
    low: float
    high: float


def over_seeds(accuracies: Sequence[float], images: int) -> Interval:
    """Mean over seeds, and the ends of its 95 % interval within [0, 1].

    ``accuracies``: shares in [0, 1], each of the same ``images``. The interval is Wilson's over the images or
    Student's over the seeds, whichever reaches farther: seeds that agree do not make the images more, and one seed
    says nothing of others. Pooling the images of all seeds would count each image several times.
    """
    mean = statistics.mean(accuracies)
    low, high = Accuracy(correct=round(mean * images), images=images).interval()
    if len(accuracies) > 1:
        _, lowest, highest = student(accuracies)
        low, high = min(low, lowest), max(high, highest)
    return Interval(mean, max(0.0, low), min(1.0, high))


def student(values: Sequence[float], level: float = LEVEL) -> Interval:
    """Of the mean of ``values``, one or more, after Student."""
    mean = statistics.fmean(values)
    if len(values) < 2:
        return _around(mean, math.inf)
    return _around(mean, _student_quantile(level, len(values) - 1) * math.sqrt(_squared_error(values)))


def paired(one: Sequence[float], other: Sequence[float], level: float = LEVEL) -> Interval:
    """Of how much the mean of ``one`` exceeds that of ``other``, pair by pair, after Student."""
    return student([left - right for left, right in zip(one, other, strict=True)], level)


def welch(one: Sequence[float], other: Sequence[float], level: float = LEVEL) -> Interval:
    """Of how much the mean of ``one`` exceeds that of ``other``, which is independent of it and may vary otherwise.

    Welch 1947, doi:10.1093/biomet/34.1-2.28, for the degrees of freedom.
    """
    mean = statistics.fmean(one) - statistics.fmean(other)
    if min(len(one), len(other)) < 2:
        return _around(mean, math.inf)
    errors = [_squared_error(one), _squared_error(other)]
    total = sum(errors)
    if total == 0:
        return _around(mean, 0.0)
    spent = sum(error**2 / (len(side) - 1) for error, side in zip(errors, (one, other), strict=True))
    return _around(mean, _student_quantile(level, total**2 / spent) * math.sqrt(total))


def over_images(gains: NDArray[np.float64]) -> Interval:
    """Of the mean of ``gains`` (n,), by how much each of n images counts more for one than for the other: -1, 0 or 1,
    or between where seeds were averaged.

    The adjusted Wald interval for paired shares (Bonett and Price 2012, doi:10.3102/1076998611411915): McNemar's
    variance with one image more on either side, without which a difference of no image or of one would be certain.
    """
    images, total = len(gains) + 2, float(gains.sum())
    squared_error = (float((gains**2).sum()) + 2 - total**2 / images) / images**2
    _, low, high = _around(total / images, _NORMAL * math.sqrt(squared_error))
    return Interval(total / len(gains), max(-1.0, low), min(1.0, high))


def _around(mean: float, half: float) -> Interval:
    return Interval(mean, mean - half, mean + half)


def _squared_error(values: Sequence[float]) -> float:
    """Of their mean."""
    return statistics.variance(values) / len(values)


def _student_quantile(level: float, freedom: float) -> float:
    from scipy.special import stdtrit

    return float(stdtrit(freedom, (1 + level) / 2))
