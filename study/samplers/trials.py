"""What Optuna's trials say of a study's: which are its own, how they stand, what they measured."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from statistics import fmean

from optuna.trial import FrozenTrial, TrialState

from analysis.constraints import Bounds, violation
from analysis.frontier.pareto import non_dominated
from analysis.schema import BY_HAND, TIME_LIMIT, TrialFault, TrialStatus
from trainables.metrics import GPU_MINUTES, TRAIN_SECONDS, TRUSTED, Direction

REPEATS, REFUSED, OBSERVED, WITHDRAWN, OUTSIDE = "repeats", "refused", "observed", "withdrawn", "outside"
"""Attributes of Optuna's trials: a draw that only repeated the trial of that number; why a draw was not to be trained;
a trial of another study, by its id; a recipe, or what was added by hand, that the study's space no longer holds; why a
trial lies outside a space that was changed after it."""
EXCLUDED = "excluded"
"""The same, as they are read and not as they are stored: why somebody excluded the trial."""

_STATES = {
    TrialStatus.RUNNING: TrialState.RUNNING,
    TrialStatus.FINISHED: TrialState.COMPLETE,
    TrialStatus.FAILED: TrialState.FAIL,
    TrialStatus.STOPPED: TrialState.PRUNED,
}


def is_own(trial: FrozenTrial) -> bool:
    """Whether it is a trial of this study, with a folder, and not only something for the sampler to know."""
    return not {REPEATS, REFUSED, OBSERVED, WITHDRAWN} & trial.user_attrs.keys()


def status_of(trial: FrozenTrial) -> TrialStatus:
    """How it stands, as its folder has it: Optuna's state serves the sampler alone."""
    return TrialStatus(trial.user_attrs.get("status", TrialStatus.RUNNING))


def metrics_of(trial: FrozenTrial) -> dict[str, float]:
    """What the trial measured, as far as it came."""
    return {name: float(value) for name, value in trial.user_attrs.get("metrics", {}).items()}


def minutes_of(trial: FrozenTrial) -> float:
    """GPU-minutes; a trial that did not finish counts by its training time, times the share of a GPU it held."""
    metrics = metrics_of(trial)
    return metrics.get(GPU_MINUTES, metrics.get(TRAIN_SECONDS, 0.0) / 60 * gpu_share_of(trial))


def ran_well(trial: FrozenTrial) -> bool:
    """Whether what it cost says what others will: it finished, or was stopped."""
    return status_of(trial) in (TrialStatus.FINISHED, TrialStatus.STOPPED)


def usual_minutes(trials: Iterable[FrozenTrial], trainable: str | None) -> float | None:
    """Mean GPU-minutes of those among ``trials`` that finished or were stopped: the trainable's, or of all where it
    has none; ``None`` before any has."""
    ended = [trial for trial in trials if ran_well(trial)]
    own = [trial for trial in ended if trial.user_attrs.get("trainable") == trainable]
    return fmean(map(minutes_of, own or ended)) if ended else None


def gpu_share_of(trial: FrozenTrial) -> float:
    """The share of a GPU that it held, by which its GPU-minutes are counted."""
    return float(trial.user_attrs.get("gpu_share", 1.0))


def state_of(status: TrialStatus, fault: str | None, reason: str | None) -> TrialState:
    """What Optuna is told of a trial that lies within the space.

    Of one that ran out of memory: pruned, so that its sampler learns from the constraint that it violates. Of one that
    was stopped by hand, or by the time limit: failed, of which it learns nothing, where a pruned one would be worse
    than all that finished.
    """
    if status is TrialStatus.STOPPED and (reason or "").startswith((BY_HAND, TIME_LIMIT)):
        return TrialState.FAIL
    return TrialState.PRUNED if fault == TrialFault.OUT_OF_MEMORY else _STATES[status]


def begun(trials: Iterable[FrozenTrial]) -> list[FrozenTrial]:
    return [trial for trial in trials if trial.state is not TrialState.WAITING]


def missing(objectives: Iterable[str], values: Mapping[str, float]) -> str | None:
    """The first objective that was not measured, or is no finite number; ``None`` if all are there."""
    for name in objectives:
        if name not in values:
            return f"objective {name} is missing"
        if not math.isfinite(values[name]):
            return f"objective {name} is {values[name]}"
    return None


def frontier(trials: Iterable[FrozenTrial], objectives: Mapping[str, Direction], bounds: Bounds) -> list[FrozenTrial]:
    """The finished ones within ``bounds``, neither flagged nor excluded, that no other such dominates, by what they
    measured, whatever Optuna was told."""
    counting = (trial for trial in trials if EXCLUDED not in trial.user_attrs)
    finished = [trial for trial in counting if status_of(trial) is TrialStatus.FINISHED]
    wanted = {**bounds, TRUSTED: True}
    credible = [trial for trial in finished if not violation(wanted, metrics_of(trial))]
    values = [[metrics_of(trial)[name] for name in objectives] for trial in credible]
    best = non_dominated(values, list(objectives.values()))
    return [trial for trial, optimal in zip(credible, best, strict=True) if optimal]
