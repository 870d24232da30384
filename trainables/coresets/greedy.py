"""Greedy search for the minibatches whose gradients best descend another loss (arXiv 2302.03857)."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor


def greedy(
    candidates: Tensor, validation_gradient: Callable[[], Tensor], take: Callable[[int], None], budget: int
) -> list[int]:
    """Indices of ``budget`` rows of ``candidates`` (B, p), in the order they were picked.

    Each pick is the row, of those left, with the largest inner product with ``validation_gradient()`` (p,); the
    lowest index among equals. ``take(index)`` then moves whatever the next gradient depends on; after the last pick
    there is none, so nothing is taken. ``ValueError`` unless 0 <= budget <= B.
    """
    left = list(range(len(candidates)))
    if not 0 <= budget <= len(left):
        raise ValueError(f"budget is {budget} of {len(left)} minibatches; it must lie between 0 and {len(left)}")
    picked: list[int] = []
    for _ in range(budget):
        if picked:
            take(picked[-1])
        gains = (candidates @ validation_gradient()).tolist()
        picked.append(max(left, key=gains.__getitem__))
        left.remove(picked[-1])
    return picked
