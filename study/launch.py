"""Launch a study, or resume it: check, write what it is, run it, report."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

from rich.console import Console

from analysis import labels
from analysis.layout import StudyPaths, read_json, study_paths, write_atomically, write_json
from analysis.pages import redact
from analysis.reading.download import StudyNotFoundError
from analysis.reading.manifest import REPLAYED, is_replay
from analysis.reading.written import written
from analysis.searched.changes import now_and_before
from search_spaces.space import SearchSpace
from search_spaces.work import Total, total_on
from study.config import Budget, StudyConfig
from study.config.listed import Listed
from study.config.stored import load_stored
from study.config.warm_start_source import public
from study.early_stopping.scheduler import Scheduler
from study.execution.executor import Backend, Executor, executor
from study.execution.progress import Progress
from study.execution.replay import Replay
from study.execution.session import SIGNALLED, Session
from study.files import covered, stop
from study.files.disk import full_disk, writing
from study.files.lock import sole_driver
from study.files.storage import Storage
from study.manifest import describe, described
from study.outlook import replay_on
from study.packages import changed, recorded, versions
from study.preflight import (
    allot,
    check_bounds,
    check_data,
    check_free,
    check_name,
    idle,
)
from study.report import write_report
from study.resources.allotment import Allotment
from study.resources.probe import on_auto, shares
from study.say import say, terminal
from study.search import extension, networks, start, warm_start
from study.search.foreknown import known_before
from study.search.searcher import Search
from study.supervise import INTERRUPTED
from study.tracking.tracker import Tracker, check_tracking
from trainables.config import UserError
from trainables.metrics import FORWARD_EQUIVALENTS

Run = Callable[[Session], None]


class StudyPausedError(UserError):
    """The machine must be mended before the study can go on."""


def launch(
    config: StudyConfig,
    *,
    backend: Backend = "ray",
    address: str | None = None,
    curves: Path | None = None,
    console: Console | None = None,
) -> StudyPaths:
    """Run a new study to the end of its budget.

    ``address``: ``auto`` or HOST:PORT of a Ray cluster that shares the studies' folder; ``None``: this machine.
    ``curves``: the recorded trials that the replay backend takes in the place of training.
    Raises ``UserError`` for what the user can mend, before anything is written; ``SystemExit(130)`` when a signal
    ended the study, which can then be resumed.
    """
    console = console or terminal(stderr=True)
    paths, space = study_paths(config.name), config.search_space()
    check_name(paths)
    if not config.tracking.offline:
        check_tracking(paths, config.tracking.uri)
    config.check()
    replay = _replay(backend, curves)
    data = replay.check(space, config.objectives) if replay else _check_data(space, console)
    total = total_where_asked(config, space, replay)
    check_bounds(config, space, total)
    learned = warm_start.gather(config, space, data)
    begins = start.gather(config, space)
    for line in (*learned.lines(), *begins.lines(space), *idle(config, learned.reported)):
        say(console, line)
    with executor(backend, address, replay) as running, _new_folder(paths):
        allotment = _allot(paths, config, space, running, console)
        write_json(paths.manifest, describe(paths, config, space, allotment, data) | _replayed(replay))
        if config.warm_start:
            warm_start.record(paths, learned)
        if begins.found:
            start.record(paths, begins)
        networks.gather(paths, config)
        _write_study_file(paths, config)  # last: with it there is a study that can be resumed
        _drive(paths, config, space, allotment, running.run, console, total)
    return paths


def resume(
    name: str,
    *,
    trials: int | None = None,
    wall_minutes: float | None = None,
    gpu_hours: float | None = None,
    listed: Listed[Any] | None = None,
    tracking_uri: str | None = None,
    backend: Backend = "ray",
    address: str | None = None,
    curves: Path | None = None,
    restarted: bool = False,
    console: Console | None = None,
) -> StudyPaths:
    """Go on with a study: first the trials that have not ended, then new ones. Finished trials are left alone.

    ``trials``, ``wall_minutes`` and ``gpu_hours`` replace the study's whole budget of that kind, what is spent
    included; ``listed`` replaces the list of a study that has one, by the same with more seeds or trials.
    ``tracking_uri`` replaces the address of MLflow for this run; the study's own is kept without
    credentials, which belong in the environment or here. An MLflow that does not answer is waited for beside the
    study. ``restarted``: after a driver that died, so that a request to stop made of that one is heeded, and a
    cluster that is away is waited for. Raises as ``launch`` does.
    """
    console = console or terminal(stderr=True)
    paths = study_paths(name)
    if not paths.study_file.exists():
        raise StudyNotFoundError.beside(paths)
    elsewhere = {} if tracking_uri is None else {"tracking.uri": tracking_uri, "tracking.offline": False}
    asked = {"trials": trials, "wall_minutes": wall_minutes, "gpu_hours": gpu_hours}
    with sole_driver(paths):
        if not restarted:
            stop.forget(paths)  # at once: what is asked from here on is asked of this driver
        if paths.extension.exists():
            extension.complete(paths)
        if listed is None:
            check_total(paths, trials)
        stored = load_stored(paths, elsewhere)
        config = with_budget(stored, asked)
        if config.budget != stored.budget:
            say(console, now_and_before("budget", _words(config.budget), _words(stored.budget)))
        if listed is not None:
            config = config.model_copy(update={config.kind: listed})
        _go_on(paths, config, backend, address, curves, console, restarted=restarted)
    return paths


def _go_on(
    paths: StudyPaths,
    config: StudyConfig,
    backend: Backend,
    address: str | None,
    curves: Path | None,
    console: Console,
    *,
    restarted: bool,
) -> None:
    space = config.search_space()
    for line in changed(read_json(paths.manifest), used(space)):
        say(console, line)
    replay = _replay(backend, curves)
    check_kind(paths, replays=replay is not None)
    if replay:
        replay.check(space, config.objectives)
    else:
        _check_data(space, console)
    with executor(backend, address, replay, patient=restarted) as running:
        allotment = _allot(paths, config, space, running, console)
        networks.gather(paths, config)
        _drive(paths, config, space, allotment, running.run, console, total_where_asked(config, space, replay))


def _check_data(space: SearchSpace, console: Console) -> str:
    return check_data(space, progress=console.is_terminal, warn=lambda line: say(console, line))


def _replay(backend: Backend, curves: Path | None) -> Replay | None:
    """What stands in for training; ``UserError`` where the backend and ``curves`` do not go together."""
    if (backend == "replay") != (curves is not None):
        raise UserError("--backend replay and --curves FILE go together: `study record` writes the file")
    return None if curves is None else Replay(curves)


def _replayed(replay: Replay | None) -> dict[str, str]:
    return {REPLAYED: str(replay.file)} if replay else {}


def check_kind(paths: StudyPaths, *, replays: bool) -> None:
    """Replayed figures and measured ones never stand in one study; raises ``UserError`` where they would."""
    replayed = is_replay(read_json(paths.manifest))
    if replayed and not replays:
        raise UserError(f"study {paths.name} replays recorded trials; resume it with: {replay_on(paths.name)}")
    if replays and not replayed:
        raise UserError(f"study {paths.name} trains its trials; resume it with --backend ray or inline")


def check_total(paths: StudyPaths, trials: int | None) -> None:
    """Raises ``UserError`` where fewer ``trials`` are asked for than were begun."""
    begun = sum(1 for _ in paths.each_trial())
    if trials is not None and trials < begun:
        raise UserError(
            f"{begun} trials were begun already and --trials {trials} is the new total; give at least {begun}, or add "
            f"to the study with `study extend {paths.name} --trials N`"
        )


def _allot(
    paths: StudyPaths, config: StudyConfig, space: SearchSpace, executor: Executor, console: Console
) -> Allotment:
    with console.status("measuring memory and speed") if on_auto(config, space) else nullcontext():
        measured = shares(paths, config, space, executor.available, executor.side_by_side)
    return allot(config, space, executor.available, measured, side_by_side=executor.side_by_side is not None)


@contextmanager
def _new_folder(paths: StudyPaths) -> Iterator[None]:
    """The study's folder, this driver's alone, taken away again if it ends before any trial has begun."""
    with writing(paths.root, f"make {paths.root.parent} writable, or set $ROBUST_SSL_STUDIES to another folder"):
        paths.root.mkdir(parents=True, exist_ok=True)
    with sole_driver(paths):
        check_free(paths)  # again: now nobody else can begin one here
        try:
            yield
        except (SystemExit, StudyPausedError):
            raise  # to be resumed
        except BaseException:
            if not any(paths.each_trial()):
                shutil.rmtree(paths.root, ignore_errors=True)
            raise


def _drive(
    paths: StudyPaths,
    config: StudyConfig,
    space: SearchSpace,
    allotment: Allotment,
    run: Run,
    console: Console,
    total: Total | None,
) -> None:
    storage = Storage(config.storage, paths.name) if config.storage else None
    if storage:
        storage.fetch_all(paths)
    search = Search.open(paths, config, space, total)
    try:
        _record(paths, config, space, allotment)  # not before it is sure that the search goes on
        scheduler = _scheduler(paths, config, total)
        tracker = Tracker.open(paths, uri=config.tracking.uri, offline=config.tracking.offline)
    except BaseException:
        search.close()
        raise
    with Progress(console, config) as progress:
        session = Session(
            paths=paths,
            config=config,
            allotment=allotment,
            search=search,
            tracker=tracker,
            progress=progress,
            console=console,
            scheduler=scheduler,
            storage=storage,
        )
        _run(session, run)
    _finish(session)


def total_where_asked(config: StudyConfig, space: SearchSpace, replay: Replay | None) -> Total | None:
    """The work of a configuration, where the study needs to know it beforehand."""
    priced = config.budget.gpu_hours is not None and on_auto(config, space)
    if config.scheduler.name == "none" and not known_before(config.constraints) and not priced:
        return None
    return replay.total if replay else total_on(space)


def _scheduler(paths: StudyPaths, config: StudyConfig, total: Total | None) -> Scheduler | None:
    """What ends trials early, as the study's earlier drivers left it."""
    name, rule = config.scheduler.name, config.scheduler.rule
    if name == "none" or total is None:
        return None
    learned = warm_start.accepted(paths)
    return Scheduler.open(paths, name, rule, config.objectives, config.constraints, total, learned)


def _run(session: Session, run: Run) -> None:
    """Run to the end or to an interruption. Whatever happens, what has ended is settled and delivered."""
    try:
        if (reason := session.search.exhausted()) is None:
            session.progress.began(session.search)
            run(session)
            if levelled := session.search.levelled():
                session.say(f"no further trial was begun: {levelled}; {_more(session)}")
        else:
            session.say(f"nothing to do: {reason}; {_more(session)}")
        if why := session.search.covered():
            covered.record(session.paths, why)
    except KeyboardInterrupt:
        session.interrupt()
    except BaseException as error:
        if (full := full_disk(error)) is None:
            session.interrupt("the driver failed")
            session.close()
            _deliver(session)
            raise
        session.no_room(full)
    session.close()


def _more(session: Session) -> str:
    """What lets a study go on whose end has come."""
    if session.search.levelled():
        if is_replay(read_json(session.paths.manifest)):
            return "replay a study of another name without least_gain"
        return f"go on all the same with: study extend {session.paths.name} --trials N"
    if session.search.grid_is_done():
        return f"widen the ranges with: study extend {session.paths.name} --set space..."
    return f"give {'a larger budget' if (listed := session.config.listed) is None else listed.more} to go on"


def _finish(session: Session) -> None:
    how_to_go_on = f"continue with: study resume {session.paths.name}"
    if session.interrupted is None:
        write_report(session.paths, session.say)
        if session.draining():
            session.say(f"stopped as asked; {how_to_go_on}")
        elif hopeless := session.search.hopeless():
            session.say(f"no further trial was begun: {hopeless}")
        if refused := session.search.refusals():
            why = f"known beforehand not to keep a bound of {FORWARD_EQUIVALENTS}"
            session.say(f"{labels.counted(refused, 'draw')} not trained: {why}")
    _deliver(session)
    if session.interrupted == SIGNALLED:
        session.say(f"{session.interrupted}; {how_to_go_on}")
        raise SystemExit(INTERRUPTED)
    if session.interrupted:
        raise StudyPausedError(f"{session.interrupted}; make room, then {how_to_go_on}")


def _deliver(session: Session) -> None:
    session.tracker.notify()
    undelivered = session.tracker.close()
    if not session.tracker.complete and not session.config.tracking.offline:
        what = f"{undelivered} events" if undelivered else "the study's end"
        why = f" ({session.tracker.problem})" if session.tracker.problem else ""
        session.say(f"{what} did not reach MLflow{why}; make up for it with: study sync {session.paths.name}")


def _write_study_file(paths: StudyPaths, config: StudyConfig) -> None:
    """Without the secrets of its addresses: the file is shown, kept and sent around."""
    uri = config.tracking.uri
    tracking = config.tracking.model_copy(update={"uri": uri and redact(uri)})
    sources = [public(source) for source in config.warm_start]
    starts = [public(name) for name in config.start_from]
    kept = config.model_copy(update={"tracking": tracking, "warm_start": sources, "start_from": starts})
    write_atomically(paths.study_file, kept.to_yaml())


def with_budget(config: StudyConfig, asked: Mapping[str, float | None]) -> StudyConfig:
    """The study with those limits in the place of its own that are ``asked`` for."""
    replaced = {kind: limit for kind, limit in asked.items() if limit}
    budget = Budget(**{**config.budget.model_dump(), **replaced})
    return config.model_copy(update={"budget": budget})


def _words(budget: Budget) -> str:
    return labels.budget(budget.model_dump())


def _record(paths: StudyPaths, config: StudyConfig, space: SearchSpace, allotment: Allotment) -> None:
    """What may have changed since the launch: the budget, the list of one that has a list, what this machine offers,
    which versions of packages are installed.

    MLflow's address stays the study's own, whichever this run uses.
    """
    manifest = written(paths.manifest)
    asked = manifest | {"budget": config.budget.model_dump()} | described(config)
    if asked != manifest:
        own = load_stored(paths).tracking
        _write_study_file(paths, config.model_copy(update={"tracking": own}))
    packages = used(space)
    environment = manifest.get("environment", {}) | versions(packages)
    if (now := asked | {"resources": allotment.to_json(), "environment": environment} | packages) != manifest:
        write_json(paths.manifest, now)


def used(space: SearchSpace) -> dict[str, Any]:
    """The packages of the study's methods, as they are now."""
    return recorded(part.base for part in space.parts)
