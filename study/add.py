"""``study add``: configurations of somebody's own, which a study runs before what its sampler proposes."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from analysis import labels
from analysis.layout import StudyPaths, ending, exclusion_of, read_json, study_paths
from analysis.reading.download import StudyNotFoundError
from analysis.reading.manifest import is_replay
from analysis.reading.runs import read_study
from analysis.reading.written import check_counts, find_trial, searched_of
from analysis.schema import TrialStatus
from search_spaces.faults import Fault, SpaceError
from search_spaces.given import dimensions, given
from search_spaces.space import TRAINABLE, SearchSpace
from search_spaces.work import total_on
from study.config import Budget, StudyConfig
from study.config.file import lines, read_configurations
from study.config.stored import load_stored
from study.config.study import Repeats
from study.config.yaml_tree import with_fractions
from study.files import added, stop
from study.files.containment import check_contained
from study.files.lock import is_running
from study.outlook import outlook, replay_on
from study.search.budget import no_more_trials
from study.search.foreknown import Foreknown, known_before
from trainables.config import ConfigError, UserError

Values = Mapping[str, Any]


class AddError(UserError):
    """Configurations that a study cannot run; none of them is added."""


def add(name: str, values: Values, *, like: str | None = None, file: Path | None = None) -> list[str]:
    """Leave configurations for the study's driver, this one's or the next; what there is to say of them, in lines.

    ``values``: those of dimensions, laid over those that ``like``, a trial's number or ``STUDY/NUMBER`` of another
    study, has of what is searched here; a ``file`` lists configurations, each laid over both.
    One that need not run again is left out, as the sampler's repeats are. Raises ``AddError`` with all that is wrong.
    """
    paths = study_paths(name)
    if not paths.study_file.exists():
        raise StudyNotFoundError.beside(paths)
    config = load_stored(paths)
    space, basis = config.search_space(), with_fractions(values)
    if space.points:
        raise AddError(f"{name} runs the configurations that it lists, and no others; add to a study that searches")
    theirs = {} if like is None else _values_of(name, like)
    asked = _from_file(space, theirs, basis, file) if file else [_one(space, theirs, basis)]
    check_contained(paths.root)
    waits = [dict(each.values) for each in added.waiting(paths)]
    tried = [_tried(paths, config.repeats, params, waits + asked[:place]) for place, params in enumerate(asked)]
    new = [params for params, known in zip(asked, tried, strict=True) if known is None]
    if not new:
        return list(filter(None, tried))
    beyond = _beyond(config, space, new)
    added.leave(paths, new)
    return [*filter(None, tried), *_outlook(paths, config.budget, len(new)), *beyond]


def _beyond(config: StudyConfig, space: SearchSpace, new: Sequence[Values]) -> list[str]:
    """Which of ``new`` are known to stand on no frontier: somebody asked for them, so they are trained all the same."""
    if not (bounds := known_before(config.constraints)):
        return []
    foreknown = Foreknown(bounds, total_on(space))
    found = [(params, foreknown.violation(space.config(params))) for params in new]
    return [f"will stand on no frontier, for {why}: {_words(params)}" for params, why in found if why]


def _values_of(name: str, like: str) -> dict[str, Any]:
    """Of the trial's dimensions, and its trainable; what was excluded of another study is no example."""
    paths, trial = find_trial(like if "/" in like else f"{name}/{like}")
    if paths.name != name:
        check_counts(paths, trial)
    return searched_of(trial)


def _params(space: SearchSpace, theirs: Values, values: Values) -> dict[str, Any]:
    """``values`` over what another trial has of the dimensions that are searched; raises as ``given`` does."""
    trainable = values.get(TRAINABLE, theirs.get(TRAINABLE))
    if trainable is None:
        return given(space, values)
    named = {name.removeprefix(f"{trainable}."): value for name, value in values.items()}
    searched = dimensions(space, str(trainable), {**theirs, **named})
    kept = {name: theirs[name] for name in searched & theirs.keys() - named.keys()}
    return given(space, {TRAINABLE: trainable} | kept | dict(values))


def _one(space: SearchSpace, theirs: Values, values: Values) -> dict[str, Any]:
    try:
        return _params(space, theirs, values)
    except ConfigError as error:
        raise AddError(f"nothing was added: {error}") from error


def _from_file(space: SearchSpace, theirs: Values, basis: Values, file: Path) -> list[dict[str, Any]]:
    tree, found, faults = read_configurations(file), [], list[Fault]()
    for place, values in enumerate(tree.values):
        try:
            found.append(_params(space, theirs, {**basis, **values}))
        except SpaceError as error:
            faults += [fault.under(place) for fault in error.faults]
        except ConfigError as error:
            faults.append(Fault((place,), str(error)))
    if faults:
        raise AddError(f"{lines(tree, faults)}\nnothing was added")
    return found


def _tried(paths: StudyPaths, repeats: Repeats, params: Values, waits: Sequence[Values]) -> str | None:
    """Which trial that counts has run with ``params``, or runs, if they need not run again; whether they are among
    ``waits``."""
    if repeats == "redraw" and params in waits:
        return f"not added, for it waits already: {_words(params)}"
    same = (trial for trial in paths.each_trial() if read_json(trial.config).get("params") == params)
    for trial in same:
        if exclusion_of(trial):
            continue
        if (ended := ending(trial)) is None and repeats == "redraw":
            return f"not added, for {paths.trial_id(trial.number)} has begun it: {_words(params)}"
        status, stopped_early = (ended or {}).get("status"), trial.stop.exists()
        if (status == TrialStatus.FINISHED and repeats == "redraw") or (
            status == TrialStatus.STOPPED and stopped_early
        ):
            return f"not added, for {paths.trial_id(trial.number)} has tried it: {_words(params)}"
    return None


def _words(params: Values) -> str:
    return ", ".join(f"{name} {labels.param(name, labels.choice(value))}" for name, value in params.items())


def _outlook(paths: StudyPaths, budget: Budget, new: int) -> Iterator[str]:
    """When they run, and what keeps them from it."""
    name, all_waiting = paths.name, len(added.waiting(paths))
    taken = is_running(paths) and stop.asked(paths) is None
    when = "next" if taken else f"first when the study goes on: study resume {name}"
    yield f"{labels.counted(new, 'configuration')} added to {name}, to run {when}"
    study = read_study(paths)
    found, replay = outlook(study, paths, time.time()), is_replay(study.manifest)
    spent = found.spent
    lacking = 0 if budget.trials is None else spent.trials + all_waiting - budget.trials
    if lacking > 0:
        total = f"{replay_on(name)} --trials {spent.trials + all_waiting}"
        yield (
            f"the budget lacks {labels.counted(lacking, 'trial')} for what waits: {spent.trials} of {budget.trials} "
            f"were begun; give it more with: {total if replay else f'study extend {name} --trials {lacking}'}"
        )
    elif spent_up := no_more_trials(budget, spent):
        more = f"{replay_on(name)} --gpu-hours TOTAL" if replay else f"study extend {name} --gpu-hours HOURS"
        yield f"{spent_up}, so what waits needs more: {more}"
    elif found.levelled:
        more = (
            "a replay of another name without least_gain" if replay else f"study extend {name} --trials {all_waiting}"
        )
        yield f"{found.levelled}, so the search has ended; what waits needs: {more}"
