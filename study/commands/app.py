"""The typer application that the commands join."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, TypeVar

import typer
from typer.core import TyperGroup

from study.versions import FOUNDATIONS, PRODUCT, installed

Command = TypeVar("Command", bound=Callable[..., None])

PANELS = {
    "Start and go on": ("demo", "launch", "resume", "extend", "measure", "reseed", "confirm"),
    "While it runs": ("status", "add", "note", "exclude", "stop", "ui"),
    "Read the results": ("front", "trials", "report", "compare"),
    "Take away": ("tables", "figures", "export", "sync", "clean"),
    "Methods and papers": ("settings", "views", "train", "reproduce", "record", "simulate"),
}
"""Every command under what it is for, in the order in which a newcomer comes to need it."""
_PANEL = {name: panel for panel, names in PANELS.items() for name in names}


class _InOrder(TyperGroup):
    def list_commands(self, ctx: object) -> list[str]:  # noqa: ARG002
        return list(_PANEL)


def _tell_versions(asked: bool) -> None:
    if asked:
        for package in (PRODUCT, *FOUNDATIONS):
            if found := installed(package):
                typer.echo(f"{package} {found}")
        raise typer.Exit


def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_tell_versions, is_eager=True, help="Say what is installed, and end.")
    ] = False,
) -> None:
    pass


app = typer.Typer(
    cls=_InOrder,
    callback=_options,
    help="Studies of adversarially robust self-supervised learning: launch, resume, read and report.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def command(epilog: str) -> Callable[[Command], Command]:
    """Makes a function the command of its name, in its panel."""

    def join(run: Command) -> Command:
        return app.command(epilog=epilog, rich_help_panel=_PANEL[run.__name__])(run)

    return join
