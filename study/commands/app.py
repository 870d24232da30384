"""The typer application that the commands join."""

from __future__ import annotations

import typer

app = typer.Typer(
    help="Studies of adversarially robust self-supervised learning: launch, resume, read and report.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
