"""From a study's frontier to its confirmation: the same configurations on all training images, under new seeds.

The confirmation is a study of its own: what it needs of the confirmed one is copied into its study file, so that it
is resumed, tracked and reported like any other, whatever becomes of the confirmed study.
"""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console

from analysis.choice import configurations, largest_seed
from analysis.confirmed import confirms
from analysis.labels import counted, is_flagged, trainings, trial_number
from analysis.layout import StudyPaths, study_paths
from analysis.runs import Study, read_study
from study.choosing import child
from study.choosing.child import Prepared
from study.choosing.choice import choose, read_trial
from study.choosing.request import ChoiceError
from study.config import StudyConfig
from study.config.confirmation import Confirmation
from study.config.stored import load_stored
from study.confirming.extend import as_begun, extended
from study.confirming.request import Request
from study.execution.executor import Backend


def confirm(
    request: Request, *, backend: Backend = "ray", address: str | None = None, console: Console | None = None
) -> StudyPaths:
    """Train and attack what is not yet done of a confirmation, and return its paths.

    Raises as ``launch`` does, and ``ChoiceError`` where there is nothing to confirm.
    """
    prepared = prepare(request)
    assert prepared.config.confirms is not None
    words, uri = _in_words(prepared.config.confirms), request.tracking_uri
    return child.run(prepared, words, tracking_uri=uri, backend=backend, address=address, console=console)


def prepare(request: Request) -> Prepared:
    """What would be trained; reads the study and its confirmation, and writes nothing.

    Seeds are counted from one above the largest that any trial of the study had: with the seed that it was chosen by,
    a configuration would be confirmed by its own luck.
    """
    paths = study_paths(request.study)
    parent = read_study(paths)
    if confirms(parent):
        raise ChoiceError(
            f"{request.study} is a confirmation itself; name the study that it confirms, {confirms(parent)['study']}"
        )
    searched, begun = load_stored(paths), child.stored(request)
    request, said = (request, []) if begun is None else as_begun(request, begun)
    numbers, remarks = choose(parent, configurations(parent), request)
    _check_unflagged(parent, numbers)
    first = largest_seed(parent) + 1
    chosen = [(number, *read_trial(paths.trial(number))) for number in numbers]
    asked = Confirmation.of(
        request.study,
        range(first, first + request.seeds),
        [(number, params, request.fully_evaluated(config)) for number, params, config in chosen],
    )
    if begun is None:
        config = child.new_study(request, searched, asked, kind="confirms", objectives=request.objectives(searched))
    else:
        config = extended(request, begun, asked)
    return Prepared(config, parent, begun is not None, (*said, *remarks, *_few_seeds(config)))


def _few_seeds(config: StudyConfig) -> list[str]:
    assert config.confirms is not None
    if len(config.confirms.seeds) != 2:
        return []
    return ["two seeds give intervals too wide to tell anything apart; three or more do, and can be added"]


def _in_words(confirmation: Confirmation) -> str:
    which = trainings(list(map(trial_number, confirmation.trials)), confirmation.study, confirmation.seeds)
    return f"{counted(confirmation.runs, 'training')}: {which}"


def _check_unflagged(parent: Study, numbers: Sequence[int]) -> None:
    verdicts = dict(zip(parent.finished["number"], parent.finished["verdict"], strict=True))
    for number in numbers:
        if is_flagged(str(verdicts[number])):
            raise ChoiceError(f"trial {number} of {parent.name} is {verdicts[number]}; name others")
