"""Commands that run studies: demo, launch, resume, extend."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from analysis.layout import studies_folder, study_paths
from study.commands.app import command
from study.commands.driving import drive, option, where
from study.commands.options import (
    Address,
    AnyBackend,
    Backend,
    Curves,
    Name,
    Offline,
    Set,
    Studies,
    Supervise,
    TrackingUri,
)
from study.commands.show import paths_of, print_front, print_outcome, print_report, print_rich, unread
from trainables.config import UserError

if TYPE_CHECKING:
    from study.rehearsal import Rehearsed

MOST = 1e9
"""Minutes or hours that anybody asks for; not infinity."""


@command("Example: study demo --name first-look")
def demo(
    name: Annotated[str | None, typer.Option(help="Name of the study; demo, demo-2, ... if not given.")] = None,
    backend: Backend = "ray",
    assignments: Set = [],  # noqa: B006  typer copies it
    supervise: Supervise = True,  # noqa: ARG001  main acts
    studies: Studies = None,  # noqa: ARG001  its callback acts
) -> None:
    """Run and confirm a small study of digits, in some six minutes on two CPU cores: no download, no GPU, no server."""
    from study import demo as packaged
    from study.config.file import parse_overrides
    from study.confirming.confirm import confirm as run

    os.environ.setdefault("RAY_worker_niceness", "0")  # somebody waits for it
    overrides = {"name": name or fresh_name("demo"), **parse_overrides(assignments)}
    drive(str(overrides["name"]), "--backend", backend)
    paths = packaged.search(overrides, backend=backend)
    with unread():
        print_front(paths)
        typer.echo("Confirming on the test images, which the search has not seen:")
    request = packaged.confirmation(paths.name)
    drive(request.child, "--backend", backend)
    confirmed = run(request, backend=backend)
    with unread():
        print_front(confirmed)
        for written in (paths, confirmed):
            print_report(written)
        typer.echo(
            "Curves and all trials in MLflow: .venv/bin/study ui   (or `study ui` after `source .venv/bin/activate`)"
        )


@command("Example: study launch study.yaml --set budget.trials=20 --dry-run")
def launch(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The study file.")],
    assignments: Set = [],  # noqa: B006
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show space, configurations and cost; write nothing.")
    ] = False,
    backend: AnyBackend = "ray",
    address: Address = None,
    curves: Curves = None,
    offline: Offline = False,
    tracking_uri: TrackingUri = None,
    warm_start: Annotated[
        list[str],
        typer.Option("--warm-start", metavar="STUDY", help="Learn from this study's trials too; may be repeated."),
    ] = [],  # noqa: B006
    supervise: Supervise = True,  # noqa: ARG001
    studies: Studies = None,  # noqa: ARG001
) -> None:
    """Run the study of a file to the end of its budget."""
    from study.config import StudyConfig
    from study.config.file import parse_overrides
    from study.preflight import misfits

    overrides: dict[str, Any] = parse_overrides(assignments)
    if offline:
        overrides["tracking.offline"] = True
    if tracking_uri is not None:
        overrides["tracking.uri"] = tracking_uri
    config = StudyConfig.load(file, overrides, misfits=misfits).with_warm_start(warm_start)
    if dry_run:
        from study.dry_run import plan
        from study.preflight import check_free

        with _located(file, overrides):
            told = plan(config, here=address is None)
        print_rich(told)
        try:
            check_free(paths_of(config.name))
        except UserError as error:
            typer.echo(f"warning: a launch would be refused: {error}")
        return
    from study.launch import launch as run

    uri = None if config.tracking.offline else config.tracking.uri
    drive(config.name, *where(backend, address, uri), *option("--curves", curves))
    with _located(file, overrides):
        paths = run(config, backend=backend, address=address, curves=curves)
    print_outcome(paths)


@command("Example: study resume demo --trials 40 --dry-run")
def resume(
    name: Name,
    trials: Annotated[int | None, typer.Option(min=1, help="New total of trials, those done included.")] = None,
    wall_minutes: Annotated[float | None, typer.Option(min=0.01, max=MOST, help="New total of minutes.")] = None,
    gpu_hours: Annotated[float | None, typer.Option(min=0.01, max=MOST, help="New total of GPU-hours.")] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would go on, what is left, what has changed; write nothing.")
    ] = False,
    backend: AnyBackend = "ray",
    address: Address = None,
    curves: Curves = None,
    tracking_uri: TrackingUri = None,
    supervise: Supervise = True,  # noqa: ARG001
    restarted: Annotated[bool, typer.Option("--restarted", hidden=True)] = False,
    studies: Studies = None,  # noqa: ARG001
) -> None:
    """Go on with a study where it stopped, or further than it was meant to go."""
    if dry_run:
        from study.rehearsal import resumption

        more: dict[str, Any] = {"trials": trials, "wall_minutes": wall_minutes, "gpu_hours": gpu_hours}
        _show(resumption(paths_of(name).name, **more, backend=backend), here=address is None)
        return
    from study.launch import resume as run

    budget = {"--trials": trials, "--wall-minutes": wall_minutes, "--gpu-hours": gpu_hours, "--curves": curves}
    asked = (word for key, value in budget.items() for word in option(key, value))
    drive(paths_of(name).name, *where(backend, address, tracking_uri), *asked)
    paths = run(
        paths_of(name).name,
        trials=trials,
        wall_minutes=wall_minutes,
        gpu_hours=gpu_hours,
        tracking_uri=tracking_uri,
        backend=backend,
        address=address,
        curves=curves,
        restarted=restarted,
    )
    print_outcome(paths)


@command("Example: study extend demo --trials 20 --set space.crops.high=40 --set sampler=gp")
def extend(
    name: Name,
    trials: Annotated[int | None, typer.Option(min=1, help="So many more trials.")] = None,
    wall_minutes: Annotated[float | None, typer.Option(min=0.01, max=MOST, help="So many more minutes.")] = None,
    gpu_hours: Annotated[float | None, typer.Option(min=0.01, max=MOST, help="So many more GPU-hours.")] = None,
    assignments: Set = [],  # noqa: B006
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Show what would change, which trials it leaves out, the cost; write nothing."),
    ] = False,
    backend: Backend = "ray",
    address: Address = None,
    tracking_uri: TrackingUri = None,
    supervise: Supervise = True,  # noqa: ARG001
    studies: Studies = None,  # noqa: ARG001
) -> None:
    """Give a study more budget, or change its space, sampler, scheduler, constraints or resources; its trials stay."""
    from study.config.file import parse_overrides
    from study.extend import extend as run
    from study.extend import rehearse

    name, changes = paths_of(name).name, parse_overrides(assignments)
    more: dict[str, Any] = {"trials": trials, "wall_minutes": wall_minutes, "gpu_hours": gpu_hours}
    if dry_run:
        _show(rehearse(name, **more, changes=changes), here=address is None)
        return
    paths = run(
        name,
        **more,
        changes=changes,
        tracking_uri=tracking_uri,
        backend=backend,
        address=address,
        extended=lambda: drive(name, *where(backend, address, tracking_uri)),
    )
    print_outcome(paths)


@contextmanager
def _located(file: Path, overrides: Mapping[str, Any]) -> Iterator[None]:
    """A mistake that comes to light within, when data and machine are known, is told with its place in the file."""
    from study.config.revealed import located

    try:
        yield
    except UserError as error:
        raise UserError(located(file, overrides, str(error))) from error


def _show(rehearsed: Rehearsed, *, here: bool) -> None:
    """``here``: as ``plan`` has it."""
    from study.dry_run import plan
    from study.files.lock import check_idle

    for line in rehearsed.lines:
        typer.echo(line)
    print_rich(plan(rehearsed.config, here=here, begun=rehearsed.begun, learned=rehearsed.learned))
    try:
        check_idle(study_paths(rehearsed.config.name))
    except UserError as error:
        typer.echo(f"warning: it would be refused: {error}")


def fresh_name(stem: str) -> str:
    taken = {path.name for path in studies_folder().glob(f"{stem}*")}
    numbered = (f"{stem}-{number}" for number in range(2, len(taken) + 3))
    return next(name for name in (stem, *numbered) if not {name, f"{name}-confirmed"} & taken)
