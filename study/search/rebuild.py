"""A search that has changed: its trials, in the ranges and bounds of now and under their numbers, in a new database.

Optuna itself neither takes other choices for a parameter that it knows nor forgets a trial. A trial outside the new
ranges stays a trial of the study; to the sampler it is a failure without parameters, of which it learns nothing.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import optuna
from optuna.trial import FrozenTrial, TrialState, create_trial

from analysis import constraints
from analysis.layout import StudyPaths
from analysis.reading.written import written
from analysis.searched.changes import PARTS
from search_spaces.given import given
from search_spaces.placing import place
from search_spaces.space import SearchSpace
from study.config import StudyConfig
from study.samplers.by_name import make_sampler
from study.samplers.trials import OBSERVED, OUTSIDE, REFUSED, REPEATS, WITHDRAWN, metrics_of, state_of, status_of
from study.search.by_hand import ORIGIN, STARTS, enqueued, origin
from study.search.micro_batches import INSTEAD_OF
from study.search.observed import generation
from study.search.start import point
from study.search.storage import open_storage, release
from study.search.warm_start import accepted
from trainables.config import ConfigError, TrialConfig, from_dict


class Outside(NamedTuple):
    """A trial that the new ranges leave out: its number, its id in another study, or of one that was not begun where it
    comes from; and why."""

    trial: str
    reason: str
    withdrawn: bool
    """It waited for its turn, and does not any more."""


def rebuild(paths: StudyPaths, config: StudyConfig, space: SearchSpace) -> list[Outside]:
    """Write ``paths.optuna_next``, the search of ``paths.optuna`` as ``config`` has it; the trials outside ``space``.

    Nothing may run, and every trial that was begun has its configuration on disk.
    """
    for path in (paths.optuna_next, Path(f"{paths.optuna_next}-journal")):
        path.unlink(missing_ok=True)
    source, target = (open_storage(path) for path in (paths.optuna, paths.optuna_next))
    try:
        before = optuna.load_study(study_name=config.name, storage=source)
        after = optuna.create_study(study_name=config.name, storage=target, directions=before.directions)
        for name, value in before.user_attrs.items():
            if name not in PARTS:  # whoever opens it writes down what it is asked now
                after.set_user_attr(name, value)
        return _Removal(paths, config, space, before).into(after)
    finally:
        release(source)
        release(target)


class _Removal:
    """Takes the trials from one space to another, one by one and in order."""

    def __init__(self, paths: StudyPaths, config: StudyConfig, space: SearchSpace, before: optuna.Study) -> None:
        self._paths, self._config, self._space = paths, config, space
        self._trials = before.get_trials(deepcopy=False)
        self._observed = {found.trial: found.config for found in accepted(paths)}
        self._is_other = {part: before.user_attrs.get(part) != value for part, value in config.strategy.items()}
        self._complete = 0

    def into(self, study: optuna.Study) -> list[Outside]:
        if self._is_other["sampler"]:
            sampler = self._config.sampler
            study.sampler = make_sampler(sampler.name, self._config.seed, 0, self._space, sampler.numbers)
        outside = []
        for trial in self._trials:
            reason = self._queued(trial, study) if trial.state is TrialState.WAITING else self._moved(trial, study)
            if reason is not None and REPEATS not in trial.user_attrs:
                waits = trial.state is TrialState.WAITING
                named = trial.user_attrs.get(OBSERVED) or (waits and origin(trial.user_attrs).get(ORIGIN))
                outside.append(Outside(named or f"{trial.number:04d}", reason, waits))
        return outside

    def _queued(self, trial: FrozenTrial, study: optuna.Study) -> str | None:
        """A trial that waits for its turn; why it is taken back, unless that is said of the one that it replaces."""
        params, reason = self._place(trial)
        if params is None:
            study.add_trial(create_trial(state=TrialState.FAIL, user_attrs=trial.user_attrs | {WITHDRAWN: reason}))
        else:
            study.enqueue_trial(params, user_attrs=trial.user_attrs)
        return None if INSTEAD_OF in trial.user_attrs else reason

    def _moved(self, trial: FrozenTrial, study: optuna.Study) -> str | None:
        """A trial that was begun; why it lies outside."""
        params, reason = self._place(trial)
        told = self._trials[trial.user_attrs[REPEATS]] if REPEATS in trial.user_attrs else trial
        running = trial.state is TrialState.RUNNING
        state = TrialState.RUNNING if running else self._state(told, inside=params is not None)
        metrics, fault = metrics_of(told), told.user_attrs.get("fault")
        attributes = {name: value for name, value in trial.user_attrs.items() if name != OUTSIDE}
        moved = create_trial(
            state=state,
            values=[metrics[name] for name in self._config.objectives] if state is TrialState.COMPLETE else None,
            params=params,
            distributions={name: self._space.distributions[name] for name in params or {}},
            user_attrs=attributes | ({OUTSIDE: reason} if reason else {}),
            system_attrs=self._generation(trial, study) if state is TrialState.COMPLETE else None,
            constraints=None if running else constraints.excess(self._config.constraints, metrics, fault),
        )
        moved.datetime_start, moved.datetime_complete = trial.datetime_start, trial.datetime_complete
        study.add_trial(moved)
        return reason

    def _place(self, trial: FrozenTrial) -> tuple[dict[str, Any] | None, str | None]:
        """The trial's parameters in the new space, or why it has none; neither for a draw that was never valid."""
        if REFUSED in trial.user_attrs:
            return self._drawn(trial), None
        try:
            if trial.state is TrialState.WAITING and STARTS in trial.user_attrs:
                return point(self._paths, trial.user_attrs[STARTS], self._space), None
            if trial.state is TrialState.WAITING and INSTEAD_OF not in trial.user_attrs:
                return given(self._space, enqueued(trial)), None
            config = self._config_of(trial)
            return (place(self._space, config) if config else None), None
        except ConfigError as error:
            return None, str(error)

    def _drawn(self, trial: FrozenTrial) -> dict[str, Any] | None:
        """The parameters of a draw that was not trained, which a grid or a sequence need not draw again; but a grid
        that begins now, or has other bounds: what was refused before may lie within them."""
        if self._config.sampler.name == "grid" and (self._is_other["constraints"] or self._is_other["sampler"]):
            return None
        try:
            return given(self._space, trial.params)
        except ConfigError:
            return None

    def _config_of(self, trial: FrozenTrial) -> TrialConfig | None:
        if OBSERVED in trial.user_attrs:
            return self._observed[trial.user_attrs[OBSERVED]]
        if WITHDRAWN in trial.user_attrs:
            return None
        if INSTEAD_OF in trial.user_attrs:  # its parameters are the same, and how its batch is cut lies in no space
            return self._config_of(self._trials[trial.user_attrs[INSTEAD_OF]])
        number = trial.user_attrs.get(REPEATS, trial.number)
        drawn = written(self._paths.trial(number).config)["config"]
        return from_dict(drawn) if drawn else None

    def _state(self, trial: FrozenTrial, *, inside: bool) -> TrialState:
        told = trial.user_attrs
        if REFUSED in told or not inside:
            return TrialState.FAIL
        return state_of(status_of(trial), told.get("fault"), told.get("reason"))

    def _generation(self, trial: FrozenTrial, study: optuna.Study) -> dict[str, Any]:
        """What a genetic sampler knows a trial by; its other attributes are of the search before.

        To one that takes over from another sampler the trials so far are the first generations.
        """
        kept = {name: value for name, value in trial.system_attrs.items() if name.endswith(":generation")}
        found = generation(study, self._complete) if self._is_other["sampler"] else {}
        self._complete += 1
        return found | kept
