"""From a study's frontier to its confirmation: the same configurations on all training images, under new seeds.

The confirmation is a study of its own: what it needs of the confirmed one is copied into its study file, so that it
is resumed, tracked and reported like any other, whatever becomes of the confirmed study.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
from pydantic import ValidationError
from rich.console import Console

from analysis.choice import SPREAD, configurations, flagged_on_frontier, largest_seed, spread
from analysis.confirmed import confirms
from analysis.labels import counted, is_flagged, trainings, trial_number
from analysis.layout import StudyPaths, study_paths
from analysis.runs import Study, read_study
from analysis.schema import TrialStatus
from analysis.tables import why_no_frontier
from analysis.written import config_of, written
from study.config import Budget, StudyConfig
from study.config.confirmation import Confirmation
from study.config.file import fault_of
from study.confirming.extend import as_begun, extended
from study.confirming.request import ConfirmError, Request
from study.execution.executor import Backend
from study.launch import launch, resume
from trainables.config import TrialConfig


@dataclass(frozen=True)
class Prepared:
    """A confirmation that could begin, or go on where it has ``begun``."""

    config: StudyConfig
    parent: Study
    begun: bool
    remarks: tuple[str, ...]
    """What was decided for the user, a line each."""


def confirm(
    request: Request, *, backend: Backend = "ray", address: str | None = None, console: Console | None = None
) -> StudyPaths:
    """Train and attack what is not yet done of a confirmation, and return its paths.

    Raises as ``launch`` does, and ``ConfirmError`` where there is nothing to confirm.
    """
    console = console or Console(stderr=True)
    prepared = prepare(request)
    config = prepared.config
    assert config.confirms is not None
    for line in (*prepared.remarks, _in_words(config.confirms)):
        console.print(line, highlight=False, markup=False, soft_wrap=True)
    if not prepared.begun:
        return launch(config, backend=backend, address=address, console=console)
    return resume(
        config.name,
        trials=config.budget.trials,
        confirms=config.confirms,
        tracking_uri=request.tracking_uri,
        backend=backend,
        address=address,
        console=console,
    )


def prepare(request: Request) -> Prepared:
    """What would be trained; reads the study and its confirmation, and writes nothing.

    Seeds are counted from one above the largest that any trial of the study had: with the seed that it was chosen by,
    a configuration would be confirmed by its own luck.
    """
    paths = study_paths(request.study)
    parent = read_study(paths)
    if confirms(parent):
        raise ConfirmError(
            f"{request.study} is a confirmation itself; name the study that it confirms, {confirms(parent)['study']}"
        )
    searched = StudyConfig.load(paths.study_file)
    begun = study_paths(request.child).study_file.exists()
    request, said = as_begun(request) if begun else (request, [])
    numbers, remarks = _choose(parent, request)
    first = largest_seed(parent) + 1
    chosen = [_read_trial(paths, number, request) for number in numbers]
    asked = Confirmation.of(request.study, range(first, first + request.seeds), chosen)
    config = extended(request, asked) if begun else _new(request, asked, searched)
    return Prepared(config, parent, begun, (*said, *remarks))


def _in_words(confirmation: Confirmation) -> str:
    which = trainings(list(map(trial_number, confirmation.trials)), confirmation.study, confirmation.seeds)
    return f"{counted(confirmation.trainings, 'training')}: {which}"


def _choose(parent: Study, request: Request) -> tuple[list[int], list[str]]:
    if request.trials:
        return _named(parent, request.trials), []
    best = configurations(parent)
    if best.empty:
        raise ConfirmError(f"{parent.name} has nothing to confirm. {why_no_frontier(parent)}")
    objectives = parent.objectives
    kept = spread(best, list(objectives), list(objectives.values()), request.limit or len(best))
    return list(map(int, kept["number"])), [*_doubts(parent), *_left_out(best, kept)]


def _named(parent: Study, numbers: Sequence[int]) -> list[int]:
    verdicts: dict[int, str] = dict(zip(parent.finished["number"], parent.finished["verdict"], strict=True))
    for number in numbers:
        if number not in verdicts:
            raise ConfirmError(f"{parent.name} has no finished trial {number}; `study status {parent.name}` lists them")
        if is_flagged(verdicts[number]):
            raise ConfirmError(f"trial {number} of {parent.name} is {verdicts[number]}; name others")
    return list(dict.fromkeys(numbers))


def _doubts(parent: Study) -> list[str]:
    running = int((parent.trials["status"] == TrialStatus.RUNNING).sum())
    lines = [f"trial {trial_number(number)} is left out: {verdict}" for number, verdict in flagged_on_frontier(parent)]
    if running:
        have = "has" if running == 1 else "have"
        lines.append(f"{counted(running, 'trial')} of {parent.name} {have} not ended: its frontier may still change")
    return lines


def _left_out(best: pd.DataFrame, kept: pd.DataFrame) -> list[str]:
    rest = [trial_number(number) for number in best["number"] if number not in set(kept["number"])]
    are = "is" if len(kept) == 1 else "are"
    confirmed = f"{len(kept)} of the frontier's {len(best)} configurations {are} confirmed: {SPREAD}"
    return [f"{confirmed}; not {', '.join(rest)}"] if rest else []


def _read_trial(paths: StudyPaths, number: int, request: Request) -> tuple[int, dict[str, Any], TrialConfig]:
    trial = paths.trial(number)
    config = config_of(trial)
    params = {name: value for name, value in written(trial.config)["params"].items() if name != "trainable"}
    return number, params, request.fully_evaluated(config)


def _new(request: Request, asked: Confirmation, searched: StudyConfig) -> StudyConfig:
    tracking = searched.tracking
    if request.tracking_uri is not None:
        tracking = tracking.model_copy(update={"uri": request.tracking_uri, "offline": False})
    if request.offline:
        tracking = tracking.model_copy(update={"offline": True})
    try:
        return StudyConfig(
            name=request.child,
            trainables=asked.trainables,
            objectives=request.objectives(searched),
            budget=Budget(trials=asked.trainings),
            resources=searched.resources,
            tracking=tracking,
            storage=searched.storage,
            confirms=asked,
        )
    except ValidationError as error:
        raise ConfirmError("; ".join(fault_of(item, StudyConfig).message for item in error.errors())) from error
