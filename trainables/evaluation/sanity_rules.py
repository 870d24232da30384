"""When the counts of a sanity check speak against a robustness figure, in plain sentences.

Masks are bool (n,), one entry a checked image. Every rule is an exact binomial test, so that a few images, or noise,
flag nobody.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import NamedTuple

from torch import Tensor

LEVEL = 0.01
"""How often, at most, a rule flags a model that just keeps to it."""
TOLERATED = 0.02
"""Share of images that may fall to a challenger alone: between attacks that work a few do. Of 128 images 8 are then
too many, and a figure that is 10 points too high is found 95 times in 100."""


class Clean(NamedTuple):
    """Of the images as they are: classified right; logits finite; the loss has a finite slope other than 0."""

    right: Tensor
    finite: Tensor
    sloped: Tensor


def clean_flags(clean: Clean, chance: float) -> Iterator[str]:
    """A model not shown to be better than ``chance`` has nothing to believe; one without slopes was never attacked."""
    images, right = len(clean.right), count(clean.right)
    if tail(right, images, chance) > LEVEL:
        yield f"{right} of {images} clean images are classified right, not clearly better than chance ({chance:.0%})"
    if (broken := images - count(clean.finite)) > 0:
        yield f"the logits of {broken} of {images} clean images are not finite"
    flat = count(clean.right & ~clean.sloped)
    if tail(flat, right, TOLERATED) <= LEVEL:
        yield f"the loss of {flat} of {right} rightly classified images has no slope for an attack to follow"


def challenge_flags(left: Tensor, after: Mapping[str, Tensor], attack: str) -> Iterator[str]:
    """``after`` tells by a challenger's name which of the images that ``attack`` ``left`` are right after that too.

    The share that falls is one of all images, as the figure is: it says by how much the figure is too high.
    """
    survivors = count(left)
    for challenger, right in after.items():
        broken = count(left & ~right)
        if tail(broken, len(left), TOLERATED) <= LEVEL:
            yield f"{challenger} broke {broken} of {survivors} images that {attack} left ({len(left)} checked)"


def radius_flags(radii: Mapping[float, Tensor], chance: float) -> Iterator[str]:
    """``radii``: which images are right by radius, rising, the last so large that only chance should be left.

    Accuracy must not rise with the radius, by a sign test on the images where two radii differ.
    """
    for (small, before), (large, right) in pairwise(radii.items()):
        gained, lost = count(right & ~before), count(before & ~right)
        if tail(gained, gained + lost, 0.5) <= LEVEL:
            yield (
                f"accuracy rises from {count(before)} to {count(right)} of {len(right)} images "
                f"as the radius grows from {small * 255:g}/255 to {large * 255:g}/255"
            )
    largest, right = list(radii.items())[-1]
    if tail(count(right), len(right), chance) <= LEVEL:
        yield f"{count(right)} of {len(right)} images survive a radius of {largest:g}, above chance ({chance:.0%})"


def tail(hits: int, trials: int, rate: float) -> float:
    """P(X >= hits) for X ~ Binomial(trials, rate), 0 < rate <= 1, 0 <= hits <= trials."""
    if rate == 1:
        return 1.0

    def log_probability(number: int) -> float:
        ways = math.lgamma(trials + 1) - math.lgamma(number + 1) - math.lgamma(trials - number + 1)
        return ways + number * math.log(rate) + (trials - number) * math.log1p(-rate)

    return math.fsum(math.exp(log_probability(number)) for number in range(hits, trials + 1))


def count(mask: Tensor) -> int:
    return int(mask.sum())
