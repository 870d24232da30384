"""A confirmation that exists already: gone on with as it is, or with more seeds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from analysis.labels import counted
from analysis.layout import study_paths
from study.config import StudyConfig
from study.config.confirmation import Confirmation
from study.confirming.request import ConfirmError, Request
from trainables.config import flatten


def as_begun(request: Request) -> tuple[Request, list[str]]:
    """``request`` of the configurations that its child confirms already, where it names none itself; and a line on it.

    The frontier may have moved since: what goes on is what has been begun.
    """
    begun = _read(request).confirms
    if request.trials or request.limit is not None or begun is None or begun.study != request.study:
        return request, []
    said = f"{request.child} goes on with the configurations that it has; --name begins another, with those of today"
    return replace(request, trials=tuple(begun.trials)), [said]


def extended(request: Request, asked: Confirmation) -> StudyConfig:
    """The study ``request.child`` with as many seeds as are asked for; those it has are kept.

    New seeds are above its own and not below those of ``asked``, which the confirmed study did not use.
    Raises ``ConfirmError`` if it confirms anything else than ``asked``.
    """
    stored = _read(request)
    begun = _same(request, stored.confirms, asked)
    if request.offline and not stored.tracking.offline:
        raise ConfirmError(f"{request.child} was begun with MLflow; leave --offline out, or begin another with --name")
    if request.seeds < len(begun.seeds):
        raise ConfirmError(f"{request.child} has {counted(len(begun.seeds), 'seed')}; ask for as many, or for more")
    first = max(asked.seeds[0], max(begun.seeds) + 1)
    more = range(first, first + request.seeds - len(begun.seeds))
    confirmation = begun.model_copy(update={"seeds": [*begun.seeds, *more]})
    budget = stored.budget.model_copy(update={"trials": confirmation.trainings})
    return stored.model_copy(update={"confirms": confirmation, "budget": budget})


def _read(request: Request) -> StudyConfig:
    path = study_paths(request.child).study_file
    if not path.exists():
        raise ConfirmError(f"{path.parent} exists and holds no study; choose another name with --name")
    return StudyConfig.load(path)


def _same(request: Request, begun: Confirmation | None, asked: Confirmation) -> Confirmation:
    if begun is None or begun.study != request.study:
        raise ConfirmError(
            f"{request.child} exists and is no confirmation of {request.study}; choose another name with --name"
        )
    if begun.trials != asked.trials:
        raise ConfirmError(
            f"{request.child} confirms trials {_list(begun.trials)} of {request.study}, not {_list(asked.trials)}; "
            f"go on with --trials {_list(begun.trials)}, or choose another name with --name"
        )
    if differing := _differing(begun, asked):
        raise ConfirmError(
            f"{request.child} was begun with other settings ({', '.join(differing)}); choose another name with --name"
        )
    return begun


def _differing(begun: Confirmation, asked: Confirmation) -> list[str]:
    """The leaves that differ, as ``begun`` has them."""
    pairs = zip(map(flatten, begun.configs()), map(flatten, asked.configs()), strict=True)
    found = (f"{path} is {ours[path]}" for ours, theirs in pairs for path in ours if ours[path] != theirs[path])
    return list(dict.fromkeys(found))


def _list(numbers: Sequence[int]) -> str:
    return ",".join(map(str, numbers))
