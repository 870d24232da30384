"""Asynchronous successive halving by rank (Li et al. 2020, arXiv 1810.05934, algorithm 2), of one or more accuracies.

At a rung a trial goes on if it is among the best floor(n / eta) of the n that have reached it, or the best at all. Over
several accuracies the order is that of Schmucker et al. 2021 (arXiv 2106.12639): non-dominated fronts, within a front
an epsilon-net.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from study.early_stopping.ranking import farthest_first, fronts
from study.early_stopping.rungs import Bracket, Features, Rule, Rungs, Scores, Verdict

Ahead = Callable[[Sequence[Scores]], int]
"""How many at a rung stand ahead of the last one."""


def ahead_in_all(scores: Sequence[Scores]) -> int:
    """By fronts, and within its own front by how far apart they lie, from the best in the first figure on."""
    front = fronts(scores)
    mine = np.asarray(scores, dtype=float)[front == front[-1]]
    return int((front < front[-1]).sum()) + farthest_first(mine).index(len(mine) - 1)


class Asha(Rungs):
    """Ends who ranks too low; of ``rule`` it heeds ``eta``, ``rungs``, ``spread`` and ``minimum``."""

    def __init__(self, rule: Rule, ahead: Ahead = ahead_in_all) -> None:
        super().__init__(rule)
        self._ahead = ahead

    def _verdict(self, number: int, found: Mapping[int, Features], bracket: Bracket, rung: float) -> Verdict:  # noqa: ARG002
        """It ends if too many stand ahead."""
        others = [features.scores for other, features in found.items() if other != number]
        ahead = self._ahead([*others, found[number].scores])
        return Verdict(rank=1 + ahead, chance=None, ends=ahead >= max(1, int(len(found) / self._rule.eta)))
