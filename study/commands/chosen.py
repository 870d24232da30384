"""Commands that make a study of another's chosen trials: measure, reseed, confirm."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from study.commands.app import command
from study.commands.driving import drive, option, where
from study.commands.options import (
    Address,
    Backend,
    Chance,
    Limit,
    Name,
    Offline,
    Seeds,
    Set,
    Studies,
    Supervise,
    TrackingUri,
    Trials,
)
from study.commands.show import paths_of, print_outcome, print_rich
from trainables.config import UserError

if TYPE_CHECKING:
    from study.confirming.request import Request

_ATTACK = "autoattack|pgd|NAME"
OwnAttack = Annotated[
    str | None,
    typer.Option(metavar=_ATTACK, help="The strongest attack, or a package's own; as the study has it if not given."),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show trainings and cost; write nothing.")]


@command(
    "Example: study measure demo --attack autoattack --set evaluation.attack_epsilons=[4/255,8/255,16/255] --dry-run"
)
def measure(
    name: Name,
    attack: OwnAttack = None,
    trials: Trials = None,
    limit: Limit = None,
    assignments: Set = [],  # noqa: B006
    child: Annotated[
        str | None,
        typer.Option("--name", metavar="CHILD", help="Name of the study of what is measured; NAME-measured."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show networks and cost; write nothing.")] = False,
    backend: Backend = "ray",
    address: Address = None,
    offline: Offline = False,
    tracking_uri: TrackingUri = None,
    supervise: Supervise = True,  # noqa: ARG001
    restarted: Annotated[bool, typer.Option("--restarted", hidden=True)] = False,
    studies: Studies = None,  # noqa: ARG001
) -> None:
    """Measure again what a study has trained, with other attacks, radii, heads or images; more trials are added.

    Under AutoAttack all that may stand on the frontier are measured, round by round, if no trials are chosen.
    """
    from study.measuring.measure import measure as run
    from study.measuring.measure import prepare
    from study.measuring.request import Request

    request = Request(attack=attack, **_asked(name, trials, limit, assignments, child, tracking_uri, offline=offline))
    if dry_run:
        from study.measuring.plan import plan

        print_rich(plan(prepare(request)))
        return
    asked = [word for assignment in assignments for word in ("--set", assignment)]
    again = ["measure", request.study, *option("--attack", attack), *asked, "--name", request.child]
    here = where(backend, address, None if offline else tracking_uri)
    drive(request.child, *here, go_on=again if request.settles else ())  # the rounds are no part of the study
    print_outcome(run(request, backend=backend, address=address, restarted=restarted))


@command("Example: study reseed demo --seeds 3 --limit 4 --dry-run")
def reseed(
    name: Name,
    seeds: Seeds = 3,
    attack: OwnAttack = None,
    trials: Trials = None,
    limit: Limit = None,
    chance: Chance = None,
    assignments: Set = [],  # noqa: B006
    child: Annotated[
        str | None, typer.Option("--name", metavar="CHILD", help="Name of what comes of it; NAME-reseeded.")
    ] = None,
    dry_run: DryRun = False,
    backend: Backend = "ray",
    address: Address = None,
    offline: Offline = False,
    tracking_uri: TrackingUri = None,
    supervise: Supervise = True,  # noqa: ARG001
    studies: Studies = None,  # noqa: ARG001
) -> None:
    """Train a study's best again with new seeds, on the search's own images: to see what was luck before confirming."""
    from study.confirming.request import Reseed

    asked = _asked(name, trials, limit, assignments, child, tracking_uri, offline=offline)
    _train_again(
        Reseed(seeds=seeds, chance=chance, attack=attack, **asked), dry_run=dry_run, backend=backend, address=address
    )


@command("Example: study confirm demo --seeds 3 --limit 3 --dry-run")
def confirm(
    name: Name,
    seeds: Seeds = 3,
    attack: Annotated[
        str, typer.Option(metavar=_ATTACK, help="The strongest attack on the test images, or a package's own.")
    ] = "autoattack",
    trials: Trials = None,
    limit: Limit = None,
    chance: Chance = None,
    assignments: Set = [],  # noqa: B006
    child: Annotated[
        str | None, typer.Option("--name", metavar="CHILD", help="The confirmation's name; NAME-confirmed.")
    ] = None,
    dry_run: DryRun = False,
    backend: Backend = "ray",
    address: Address = None,
    offline: Offline = False,
    tracking_uri: TrackingUri = None,
    supervise: Supervise = True,  # noqa: ARG001
    studies: Studies = None,  # noqa: ARG001
) -> None:
    """Retrain a study's best on all training images with new seeds, and attack them on the test images."""
    from study.confirming.request import Confirm

    asked = _asked(name, trials, limit, assignments, child, tracking_uri, offline=offline)
    _train_again(
        Confirm(seeds=seeds, chance=chance, attack=attack, **asked), dry_run=dry_run, backend=backend, address=address
    )


def _train_again(request: Request, *, dry_run: bool, backend: Backend, address: str | None) -> None:
    from study.confirming.confirm import confirm, prepare
    from study.confirming.plan import plan

    if dry_run:
        print_rich(plan(prepare(request)))
        return
    drive(request.child, *where(backend, address, None if request.offline else request.tracking_uri))
    print_outcome(confirm(request, backend=backend, address=address))


def _asked(
    name: str,
    trials: str | None,
    limit: int | None,
    assignments: list[str],
    child: str | None,
    tracking_uri: str | None,
    *,
    offline: bool,
) -> dict[str, Any]:
    """What all requests have of the options."""
    from study.config.file import parse_overrides

    return {
        "study": paths_of(name).name,
        "trials": _numbers(trials),
        "limit": limit,
        "settings": parse_overrides(assignments),
        "name": child,
        "tracking_uri": tracking_uri,
        "offline": offline,
    }


def _numbers(text: str | None) -> tuple[int, ...]:
    parts = [part.strip() for part in (text or "").split(",") if part.strip()]
    if wrong := [part for part in parts if not part.isdecimal()]:
        raise UserError(f"--trials {text}: {wrong[0]!r} is no trial's number; write 3,7 say")
    return tuple(map(int, parts))
