"""What is checked before a study writes anything: a mistake costs its user one line, not a night."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from analysis.frontier.levelling import EARLIEST
from analysis.layout import StudyPaths
from search_spaces import ranges
from search_spaces.ends import differently_built
from search_spaces.space import Part, SearchSpace
from search_spaces.work import Total
from study.config import Resources, StudyConfig
from study.config.shares import of_trainable
from study.files.lock import is_running
from study.resources.allotment import Allotment, Share, allotment
from study.resources.needs import gpus_per_trial, processes_per_trial
from study.search.foreknown import Foreknown
from trainables.atomic import unfinished
from trainables.config import ConfigError, UserError
from trainables.cost import batches_per_epoch
from trainables.data import Splits, in_blank
from trainables.descent import check_world
from trainables.evaluation.shortfalls import shortfalls
from trainables.parallel import World
from trainables.trial import load_all, unfit


class NameTakenError(UserError):
    """A study of this name exists."""


def check_name(paths: StudyPaths) -> None:
    if is_running(paths):
        raise NameTakenError(
            f"study {paths.name} is running in {paths.root.parent}; `study status {paths.name}` shows how far it is; "
            "choose another name"
        )
    check_free(paths)


def check_free(paths: StudyPaths) -> None:
    """What a launch left that was killed before there was a study is in nobody's way."""
    if paths.study_file.exists() or any(paths.each_trial()):
        raise NameTakenError(
            f"a study called {paths.name} exists in {paths.root.parent}; "
            f"continue it with `study resume {paths.name}` or choose another name"
        )
    if paths.root.exists() and not (paths.root.is_dir() and _leavings(paths).issuperset(paths.root.iterdir())):
        raise NameTakenError(f"{paths.root} is there and holds no study; move it away or choose another name")


def _leavings(paths: StudyPaths) -> set[Path]:
    """What a launch writes before the study file."""
    return {
        *(paths.manifest, paths.probe, paths.warm_start, paths.start, paths.networks),
        *(paths.lock, paths.supervisor_lock, paths.trials),
        *unfinished(paths.root),
    }


def idle(config: StudyConfig, learned: int) -> list[str]:
    """What the budget never lets begin, though ``learned`` trials of other studies are known; a line each."""
    return [*_idle_halving(config, learned), *_idle_least_gain(config)]


def _idle_halving(config: StudyConfig, learned: int) -> list[str]:
    trials, needed = config.budget.trials, config.scheduler.finished - learned
    if config.scheduler.name != "halving" or trials is None or trials > needed:
        return []
    return [
        f"warning: halving ends nobody before {needed} trials have finished, and the budget holds {trials}; set "
        "scheduler.finished lower, or let scheduler.name be asha or none"
    ]


def _idle_least_gain(config: StudyConfig) -> list[str]:
    budget = config.budget
    if budget.least_gain is None or budget.trials is None or budget.trials > EARLIEST:
        return []
    return [f"warning: least_gain ends no search before {EARLIEST} trials, and the budget holds {budget.trials}"]


def check_bounds(config: StudyConfig, space: SearchSpace, total: Total | None) -> None:
    """Raises ``ConfigError`` where no configuration is found that keeps the bounds that are known before training."""
    if total is not None and (foreknown := Foreknown.of(config.constraints, total)):
        foreknown.within(space, config.seed)


def check_data(space: SearchSpace, *, progress: bool, warn: Callable[[str], None] = lambda _: None) -> str:
    """Load every data set that the space uses; their descriptions. Raises ``DataError``.

    ``warn`` hears once of each number of images that is asked for and not there, and of batches that only some trials
    draw and that are too large for all images.

    What no trial could do with them raises ``ConfigError``, a line each: network, heads, attacks or coreset that do not
    fit, or batches of which none is small enough.
    """
    described: list[str] = []
    lacking: list[str] = []
    wrong: list[str] = []
    for part in space.parts:
        splits, measured_on = load_all(part.base, progress=progress)
        wrong += _unfit(part, splits, measured_on)
        refused, lacked = _refused_batches(part, len(splits.train))
        wrong += refused
        lacking += [*lacked, *shortfalls(part.base.evaluation, measured_on)]
        described += [splits.description, measured_on.description]
    if wrong:
        raise ConfigError("\n".join(dict.fromkeys(wrong)))
    for line in dict.fromkeys(lacking):
        warn(line)
    return "; ".join(dict.fromkeys(described))


def misfits(space: SearchSpace) -> list[str]:
    """What no trial of ``space`` could do with its data, a line each; downloads none."""
    try:
        with in_blank():
            check_data(space, progress=False)
    except UserError as error:
        return str(error).splitlines()
    return []


def _unfit(part: Part, splits: Splits, measured_on: Splits) -> list[str]:
    return [words for config in differently_built(part) for words in unfit(config, splits, measured_on)]


def _refused_batches(part: Part, images: int) -> tuple[list[str], list[str]]:
    """What is wrong with a batch size whose every end leaves no batch; warnings of the ends that do where others do
    not."""
    searched = dict(part.searched)
    ends = ranges.ends(searched["batch_size"]) if "batch_size" in searched else ()
    points = [{"batch_size": size} for size in ends] or [{}]
    refused: list[str] = []
    for point in points:
        try:
            batches_per_epoch(part.config({**part.lowest, **point}), images)
        except ConfigError as error:
            refused.append(str(error))
    if len(refused) == len(points):
        return refused[:1], []
    return [], [f"warning: {words}; a trial that draws it fails" for words in refused]


def allot(
    config: StudyConfig,
    space: SearchSpace,
    available: Mapping[str, float],
    measured: Mapping[str, tuple[float, str]],
    *,
    side_by_side: bool,
) -> Allotment:
    """What each trial gets of the ``available`` cores and GPUs; ``ResourceError`` if there are too few.

    ``measured``: GPUs and why, of the trainables on ``auto``.
    """
    asked = config.resources
    for part in space.parts:
        if part.base.device.startswith("cuda") and not available.get("GPU"):
            raise ConfigError(f"device is {part.base.device!r} but no GPU is visible; set it to auto or cpu")
    shares = {part.trainable: _share(asked, part, available, measured.get(part.trainable)) for part in space.parts}
    for part in space.parts:
        _check_processes(part, shares[part.trainable])
    at_most = asked.max_concurrent if side_by_side else 1
    return allotment(shares, available.get("CPU", 0.0), available.get("GPU", 0.0), at_most)


def _share(asked: Resources, part: Part, available: Mapping[str, float], measured: tuple[float, str] | None) -> Share:
    cpus = of_trainable(asked.cpus_per_trial, part.trainable, 1.0)
    wanted = of_trainable(asked.gpus_per_trial, part.trainable, None)
    gpus, why = measured or gpus_per_trial(wanted, available, part.base.device)
    processes = processes_per_trial(asked.processes_per_trial, gpus)
    return Share(cpus=float(cpus), gpus=gpus, why=why, processes=processes)


def _check_processes(part: Part, share: Share) -> None:
    """``ConfigError`` where a trial's processes could not divide its batch; a searched one costs who draws it."""
    if not {"batch_size", "micro_batches"} & set(dict(part.searched)):
        check_world(part.config(part.lowest), World(size=share.processes))
