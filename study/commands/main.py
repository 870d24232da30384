"""The command ``study``: a thin skin over the packages. Imports of weight happen inside the commands."""

from __future__ import annotations

import io
import sys

from study import supervise as supervision
from study.command_line import hide_secrets
from study.commands import (  # noqa: F401  each joins its commands to the application
    chosen,
    compare,
    hand,
    keep,
    paper,
    read,
    run,
    settings,
    simulate,
    status,
    train,
    ui,
    views,
)
from study.commands.app import app
from study.files.disk import full_disk
from trainables.config import UserError
from trainables.harmless import harmless

__all__ = ["app", "main"]


def main() -> None:
    """Exit code 0; 2 for a user's mistake or a full disk, told in a line; 130 for an interruption; 1 for other faults.

    What runs a study runs under a process that stands by.
    """
    hide_secrets()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a dash that a terminal does not know ends no command
    arguments = sys.argv[1:]
    if supervision.is_wanted(arguments):
        arguments = supervision.stand_by(arguments)
    try:
        app(arguments)
    except UserError as error:
        sys.stderr.write(f"{error}\n")
        raise SystemExit(2) from None
    except Exception as error:
        if (full := full_disk(error)) is None:
            raise
        sys.stderr.write(f"a disk is full ({harmless(full)}); make room and try again\n")
        raise SystemExit(2) from None
