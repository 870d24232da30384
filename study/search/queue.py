"""What comes before the sampler's own draws, in Optuna's queue: starts, listed points, what somebody added by hand."""

from __future__ import annotations

import optuna

from analysis.layout import StudyPaths
from search_spaces.space import SearchSpace
from study.config import StudyConfig
from study.files.added import take, waiting
from study.search import start
from study.search.by_hand import ADDED, STARTS, to_enqueue

_QUEUED = "start_from"
"""Attribute of Optuna's study: what it begins with was enqueued."""


def enqueue_beginning(study: optuna.Study, paths: StudyPaths, config: StudyConfig, space: SearchSpace) -> None:
    """What the study begins with, and the points that its space lists; each once, however often it is opened."""
    if config.start_from and _QUEUED not in study.user_attrs:
        found = [start.points(paths, name, space) for name in config.start_from]
        for name, point in (pair for points in found for pair in points.items()):
            study.enqueue_trial(point, user_attrs={STARTS: name}, skip_if_exists=True)
        study.set_user_attr(_QUEUED, list(config.start_from))
    for point in space.points:
        study.enqueue_trial(point, skip_if_exists=True)


def enqueue_added(study: optuna.Study, paths: StudyPaths, space: SearchSpace, most: int | None = None) -> None:
    """What was added by hand, ``most`` of it or all. It leaves its request when Optuna has it, whose trial bears its
    id: a driver that dies between the two neither loses nor doubles it."""
    for added in waiting(paths)[:most]:
        known = {trial.user_attrs.get(ADDED) for trial in study.get_trials(deepcopy=False)}
        if added.id not in known:
            study.enqueue_trial(to_enqueue(space, added.values), user_attrs={ADDED: added.id})
        take(added)
