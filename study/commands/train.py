"""Commands without a search: one configuration, or the rows of a published table."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from study.commands.app import command
from study.commands.options import Set, Studies
from study.commands.show import print_rich
from study.files.disk import writing
from trainables.config import UserError


@command(
    r"""Example: study train cf_amc_ssl --set data.source=digits \
    --set views.number=4 --set optimiser.epochs=3 --set network.width=8 \
    --set network.depth=10 --set network.pre_feature=128 \
    --set network.projector_hidden=128 --set evaluation.head_images=600 \
    --set evaluation.head_epochs=10 --set evaluation.head_learning_rate=0.01 \
    --set evaluation.check_images=32
(a minute or two on a CPU; without these settings, the paper's network)"""
)
def train(
    trainable: Annotated[
        str, typer.Argument(metavar="TRAINABLE", help="cf_amc_ssl, acl, ...: `study settings` lists them.")
    ],
    assignments: Set = [],  # noqa: B006
    checkpoint: Annotated[
        Path | None, typer.Option(metavar="PATH", help="Continue from this file if it exists, and keep it up to date.")
    ] = None,
    json: Annotated[Path | None, typer.Option(metavar="PATH", help="Write the whole result here.")] = None,
) -> None:
    """Train and attack one configuration in this process, without Ray."""
    from study.config.file import parse_overrides
    from study.named import configure
    from study.one_trial import train as run
    from study.say import terminal

    run(configure(trainable, parse_overrides(assignments)), checkpoint, json, terminal())


@command(
    "Example: study reproduce table1 --scale tiny   (digits, minutes on a CPU)\n"
    "As published: study reproduce table1 --set data.download=true"
)
def reproduce(
    table: Annotated[str | None, typer.Argument(metavar="TABLE", help="table1 say; --list names them all.")] = None,
    rows: Annotated[str | None, typer.Option(metavar="A,B", help="Only these rows; all if not given.")] = None,
    show: Annotated[bool, typer.Option("--list", help="Name tables and rows, and run nothing.")] = False,
    data: Annotated[str, typer.Option(metavar="SOURCE", help="cifar10, cifar100, digits or folder:PATH.")] = "cifar10",
    scale: Annotated[
        Literal["full", "tiny"], typer.Option(help="full: as published; tiny: small networks on the digits.")
    ] = "full",
    faithful_to: Annotated[
        Literal["paper", "released_code"], typer.Option(help="Whom to follow where text and code differ.")
    ] = "paper",
    seeds: Annotated[int, typer.Option(min=1, help="Runs of each row, with seeds from 0.")] = 1,
    device: Annotated[str, typer.Option(metavar="DEVICE", help="auto, cpu, cuda or cuda:N.")] = "auto",
    assignments: Set = [],  # noqa: B006
    json: Annotated[Path | None, typer.Option(metavar="PATH", help="Write all figures here, unrounded.")] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Where runs live and continue; STUDIES/reproduce/TABLE.")
    ] = None,
    studies: Studies = None,  # noqa: ARG001
) -> None:
    """Train the rows of a published table, and print our figures beside the published ones."""
    if show:
        _list_recipes(table)
        return
    if table is None:
        raise UserError("name a table, table1 say; `study reproduce --list` names them all")
    from analysis.layout import write_json
    from study import reproduce as reproduction
    from study import reproduce_table
    from study.config.file import parse_overrides
    from study.say import terminal

    chosen = reproduction.choose(
        table,
        rows,
        data=data,
        scale=scale,
        faithful_to=faithful_to,
        seeds=seeds,
        device=device,
        settings=parse_overrides(assignments),
    )
    found = reproduction.reproduce(chosen, out or chosen.folder(), terminal())
    print_rich(reproduce_table.render(chosen, found))
    for note in reproduce_table.notes(chosen, found):
        typer.echo(note)
    if json is not None:
        with writing(json):
            write_json(json, reproduce_table.to_json(chosen, found))


def _list_recipes(table: str | None) -> None:
    from trainables.recipes import TABLES, find_table

    for found in TABLES.values() if table is None else [find_table(table)]:
        typer.echo(f"{found.name}  {found.title}")
        for row in found.rows:
            typer.echo(f"  {row.row:<28}{row.summary}")
