"""A study writes inside its own folder alone, whoever has prepared that folder."""

from __future__ import annotations

import os
from pathlib import Path

from trainables.config import UserError


class LeavesFolderError(UserError):
    """Something in a study's folder leads out of it."""


def check_contained(folder: Path) -> None:
    """Raise ``LeavesFolderError`` for a link below ``folder``: what is written to it lands somewhere else.

    ``folder`` itself may be one, to another disk say.
    """
    for parent, folders, files in os.walk(folder):
        for name in (*folders, *files):
            path = Path(parent, name)
            if path.is_symlink():
                raise LeavesFolderError(
                    f"{path} is a link, and a study writes inside its own folder alone; "
                    "put what it leads to in its place, or delete it"
                )
