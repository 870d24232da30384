"""What is trained again already: gone on with as it is, or with more seeds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from analysis.labels import counted
from study.choosing.child import check_alike, longer
from study.choosing.request import ChoiceError
from study.config import StudyConfig
from study.config.confirmation import Confirmation
from study.confirming.request import Request


def as_begun(request: Request, stored: StudyConfig) -> tuple[Request, list[str]]:
    """``request`` of the configurations that its child trains already, where it names none itself; and a line on it.

    The frontier may have moved since: what goes on is what has been begun.
    """
    begun = stored.confirms
    asks = request.trials or request.limit is not None or request.chance is not None
    if asks or begun is None or begun.study != request.study:
        return request, []
    said = f"{request.child} goes on with the configurations that it has; --name begins another, with those of today"
    return replace(request, trials=tuple(begun.trials)), [said]


def extended(request: Request, stored: StudyConfig, asked: Confirmation) -> StudyConfig:
    """The study with as many seeds as are asked for; those it has are kept.

    New seeds are above its own and not below those of ``asked``, which the other study did not use.
    Raises ``ChoiceError`` if it trains anything else than ``asked``.
    """
    begun = _same(request, stored.confirms, asked)
    if request.seeds < len(begun.seeds):
        raise ChoiceError(f"{request.child} has {counted(len(begun.seeds), 'seed')}; ask for as many, or for more")
    first = max(asked.seeds[0], max(begun.seeds) + 1)
    more = range(first, first + request.seeds - len(begun.seeds))
    return longer(stored, begun.model_copy(update={"seeds": [*begun.seeds, *more]}))


def _same(request: Request, begun: Confirmation | None, asked: Confirmation) -> Confirmation:
    if begun is None or begun.study != request.study:
        raise ChoiceError(
            f"{request.child} exists and is not {request.study} {request.DONE}; choose another name with --name"
        )
    if begun.trials != asked.trials:
        raise ChoiceError(
            f"{request.child} has trials {_list(begun.trials)} of {request.study}, not {_list(asked.trials)}; "
            f"go on with --trials {_list(begun.trials)}, or choose another name with --name"
        )
    check_alike(request, begun.configs(), asked.configs())
    return begun


def _list(numbers: Sequence[int]) -> str:
    return ",".join(map(str, numbers))
