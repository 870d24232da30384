"""The study that comes of chosen trials: begun, or gone on with."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError
from rich.console import Console

from analysis.layout import StudyPaths, study_paths
from analysis.reading.runs import Study
from study.choosing.request import ChoiceError, Request
from study.config import Budget, Resources, StudyConfig
from study.config.file import fault_of
from study.config.listed import Listed
from study.config.stored import load_stored
from study.execution.executor import Backend
from study.launch import launch, resume
from study.say import say, terminal
from trainables.config import EvaluationConfig, TrialConfig, flatten
from trainables.metrics import called


@dataclass(frozen=True)
class Prepared:
    """A study of chosen trials that could begin, or go on where it has ``begun``."""

    config: StudyConfig
    parent: Study
    begun: bool
    remarks: tuple[str, ...]
    """What was decided for the user, a line each."""
    following: Mapping[int, TrialConfig] = field(default_factory=dict)
    """What may be added as figures come, by number of the chosen trial."""


def new_study(
    request: Request,
    searched: StudyConfig,
    listed: Listed[Any],
    *,
    kind: str,
    objectives: list[str],
    resources: Resources | None = None,
) -> StudyConfig:
    """The study of ``request``, whose key ``kind`` holds what is ``listed``; all else is as the search had it."""
    tracking = searched.tracking
    if request.tracking_uri is not None:
        tracking = tracking.model_copy(update={"uri": request.tracking_uri, "offline": False})
    if request.offline:
        tracking = tracking.model_copy(update={"offline": True})
    try:
        return StudyConfig(
            name=request.child,
            trainables=listed.trainables,
            objectives=_as_called(objectives, listed.configs()[0].evaluation),
            budget=Budget(trials=listed.runs),
            resources=resources or searched.resources,
            tracking=tracking,
            storage=searched.storage,
            **{kind: listed},  # type: ignore[arg-type]
        )
    except ValidationError as error:
        raise ChoiceError("; ".join(fault_of(item, StudyConfig).message for item in error.errors())) from error


def stored(request: Request) -> StudyConfig | None:
    """The study as it has begun; ``None`` if it has not. Raises ``ChoiceError`` for one that cannot be gone on with."""
    paths = study_paths(request.child)
    if not paths.study_file.exists():
        return None
    config = load_stored(paths)
    if request.offline and not config.tracking.offline:
        raise ChoiceError(f"{request.child} was begun with MLflow; leave --offline out, or begin another with --name")
    return config


def longer(begun: StudyConfig, listed: Listed[Any]) -> StudyConfig:
    """The study with all that is ``listed`` now."""
    budget = begun.budget.model_copy(update={"trials": listed.runs})
    return begun.model_copy(update={begun.kind: listed, "budget": budget})


def check_alike(request: Request, begun: Sequence[TrialConfig], asked: Sequence[TrialConfig]) -> None:
    """``ChoiceError`` where a configuration is asked for otherwise than it was begun."""
    if differing := list(dict.fromkeys(_differing(begun, asked))):
        raise ChoiceError(
            f"{request.child} was begun with other settings ({', '.join(differing)}); choose another name with --name"
        )


def run(
    prepared: Prepared,
    words: str,
    *,
    tracking_uri: str | None,
    backend: Backend,
    address: str | None,
    console: Console | None,
    restarted: bool = False,
) -> StudyPaths:
    """Say ``words`` of what is done, do what is not yet done of it, and return its paths.

    ``restarted``: as ``resume`` has it.
    """
    console = console or terminal(stderr=True)
    config = prepared.config
    for line in (*prepared.remarks, words):
        say(console, line)
    if not prepared.begun:
        return launch(config, backend=backend, address=address, console=console)
    return resume(
        config.name,
        trials=config.budget.trials,
        listed=config.listed,
        tracking_uri=tracking_uri,
        backend=backend,
        address=address,
        restarted=restarted,
        console=console,
    )


def _as_called(objectives: Sequence[str], evaluation: EvaluationConfig) -> list[str]:
    """Each once, by the name that it has under ``evaluation``: with another head, or at another radius, what was a
    head's figure may be the study's own."""
    return list(dict.fromkeys(called(name, evaluation.head, evaluation.epsilon) for name in objectives))


def _differing(begun: Sequence[TrialConfig], asked: Sequence[TrialConfig]) -> Iterable[str]:
    """The leaves that differ, as ``begun`` has them."""
    pairs = zip(map(flatten, begun), map(flatten, asked), strict=True)
    return (f"{path} is {ours[path]}" for ours, theirs in pairs for path in ours if ours[path] != theirs.get(path))
