"""Commands that write for papers: tables."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from study.commands.app import app
from study.commands.options import Name, Studies
from study.commands.show import read
from trainables.config import UserError


@app.command(epilog="Example: study tables demo --format latex -o demo.tex")
def tables(
    name: Name,
    kind: Annotated[
        Literal["markdown", "csv", "latex"] | None,
        typer.Option("--format", help="What to write; by the suffix of -o (.md, .csv, .tex), else markdown."),
    ] = None,
    published: Annotated[
        str | None,
        typer.Option(metavar="TABLES", help="Comma-separated: table1 to table5, leaderboard, or none; all without."),
    ] = None,
    output: Annotated[Path | None, typer.Option("-o", "--output", metavar="FILE", help="Where to write it.")] = None,
    studies: Studies = None,  # noqa: ARG001
) -> None:
    """A study's figures beside the published ones, best and second best marked."""
    from analysis.beside import beside
    from analysis.layout import write_atomically
    from analysis.typeset import SUFFIXES, typeset

    chosen = kind or (SUFFIXES.get(output.suffix.lower(), "markdown") if output else "markdown")
    text = typeset(beside(read(name), _tables(published)), chosen)
    if output is None:
        typer.echo(text, nl=False)
    else:
        write_atomically(output, text)
        typer.echo(output)


def _tables(names: str | None) -> list[str]:
    """In the order of publication, whatever the order of ``names``."""
    from analysis.beside import TABLES

    if names is None:
        return list(TABLES)
    wanted = {name.strip() for name in names.split(",")} - {"none", ""}
    if unknown := sorted(wanted - TABLES.keys()):
        raise UserError(f"--published has no {', '.join(map(repr, unknown))}; choose from {', '.join(TABLES)}, none")
    return [name for name in TABLES if name in wanted]
