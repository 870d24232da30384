"""The command that sets studies side by side."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from study.commands.app import command
from study.commands.options import FromMlflow, Studies
from study.commands.show import print_rich, read, writing
from trainables.config import UserError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from analysis.comparability import Comparability
    from analysis.runs import Study
    from analysis.tables import Table


@command("Example: study compare demo first -o comparison.html")
def compare(
    names: Annotated[list[str], typer.Argument(metavar="NAME...", help="The studies' names, two or more.")],
    json: Annotated[bool, typer.Option("--json", help="As JSON, unrounded.")] = False,
    csv: Annotated[bool, typer.Option("--csv", help="As CSV, unrounded.")] = False,
    output: Annotated[Path | None, typer.Option("-o", "--output", metavar="FILE", help="The figure, HTML.")] = None,
    tracking_uri: FromMlflow = None,
    studies: Studies = None,  # noqa: ARG001
) -> None:
    """Studies side by side: whether they compare, what each found for what it spent, and which found more."""
    _check(names, json, csv)
    from analysis.comparability import comparability, titles
    from analysis.side_by_side import compute, gather
    from analysis.side_by_side_tables import standings_table

    found = [read(name, tracking_uri) for name in names]
    told, called = comparability(found), titles(found)
    sides = gather(found, told.accuracies)
    table = standings_table(compute(sides), called, ranked=not told.measured)
    if json:
        _warn(told)
        typer.echo(table.json())
    elif csv:
        _warn(told)
        typer.echo(table.csv(), nl=False)
    else:
        _print(found, told, table)
    if output is not None:
        from analysis.figures.side_by_side import side_by_side_figure, write_side_by_side

        with writing(output):
            write_side_by_side(side_by_side_figure(sides, called, ranked=not told.measured), output)


def _check(names: list[str], json: bool, csv: bool) -> None:
    if len(set(names)) < max(2, len(names)):
        raise UserError("a study is compared with others: name two or more, each once; `study status` lists them")
    if json and csv:
        raise UserError("--json and --csv exclude each other; choose one")


def _warn(told: Comparability) -> None:
    for sentence in told.measured:
        typer.echo(f"warning: not measured alike. {sentence}", err=True)


def _print(studies: Sequence[Study], told: Comparability, table: Table) -> None:
    from analysis.side_by_side_tables import settings_table
    from analysis.tables import frontier_table, why_nothing_found
    from analysis.titles import protocol

    if told.measured:
        typer.echo("They were not measured alike, so the figures below do not rank them:")
        _list(told.measured)
    else:
        typer.echo(f"They compare, for they were measured alike: {protocol(studies[0])}.")
    if told.studied:
        typer.echo("They differ in:")
        _list(told.studied)
    print_rich(table.rich())
    for study in studies:
        if nothing := why_nothing_found(study, frontier_table(study)):
            typer.echo(f"{study.name}: {nothing}")
    if (settings := settings_table(studies)) is not None:
        print_rich(settings.rich())


def _list(sentences: Sequence[str]) -> None:
    for sentence in sentences:
        typer.echo(f"  {sentence}")
