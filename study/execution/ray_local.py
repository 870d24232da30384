"""What keeps a Ray on one machine to itself: the loopback interface, and a token only its user can read."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ray._private import ray_constants

TOKEN_VARIABLES = ("RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH")


@contextmanager
def on_loopback() -> Iterator[None]:
    """Within: a Ray that is started listens on 127.0.0.1 alone.

    Ray does so of itself where it supports no clusters, on macOS and Windows. Elsewhere it replaces a loopback
    address by the machine's own and listens on every interface; the switch for those systems is the only one there
    is, for processes to be started in the environment, for this one in what Ray read on import.
    """
    name = ray_constants.ENABLE_RAY_CLUSTERS_ENV_VAR
    before, enabled = os.environ.get(name), ray_constants.ENABLE_RAY_CLUSTER
    os.environ[name], ray_constants.ENABLE_RAY_CLUSTER = "0", False
    try:
        yield
    finally:
        ray_constants.ENABLE_RAY_CLUSTER = enabled
        os.environ.pop(name)
        if before is not None:
            os.environ[name] = before


def keep_token_private() -> None:
    """Ray's token exists and is its user's alone: Ray itself would write the file for everybody to read."""
    if any(os.environ.get(name) for name in TOKEN_VARIABLES):
        return
    path = Path.home() / ".ray" / "auth_token"
    with suppress(OSError):  # no home to write to: Ray then says so itself
        path.parent.mkdir(mode=0o700, exist_ok=True)
        if not path.exists():
            _create(path, secrets.token_hex(32))
        if path.stat().st_mode & 0o077:
            path.chmod(0o600)


def _create(path: Path, text: str) -> None:
    """Whole or not at all, and never in the place of another process's."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(text)
        with suppress(FileExistsError):
            path.hardlink_to(temporary)
    finally:
        temporary.unlink(missing_ok=True)
