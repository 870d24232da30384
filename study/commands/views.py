"""The command that shows what a configuration trains on."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from study.commands.app import command
from study.commands.options import Set, Studies


@command(
    "Example: study views cf_amc_ssl --set data.source=digits --set views.scale_min=0.3 -o views.png"
    "   (or study views demo/3 -o views.png: of a trial, its trained network attacked)"
)
def views(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="A trainable, STUDY/NUMBER, or a row of a table: table1/cf_amc_ssl.")
    ],
    output: Annotated[Path, typer.Option("-o", "--output", metavar="FILE", help="The PNG to write.")],
    assignments: Set = [],  # noqa: B006
    images: Annotated[int, typer.Option(help="How many, chosen by the configuration's seed.")] = 6,
    columns: Annotated[int, typer.Option(min=2, help="Views shown of each image at most.")] = 8,
    studies: Studies = None,  # noqa: ARG001
) -> None:
    """Draw images, their views and their perturbations as a configuration trains on them; nothing is trained."""
    from study.config.file import parse_overrides
    from study.views import find, write_sheet

    write_sheet(find(name, parse_overrides(assignments)), output, images=images, columns=columns)
    typer.echo(output)
