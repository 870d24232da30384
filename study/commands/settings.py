"""The command that lists what may be set."""

from __future__ import annotations

from typing import Annotated

import typer

from study.commands.app import command
from study.commands.options import Set, Studies


@command(
    "Example: study settings cf_amc_ssl optimiser   (study settings alone: a study file's keys;\n"
    "study settings table1/cf_amc_ssl: a row of a table; study settings demo/3: a trial)"
)
def settings(
    name: Annotated[
        str | None,
        typer.Argument(metavar="NAME", help="A trainable, STUDY/NUMBER, or a row of a table: table1/cf_amc_ssl."),
    ] = None,
    under: Annotated[str, typer.Argument(metavar="SECTION", help="Only these: evaluation, say.")] = "",
    assignments: Set = [],  # noqa: B006
    json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
    studies: Studies = None,  # noqa: ARG001
) -> None:
    """List what may be set: the keys of a study file, or a trainable's settings with values, meanings and ranges."""
    from json import dumps

    from study import reference
    from study.commands.show import print_rich
    from study.config.file import parse_overrides
    from study.named import named

    if name is None:
        if json:
            typer.echo(dumps(reference.as_data(reference.study_file_keys()), indent=2))
        else:
            print_rich(reference.keys_in_words())
        return
    found = reference.settings(named(name, parse_overrides(assignments)), under)
    if json:
        typer.echo(dumps(reference.as_data(found), indent=2))
    else:
        print_rich(reference.settings_in_words(name, found))
