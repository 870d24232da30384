"""Which configurations need not run again.

One that finished, for a trial is a function of its configuration; one that early stopping ended, whatever its seed; and
none is trained twice side by side. ``new_seed`` lets those run again that finished or run, each with another seed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from optuna.trial import FrozenTrial, Trial, TrialState

from analysis.layout import StudyPaths
from analysis.schema import TrialStatus
from search_spaces.ranges import same_point
from study.config.study import Repeats
from study.samplers.trials import EXCLUDED, OUTSIDE, begun, status_of
from study.search.micro_batches import MICRO_BATCHES, mark


@dataclass(frozen=True)
class Tried:
    """What the ``trials`` of a study tell of configurations that are drawn again."""

    paths: StudyPaths
    repeats: Repeats
    trials: Sequence[FrozenTrial]

    def points(self, *, running: bool) -> list[dict[str, Any]]:
        """The parameters that need not run again, each once; with those of the trials that are ``running``."""
        found: list[dict[str, Any]] = []
        for trial in self.trials:
            counts = self._tells_enough(trial) or (running and self._will_tell(trial))
            if counts and not any(same_point(trial.params, other) for other in found):
                found.append(trial.params)
        return found

    def twin(self, trial: Trial) -> FrozenTrial | None:
        """Another trial with the same parameters that tells enough of them, or will."""
        cut = mark(trial.user_attrs, MICRO_BATCHES)
        return next(
            (
                other
                for other in self.trials
                if same_point(other.params, trial.params)
                and mark(other.user_attrs, MICRO_BATCHES) == cut
                and other.number != trial.number
                and (self._tells_enough(other) or self._will_tell(other))
            ),
            None,
        )

    def earlier(self, trial: Trial) -> int:
        """How many trials before this one had its parameters: each needs a seed of its own."""
        before = (other for other in begun(self.trials) if other.number < trial.number)
        return sum(same_point(other.params, trial.params) for other in before)

    def _tells_enough(self, trial: FrozenTrial) -> bool:
        if trial.state is TrialState.COMPLETE:
            return self.repeats == "redraw"
        stopped = trial.state is TrialState.PRUNED and status_of(trial) is TrialStatus.STOPPED
        return stopped and self.paths.trial(trial.number).stop.exists()  # which a time limit does not write

    def _will_tell(self, trial: FrozenTrial) -> bool:
        """It runs within the space and counts, and no other is to have its parameters unless it fails."""
        counts = not {OUTSIDE, EXCLUDED} & trial.user_attrs.keys()
        return counts and trial.state is TrialState.RUNNING and self.repeats == "redraw"
