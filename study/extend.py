"""``study extend``: more trials, more time, another way to search for a study that is there."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from rich.console import Console

from analysis import labels
from analysis.frontier.absent import why_no_frontier
from analysis.frontier.pareto import frontier
from analysis.layout import StudyPaths, read_json, study_paths
from analysis.reading.download import StudyNotFoundError
from analysis.reading.manifest import is_replay
from analysis.reading.runs import Study, read_study
from analysis.searched.changes import Change, in_words, now_and_before
from search_spaces.space import SearchSpace
from study.config import Budget, StudyConfig
from study.config.stored import load_stored
from study.execution.executor import Backend
from study.files.copy import copied
from study.files.lock import sole_driver
from study.launch import resume, total_where_asked
from study.outlook import replay_on
from study.preflight import check_bounds, check_data
from study.rehearsal import Rehearsed, named
from study.say import say, terminal
from study.search.budget import Spent
from study.search.extension import complete, extend_folder
from study.search.rebuild import Outside
from study.search.searcher import Search
from study.search.start import points
from study.search.warm_start import recorded
from trainables.config import ConfigError, UserError

CHANGEABLE = ("space", "sampler", "scheduler", "constraints", "resources")
"""Keys of a study file that may say something else once its study has begun."""


class ExtensionError(UserError):
    """A study that cannot be extended as asked."""


def extend(
    name: str,
    *,
    trials: int | None = None,
    wall_minutes: float | None = None,
    gpu_hours: float | None = None,
    changes: Mapping[str, Any] | None = None,
    tracking_uri: str | None = None,
    backend: Backend = "ray",
    address: str | None = None,
    console: Console | None = None,
    extended: Callable[[], None] = lambda: None,
) -> StudyPaths:
    """Add to a study's budget, make ``changes`` to how it searches (``{"space.crops.high": 40, "sampler": "gp"}``), and
    go on with it.

    What the study has tried stays its own: trials outside the new ranges keep folder, number and place on the
    frontier, and no longer steer the sampler; one that misses a new bound stands on no frontier, and one that was ended
    early stays so. The manifest records what was changed and from which trial on. ``extended`` is called in between:
    from there on ``resume`` is all that is left to do. Raises ``ExtensionError`` for what may not change, and as
    ``resume`` does.
    """
    console = console or terminal(stderr=True)
    paths, more = study_paths(name), {"trials": trials, "wall_minutes": wall_minutes, "gpu_hours": gpu_hours}
    _check_asked(paths, more, changes or {})
    with sole_driver(paths):
        complete(paths)
        if tracking_uri is not None:  # an address that is none extends nothing
            load_stored(paths, {"tracking.uri": tracking_uri})
        for line in _extend(paths, more, changes or {}, progress=console.is_terminal):
            say(console, line)
    extended()
    try:
        return resume(name, tracking_uri=tracking_uri, backend=backend, address=address, console=console)
    except UserError:
        say(console, f"{name} is extended all the same; go on with: study resume {name}")
        raise


def rehearse(
    name: str,
    *,
    trials: int | None = None,
    wall_minutes: float | None = None,
    gpu_hours: float | None = None,
    changes: Mapping[str, Any] | None = None,
) -> Rehearsed:
    """What ``extend`` would make of a study, done to a copy of it. Raises as ``extend`` does."""
    paths, more = study_paths(name), {"trials": trials, "wall_minutes": wall_minutes, "gpu_hours": gpu_hours}
    _check_asked(paths, more, changes or {})
    with copied(paths) as copy:
        complete(copy)
        before = load_stored(copy).budget
        lines = _extend(copy, more, changes or {}, progress=False)
        config = load_stored(copy)
        begun, learned = sum(1 for _ in copy.each_trial()), recorded(copy)
    if config.budget != before:
        now, then = (labels.budget(budget.model_dump()) for budget in (config.budget, before))
        lines.insert(0, now_and_before("budget", now, then))
    return Rehearsed(config, begun, learned, lines)


def _extend(
    paths: StudyPaths, more: Mapping[str, float | None], changes: Mapping[str, Any], *, progress: bool
) -> list[str]:
    """Make the study in ``paths`` what is asked, and say what became of it."""
    stored = load_stored(paths)
    _check_trains(paths)
    _check_search(stored, more["trials"], changes)
    config, space = _extended(paths, stored, changes)
    check_data(space, progress=progress)
    check_bounds(config, space, total_where_asked(config, space, None))
    spent, minutes, levelled = _settle(paths, stored)
    config = config.model_copy(update={"budget": _added(stored.budget, more, spent, minutes, ended=bool(levelled))})
    bounded = config.constraints != stored.constraints
    before = read_study(paths) if bounded else None
    outside = extend_folder(paths, config, space)
    moved = _moved(before, read_study(paths)) if before else ()
    freed = [f"{levelled}; it goes on all the same, without least_gain"] if levelled else []
    return [*freed, *_replaced(stored, config), *_lines(outside, spent.trials), *moved]


def _check_asked(paths: StudyPaths, more: Mapping[str, float | None], changes: Mapping[str, Any]) -> None:
    if not changes and not any(more.values()):
        raise ExtensionError("there is nothing to extend by; give --trials, --wall-minutes, --gpu-hours or --set")
    for key in changes:
        if key.partition(".")[0] not in CHANGEABLE:
            raise ExtensionError(
                f"--set {key}: only {', '.join(CHANGEABLE)} may change, sampler or space.crops.high say; "
                "launch another study, with --warm-start to learn from this one"
            )
    if not paths.study_file.exists():
        raise StudyNotFoundError.beside(paths)


def _check_trains(paths: StudyPaths) -> None:
    """A replayed study is no longer than its recording."""
    if is_replay(read_json(paths.manifest)):
        raise ExtensionError(
            f"study {paths.name} replays recorded trials, and only a study that trains can be extended; give it a "
            f"longer budget with: {replay_on(paths.name)} --trials N"
        )


def _check_search(stored: StudyConfig, trials: float | None, changes: Mapping[str, Any]) -> None:
    """Where the trials are listed there is nothing to search, and no more than the list to run."""
    if stored.listed is not None and (trials or changes):
        raise ExtensionError(f"the trials of {stored.name} are given, not searched; give {stored.listed.more} instead")


def _extended(paths: StudyPaths, stored: StudyConfig, changes: Mapping[str, Any]) -> tuple[StudyConfig, SearchSpace]:
    """The study with ``changes``; of what it was to begin with that which lies within its ranges."""
    config = load_stored(paths, {**changes, "start_from": []})
    space = config.search_space()
    starts = [name for name in stored.start_from if _holds(paths, space, name)]
    config = config.model_copy(update={"start_from": starts})
    return config, space


def _holds(paths: StudyPaths, space: SearchSpace, name: str) -> bool:
    try:
        points(paths, name, space)
    except ConfigError:
        return False
    return True


def _settle(paths: StudyPaths, stored: StudyConfig) -> tuple[Spent, float, str | None]:
    """Bring the search up to its trials' folders; what it has spent, in how many minutes, and whether it ended because
    it gained too little."""
    space = stored.search_space()
    search = Search.open(paths, stored, space, total_where_asked(stored, space, None))
    try:
        search.write_down()
        return search.spent(), search.wall_minutes(), search.levelled()
    finally:
        search.close()


def _added(budget: Budget, more: Mapping[str, float | None], spent: Spent, minutes: float, *, ended: bool) -> Budget:
    """``more`` on top of the budget, or of what is spent where the budget sets no limit of that kind, or where the
    study ``ended`` before because it gained too little: that it does not do again."""
    used = {"trials": spent.trials, "wall_minutes": minutes, "gpu_hours": spent.gpu_hours}
    before = budget.model_dump() | ({"least_gain": None} if ended else {})
    added = {kind: ((not ended and before[kind]) or used[kind]) + extra for kind, extra in more.items() if extra}
    return Budget(**{**before, **added})


def _replaced(stored: StudyConfig, config: StudyConfig) -> Iterator[str]:
    """``sampler: gp (before: tpe)``, for each thing that is searched otherwise."""
    before, after = ({"space": one.search_space().to_json(), **one.strategy} for one in (stored, config))
    yield from in_words(Change(None, {part: (old, after[part]) for part, old in before.items() if old != after[part]}))
    if config.resources != stored.resources:
        yield "resources changed: each trial is given them from its next start on"


def _lines(outside: list[Outside], trials: int) -> Iterator[str]:
    stay, withdrawn = ([left for left in outside if left.withdrawn == waited] for waited in (False, True))
    if stay:
        yield f"{len(stay)} of {trials} trials lie outside the new ranges; they stay, but do not steer the search:"
        yield from named((left.trial, left.reason) for left in stay)
    if withdrawn:
        yield f"{labels.counted(len(withdrawn), 'trial')} that waited taken back, outside the new ranges:"
        yield from named((left.trial, left.reason) for left in withdrawn)


def _moved(before: Study, after: Study) -> Iterator[str]:
    """Which trials other bounds take off the frontier, and why; and which they bring there."""
    stood, stands = frontier(before), frontier(after)
    fallen = after.trials[after.trials["number"].isin(set(stood["number"]) - set(stands["number"]))]
    if len(fallen):
        yield f"{labels.counted(len(fallen), 'trial')} no longer on the frontier:"
        reasons = fallen["violation"].replace("", "another beats it that was beyond the bounds")
        yield from named(zip(map(labels.trial_number, fallen["number"]), reasons, strict=True))
    if come := sorted(set(stands["number"]) - set(stood["number"])):
        yield f"on the frontier with these bounds: {labels.listed('trial', list(map(labels.trial_number, come)))}"
    if len(stood) and stands.empty:
        yield why_no_frontier(after)
