"""What going on with a study would do, tried on a copy of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from analysis import labels
from analysis.layout import EPOCH, StudyPaths, TrialPaths, ending, read_events, read_json, study_paths
from analysis.reading.download import StudyNotFoundError
from analysis.reading.manifest import read_manifest
from analysis.reading.written import config_of, pretrained_of
from analysis.searched.changes import now_and_before
from study.config import StudyConfig
from study.config.stored import load_stored
from study.execution.executor import Backend
from study.files.added import waiting
from study.files.copy import copied
from study.launch import check_kind, check_total, used, with_budget
from study.manifest import environment
from study.packages import changed
from study.search.budget import left
from study.search.extension import complete
from study.search.searcher import Search
from study.search.warm_start import Gathered, recorded

SHOWN = 10


class Rehearsed(NamedTuple):
    """A study as it would go on, how many trials it has begun, what it learned from others, and what is said of it."""

    config: StudyConfig
    begun: int
    learned: Gathered
    lines: list[str]


def resumption(
    name: str,
    *,
    trials: int | None = None,
    wall_minutes: float | None = None,
    gpu_hours: float | None = None,
    backend: Backend = "ray",
) -> Rehearsed:
    """What ``resume`` would go on with: its budget, the trials that have not ended, what is other than at the launch.

    Raises as ``resume`` does for what it would refuse.
    """
    paths, asked = study_paths(name), {"trials": trials, "wall_minutes": wall_minutes, "gpu_hours": gpu_hours}
    if not paths.study_file.exists():
        raise StudyNotFoundError.beside(paths)
    with copied(paths) as copy:
        complete(copy)
        check_total(copy, trials)
        check_kind(copy, replays=backend == "replay")
        stored = load_stored(copy)
        config = with_budget(stored, asked)
        now, before = (labels.budget(one.budget.model_dump()) for one in (config, stored))
        lines = [now_and_before("budget", now, before)] if now != before else []
        begun = sum(1 for _ in copy.each_trial())
        return Rehearsed(config, begun, recorded(copy), [*lines, *_lines(paths, copy, config)])


def named(trials: Iterable[tuple[str, str]]) -> Iterator[str]:
    """A line each, with what is said of it; of many the last by their names alone."""
    pairs = list(trials)
    for trial, words in pairs[:SHOWN]:
        yield f"  {trial}: {words}"
    if len(pairs) > SHOWN:
        yield f"  and {', '.join(trial for trial, _ in pairs[SHOWN:])}"


def _lines(paths: StudyPaths, copy: StudyPaths, config: StudyConfig) -> Iterator[str]:
    search = Search.open(copy, config, config.search_space())
    try:
        exhausted, unfinished = search.exhausted(), search.unfinished()
        rest = left(config.budget, search.spent(), search.wall_minutes())
    finally:
        search.close()
    yield f"nothing to do: {exhausted}" if exhausted else f"left of the budget: {rest}"
    if unfinished:
        yield f"{labels.counted(len(unfinished), 'trial')} taken up again:"
        yield from named((labels.trial_number(number), _stands(copy.trial(number))) for number in unfinished)
    if given_up := [trial for trial in copy.each_trial() if _is_given_up(paths, trial)]:
        yield f"{labels.counted(len(given_up), 'trial')} given up:"
        reasons = (str((ending(trial) or {}).get("reason")) for trial in given_up)
        yield from named(zip((labels.trial_number(trial.number) for trial in given_up), reasons, strict=True))
    if by_hand := len(waiting(copy)):
        yield f"{labels.counted(by_hand, 'configuration')} added by hand, before any that is drawn"
    yield from _changed(copy, config)


def _stands(trial: TrialPaths) -> str:
    """From where a trial that has not ended goes on."""
    if pretrained_of(trial) is not None:
        return "in its evaluation"
    done = max((int(event["epoch"]) for event in read_events(trial) if event["kind"] == EPOCH), default=0)
    if not done:
        return "from its beginning"
    epochs = config_of(trial).optimiser.epochs
    return f"after epoch {done} of {epochs}" if done < epochs else "in its evaluation"


def _is_given_up(paths: StudyPaths, copied: TrialPaths) -> bool:
    """Whether no attempt may follow, as it turns out when the search is opened."""
    return ending(copied) is not None and ending(paths.trial(copied.number)) is None


def _changed(copy: StudyPaths, config: StudyConfig) -> Iterator[str]:
    """What is other than at the launch: packages, the machine, the code."""
    then = read_manifest(copy).get("environment", {})
    for what, now in environment().items():
        if what in then and then[what] != now:
            yield now_and_before(what, str(now or "none"), str(then[what] or "none"))
    yield from changed(read_json(copy.manifest), used(config.search_space()))
