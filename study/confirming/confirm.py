"""From a study's frontier to the same configurations under new seeds: reseeded as they were searched, or confirmed.

What comes of it is a study of its own: what it needs of the other one is copied into its study file, so that it is
resumed, tracked and reported like any other, whatever becomes of that.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import isfinite

import pandas as pd
from rich.console import Console

from analysis import labels
from analysis.frontier.choice import configurations, largest_seed
from analysis.frontier.confirmed import confirmed, confirms, reseeds, seeds_of_reseedings
from analysis.frontier.dominance import chances
from analysis.labels import counted, is_flagged, trainings, trial_number
from analysis.layout import StudyPaths, study_paths
from analysis.reading.runs import Study, read_study
from study.choosing import child
from study.choosing.child import Prepared
from study.choosing.choice import choose, read_trial
from study.choosing.request import ChoiceError
from study.config import StudyConfig
from study.config.confirmation import Confirmation
from study.config.stored import load_stored
from study.confirming.extend import as_begun, extended
from study.confirming.request import Request, Reseed
from study.execution.executor import Backend
from trainables.config import EvaluationConfig, TrialConfig
from trainables.metrics import ACCURACIES, called, of_head


def confirm(
    request: Request, *, backend: Backend = "ray", address: str | None = None, console: Console | None = None
) -> StudyPaths:
    """Train and attack what is not yet done of a request, and return the paths of the study that comes of it.

    Raises as ``launch`` does, and ``ChoiceError`` where there is nothing to train again.
    """
    prepared = prepare(request)
    assert prepared.config.confirms is not None
    words, uri = _in_words(prepared.config.confirms), request.tracking_uri
    return child.run(prepared, words, tracking_uri=uri, backend=backend, address=address, console=console)


def prepare(request: Request) -> Prepared:
    """What would be trained; reads the study and what has begun of it, and writes nothing.

    A reseeded study stands for the search that it is of, and its means for the frontier. Seeds are counted from one
    above the largest that the search or any reseeding of it had: with a seed that it was chosen by, a configuration
    would be confirmed by its own luck.
    """
    request, best = _of_search(request)
    paths = study_paths(request.study)
    parent = read_study(paths)
    searched, begun = load_stored(paths), child.stored(request)
    request, said = (request, []) if begun is None else as_begun(request, begun)
    numbers, remarks = choose(parent, configurations(parent, request.share) if best is None else best, request)
    _check_unflagged(parent, numbers)
    first = max([largest_seed(parent), *seeds_of_reseedings(paths)]) + 1
    chosen = [(number, *read_trial(paths.trial(number))) for number in numbers]
    again = [(number, params, request.again(config, searched.objectives)) for number, params, config in chosen]
    figures = _figures(parent, chosen[0][2], again[0][2]) if isinstance(request, Reseed) else {}
    asked = Confirmation.of(request.study, range(first, first + request.seeds), again, figures)
    if begun is None:
        objectives = request.objectives(searched, parent)
        config = child.new_study(request, searched, asked, kind="confirms", objectives=objectives)
    else:
        config = extended(request, begun, asked)
    return Prepared(config, parent, begun is not None, (*said, *remarks, *_few_seeds(config)))


def _of_search(request: Request) -> tuple[Request, pd.DataFrame | None]:
    """``request`` of the search that its study is of, and what is best by the means of that; ``None`` if it is one."""
    study = read_study(study_paths(request.study))
    if not (told := confirms(study)):
        return request, None
    if isinstance(request, Reseed) or not reseeds(study):
        kind = "is reseeded" if reseeds(study) else "is a confirmation"
        raise ChoiceError(f"{request.study} {kind} itself; name the study that it is of, {told['study']}")
    table = confirmed(study)
    chosen = table["optimal"]
    if not chosen.any():
        raise ChoiceError(f"no configuration of {request.study} has finished, unflagged and within the study's bounds")
    if request.share is not None:
        chosen = chosen | (table["configuration"].map(chances(study)) >= request.share)
    best = table[chosen].assign(number=table["configuration"].map(labels.parse_trial).str[1])
    return replace(request, study=str(told["study"]), name=request.child), best


def _figures(parent: Study, was: TrialConfig, now: TrialConfig) -> dict[int, dict[str, float]]:
    """The accuracies of each finished trial, by its number; measured as ``was`` has it, called as ``now`` has it."""
    names = {name: _renamed(name, was.evaluation, now.evaluation) for name in parent.accuracies}
    known = {}
    for trial in parent.finished.to_dict("records"):
        figures = {new: float(trial[name]) for name, new in names.items()}
        known[int(trial["number"])] = {name: value for name, value in figures.items() if isfinite(value)}
    return known


def _renamed(accuracy: str, was: EvaluationConfig, now: EvaluationConfig) -> str:
    full = of_head(accuracy, was.head, was.epsilon) if accuracy in ACCURACIES else accuracy
    return called(full, now.head, now.epsilon)


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
