"""What a study begins with: recipes, and of what other studies found the trials that it names.

Of such a trial only that is taken which both studies search; what its study held is its own, and what it did not search
the sampler draws. The values are written beside the study that asked: later drivers need no other study.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from analysis import labels
from analysis.frontier.absent import why_no_frontier
from analysis.frontier.choice import configurations
from analysis.frontier.measured import searches
from analysis.layout import StudyPaths, write_json
from analysis.reading.runs import read_study
from analysis.reading.written import check_counts, searched_of, written
from search_spaces.given import exact, named, shared
from search_spaces.space import TRAINABLE, SearchSpace
from study.config import StudyConfig
from study.config.start import start_params
from study.config.warm_start_source import is_study, public, split_trial
from study.search.warm_start import study_folder
from trainables.config import ConfigError, UserError


class StartError(UserError):
    """What a study was to begin with and cannot."""


@dataclass(frozen=True, kw_only=True)
class Start:
    """A trial of another study, by its id there and where it was named; ``values`` of its dimensions."""

    trial: str
    source: str
    values: Mapping[str, Any]


@dataclass(frozen=True)
class Starts:
    """What was found, and which trials of a frontier lie outside the study, with why."""

    found: tuple[Start, ...] = ()
    outside: tuple[tuple[str, str], ...] = ()

    def lines(self, space: SearchSpace) -> Iterator[str]:
        """For the console, a line a trial."""
        for start in self.found:
            params = trial_params(space, start.values)
            words = ", ".join(f"{name} {labels.param(name, labels.choice(value))}" for name, value in params.items())
            trainable = str(start.values[TRAINABLE])
            drawn = sorted(set(space.active(trainable, params)) - params.keys())
            rest = f"; the sampler draws {', '.join(drawn)}" if drawn else ""
            yield f"begins with {start.trial}: {words}{rest}"
        for trial, reason in self.outside:
            yield f"does not begin with {trial}: {reason}"


def gather(config: StudyConfig, space: SearchSpace) -> Starts:
    """The trials of other studies that ``config.start_from`` names.

    Raises ``UserError`` for a source that cannot be read, ``StartError`` for a trial that is named and lies outside
    ``space``, and for a frontier of which every trial does.
    """
    found: dict[str, Start] = {}
    outside: list[tuple[str, str]] = []
    for name in filter(is_study, config.start_from):
        starts, beyond = _of_source(name, space)
        for start in starts:
            if found.setdefault(start.trial, start).values != start.values:
                raise StartError(f"start_from: two studies have a trial {start.trial}; rename one of them")
        outside += beyond
    return Starts(tuple(found.values()), tuple(outside))


def record(paths: StudyPaths, starts: Starts) -> None:
    """Write them into the study's folder, where the search reads them."""
    told = [{"trial": one.trial, "source": one.source, "values": dict(one.values)} for one in starts.found]
    write_json(paths.start, {"trials": told})


def points(paths: StudyPaths, name: str, space: SearchSpace) -> dict[str, dict[str, Any]]:
    """At which parameters the study in ``paths`` begins for ``name``, one of its ``start_from``, by their origin.

    Raises ``ConfigError`` for what lies outside ``space``.
    """
    if not is_study(name):
        return {name: start_params(space, name)}
    return {one.trial: trial_params(space, one.values) for one in _recorded(paths) if one.source == public(name)}


def point(paths: StudyPaths, origin: str, space: SearchSpace) -> dict[str, Any]:
    """That of one recipe or trial; raises as ``points`` does."""
    for one in _recorded(paths):
        if one.trial == origin:
            return trial_params(space, one.values)
    return start_params(space, origin)


def trial_params(space: SearchSpace, values: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters of what ``space`` searches, too, of a trial with these ``values``; raises as ``shared`` does."""
    return exact(space, named(space, shared(space, values)))


def _of_source(name: str, space: SearchSpace) -> tuple[list[Start], list[tuple[str, str]]]:
    source, number = split_trial(name)
    found, outside = [], []
    with study_folder(source) as paths:
        for each in [number] if number is not None else _best(paths):
            trial, known = f"{paths.name}/{labels.trial_number(each)}", paths.trial(each)
            if not known.config.exists():
                raise StartError(f"start_from: there is no trial {public(name)}; `study status` lists a study's trials")
            check_counts(paths, known)
            start = Start(trial=trial, source=public(name), values=searched_of(known))
            try:
                trial_params(space, start.values)
                found.append(start)
            except ConfigError as error:
                outside.append((trial, str(error)))
    if not found:
        told = "; ".join(f"{trial} lies outside the study: {reason}" for trial, reason in outside)
        raise StartError(f"start_from: {told}; widen the ranges, or leave {public(name)} out")
    return found, outside


def _best(paths: StudyPaths) -> list[int]:
    """Numbers of the trials on its frontier, each configuration once."""
    study = read_study(paths)
    if not searches(study):
        raise StartError(f"start_from: {paths.name} measures or trains again what another study found; name that one")
    best = configurations(study)
    if best.empty:
        raise StartError(f"start_from: {paths.name}: {why_no_frontier(study)}")
    return list(map(int, best["number"]))


def _recorded(paths: StudyPaths) -> list[Start]:
    return [Start(**one) for one in written(paths.start)["trials"]] if paths.start.exists() else []
