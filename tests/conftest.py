"""What every test may use."""

from __future__ import annotations

import os
import signal
import sqlite3
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, event
from torch import Tensor

# Before anybody imports Ray, which reads it once: its workers let others go first, and those are here other tests.
os.environ.setdefault("RAY_worker_niceness", "0")

GOLDEN = Path(__file__).parent / "golden"

# A shell's background jobs ignore Ctrl-C or a closed terminal, and so would all that the tests start and interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)

# The power does not fail here. What is written need not reach the disk, for which tests would wait half of their time.
os.fsync = os.fdatasync = lambda file: None


@event.listens_for(Engine, "connect")
def _leave_it_to_the_kernel(connection: Any, _record: object) -> None:
    with suppress(sqlite3.DatabaseError):  # of what is no database those hear who read it
        if isinstance(connection, sqlite3.Connection):
            connection.execute("PRAGMA synchronous = OFF")


_read_scripts, _scripts = ScriptDirectory.from_config, {}


def _scripts_of(config: Config) -> ScriptDirectory:
    """Alembic's, for Optuna and for MLflow: read once, and not at each opening of a database."""
    folder = config.get_main_option("script_location")
    if folder not in _scripts:
        _scripts[folder] = _read_scripts(config)
    return _scripts[folder]


ScriptDirectory.from_config = _scripts_of


@pytest.fixture(scope="session")
def golden() -> Callable[[str], dict[str, Tensor]]:
    """Loads one file of golden numbers as float64 tensors (integers as they are)."""

    def load(name: str) -> dict[str, Tensor]:
        with np.load(GOLDEN / f"{name}.npz") as file:
            return {key: torch.as_tensor(file[key]) for key in file.files}

    return load


@pytest.fixture(autouse=True)
def one_thread_and_one_seed() -> None:
    """Tests compare bit for bit, so the number of threads is fixed; and so are networks that a test makes itself."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
