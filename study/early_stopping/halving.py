"""Asynchronous successive halving by chance, over several accuracies: which trials to end early.

*Rank* is by fronts, then by crowding within a front.

*Chance.* What is measured early is noisy, and some start slowly and win; how far a rung foretells the end differs from
study to study. It is learned from trials that have finished, the study's own and those of studies that it learns from
(``foretelling``): they give the ends at which the members of a rung may arrive, and so each one's chance to be on the
frontier of these ends and of all that schedules no longer than theirs have reached; an end that falls short of what the
study asks for is on none. A trial is ended only where all that are as hopeless as it is hold together no more of the
expected frontier than the rule may lose. Where early accuracies foretell little, every chance is fair and nobody is
ended; nor is anybody until enough have finished.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence

import numpy as np

from study.early_stopping.foretelling import Foretelling, NormalScores
from study.early_stopping.ranking import Floats, chances, fronts, ranking
from study.early_stopping.rungs import Bracket, Features, Rule, Rungs, Scores, Verdict

DRAWS = 256
"""Of the ends of a rung's members."""


def rows(found: Collection[Features], scale: NormalScores) -> Floats:
    """(n, 2 + accuracies) as a regression takes them: a constant, the accuracies' scores, how far a trial has come."""
    constant, done = np.ones(len(found)), np.log([features.done for features in found])
    return np.column_stack([constant, scale([features.scores for features in found]), done])


class Halving(Rungs):
    """Ends who has no chance of the frontier."""

    def __init__(self, rule: Rule, own: Sequence[int], least: Scores | None = None) -> None:
        """``own``: for each final accuracy, which of a report's accuracies is its early one; ``least``: what it must
        reach to count, where that is asked."""
        super().__init__(rule)
        self._own = tuple(own)
        self._least = least or (-math.inf,) * len(self._own)

    def _verdict(self, number: int, found: Mapping[int, Features], bracket: Bracket, rung: float) -> Verdict:
        """It ends if it is neither among the best nor on the rung's own frontier, and its chance is small enough."""
        scores, place = [features.scores for features in found.values()], list(found).index(number)
        rank = int(ranking(scores)[place])
        beaten = fronts(scores)[place] > 0 and rank > math.ceil(len(found) * self._rule.best)
        chance = self._chances(found, bracket, rung)
        return Verdict(
            rank=rank,
            chance=None if chance is None else float(chance[place]),
            ends=bool(beaten and chance is not None and self._hopeless(chance, place)),
        )

    def _hopeless(self, chance: Floats, place: int) -> bool:
        lost = chance[chance <= chance[place]].sum()
        return bool(lost <= self._rule.loss / self._rule.rungs * chance.sum())

    def _chances(self, members: Mapping[int, Features], bracket: Bracket, rung: float) -> Floats | None:
        """Of each member of a rung, to end on the frontier."""
        known = self._finished_after(bracket.rungs.index(rung))
        if len(known) < self._rule.finished:
            return None
        finals = [self._finals[number] for number in known]
        early, final = NormalScores([found.scores for found in known.values()]), NormalScores(finals)
        own = [1 + place for place in self._own]
        foretelling = Foretelling.learn(rows(known.values(), early), final(finals), own)
        random = np.random.default_rng(0)  # the same draws for the same records
        ends = foretelling.draw(rows(members.values(), early), DRAWS, random)
        for place, number in enumerate(members):
            if number in self._finals:
                ends[:, place] = final(self._finals[number])
        return chances(ends, final(self._reached(bracket, members)), final(self._least))

    def _reached(self, bracket: Bracket, members: Collection[int]) -> Sequence[Scores]:
        """What others have reached whose schedules are no longer than those of the bracket."""
        others = self.finals.keys() - members - self._ruled_out
        return [self._finals[number] for number in sorted(others) if self._lowers[number] <= bracket.lower]

    def _finished_after(self, step: int) -> Mapping[int, Features]:
        """The finished trials that left a record at this step of their brackets, and what it says."""
        finals = self.finals
        rungs = (found for (lower, rung), found in self._records.items() if self._step(lower, rung) == step)
        known = {number: features for found in rungs for number, features in found.items() if number in finals}
        return dict(sorted(known.items()))

    def _step(self, lower: float, rung: float) -> int:
        return self._rule.rungs - round(math.log(lower / rung, self._rule.eta))
