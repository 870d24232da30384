"""Optuna's study where somebody has excluded trials: a search that learns nothing of them.

Optuna's final states cannot change, and need not: the trials' folders say who is excluded, and to whoever asks Optuna
such a trial, or a draw that repeated it, is a failure. Taken in again it is what it was.
"""

from __future__ import annotations

import copy
from collections.abc import Container, Mapping

import optuna
from optuna.trial import FrozenTrial, TrialState

from study.samplers.trials import EXCLUDED, REPEATS

_LEARNED_FROM = (TrialState.COMPLETE, TrialState.PRUNED)


class HeedfulStudy(optuna.Study):
    """Samplers and search read trials from it."""

    excluded: Mapping[int, str] = {}
    """By number, why trials were excluded."""

    def _get_trials(
        self, deepcopy: bool = True, states: Container[TrialState] | None = None, use_cache: bool = False
    ) -> list[FrozenTrial]:
        if not self.excluded:
            return super()._get_trials(deepcopy, states, use_cache)
        trials = map(self._as_it_counts, super()._get_trials(False, None, use_cache))
        found = [trial for trial in trials if states is None or trial.state in states]
        return copy.deepcopy(found) if deepcopy else found

    def _as_it_counts(self, trial: FrozenTrial) -> FrozenTrial:
        reason = self.excluded.get(trial.user_attrs.get(REPEATS, trial.number))
        if reason is None:
            return trial
        told = copy.copy(trial)
        told.user_attrs = trial.user_attrs | {EXCLUDED: reason}
        if trial.state in _LEARNED_FROM:
            told.state, told.values = TrialState.FAIL, None
        return told
