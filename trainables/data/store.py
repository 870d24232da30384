"""Where downloads and decoded images live, and how several processes may write there at once."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from trainables.config import DataConfig


def data_root(config: DataConfig) -> Path:
    """``data.root``, else ``$ROBUST_SSL_DATA``, else ``~/.cache/robust-ssl-study``; absolute."""
    chosen = config.root or os.environ.get("ROBUST_SSL_DATA") or "~/.cache/robust-ssl-study"
    return Path(chosen).expanduser().absolute()


def publish(folder: Path, destination: Path) -> None:
    """Flush ``folder`` to disk and rename it to ``destination``, whole or not at all.

    If another process was there first its folder stays and ours goes: both hold the same.
    """
    for path in (*folder.rglob("*"), folder):
        _flush(path)
    try:
        folder.rename(destination)
    except OSError:
        if not destination.is_dir():
            raise
        shutil.rmtree(folder)
    _flush(destination.parent)


def _flush(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
