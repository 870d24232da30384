"""What every test may use."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import sys
import tomllib
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

# Before anybody imports Ray, which reads it once: its workers let others go first, and those are here other tests.
os.environ.setdefault("RAY_worker_niceness", "0")

# Tables are as wide as the window is said to be, and the line editor of who starts the workers tells them of one.
os.environ.pop("COLUMNS", None)

GOLDEN = Path(__file__).parent / "golden"

# A shell's background jobs ignore Ctrl-C or a closed terminal, and so would all that the tests start and interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)

# The power does not fail here. What is written need not reach the disk, for which tests would wait half of their time.
os.fsync = os.fdatasync = lambda file: None


def _hasten_databases() -> None:
    """Nobody waits for their disk; Alembic's scripts, Optuna's and MLflow's, are read once and not at each opening."""
    from alembic.script import ScriptDirectory
    from sqlalchemy import Engine, event

    @event.listens_for(Engine, "connect")
    def leave_it_to_the_kernel(connection: Any, _record: object) -> None:
        with suppress(sqlite3.DatabaseError):  # of what is no database those hear who read it
            if isinstance(connection, sqlite3.Connection):
                connection.execute("PRAGMA synchronous = OFF")

    read_scripts, known = ScriptDirectory.from_config, {}

    def scripts_of(config: Any) -> ScriptDirectory:
        folder = config.get_main_option("script_location")
        if folder not in known:
            known[folder] = read_scripts(config)
        return known[folder]

    ScriptDirectory.from_config = scripts_of


if find_spec("alembic"):  # what trains is tested where torch is all there is, too
    _hasten_databases()


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


def describe(site: Path, name: str, version: str, entry_points: Mapping[str, Mapping[str, str]]) -> None:
    """What an installer leaves of a distribution beside its source, and importlib.metadata reads."""
    info = site / f"{name.replace('-', '_')}-{version}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    named = ((group, key, value) for group, found in entry_points.items() for key, value in found.items())
    (info / "entry_points.txt").write_text("".join(f"[{group}]\n{key} = {value}\n" for group, key, value in named))


@pytest.fixture(scope="session")
def own_site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that ``own_package`` is installed in."""
    source, site = Path(__file__).parent / "own_package", tmp_path_factory.mktemp("site")
    project = tomllib.loads((source / "pyproject.toml").read_text("utf-8"))["project"]
    shutil.copytree(source / "group_ssl", site / "group_ssl", ignore=shutil.ignore_patterns("__pycache__"))
    describe(site, project["name"], project["version"], project["entry-points"])
    return site


@pytest.fixture
def own_package(own_site: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """``tests/own_package``, installed for this test."""
    monkeypatch.syspath_prepend(str(own_site))
    return own_site


@pytest.fixture
def newer_package(own_package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A later version of it, its loss and its attacks rewritten, in its place; asked for after what uses the older."""
    site = tmp_path / "newer-site"
    shutil.copytree(own_package, site, ignore=shutil.ignore_patterns("__pycache__"))
    (site / "group_ssl-0.3.1.dist-info" / "METADATA").write_text("Name: group-ssl\nVersion: 0.4.0\n")
    for source in (site / "group_ssl" / "vicreg.py", site / "group_ssl" / "attacks.py"):
        source.write_text(source.read_text() + "# mended\n")
    for name in [name for name in sys.modules if name.startswith("group_ssl")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.syspath_prepend(str(site))
    return site


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Path]]:
    """Installs a distribution of one module for this test; its name is the module's, entry points are by group."""
    made: list[str] = []

    def install(name: str, source: str, version: str = "1.2", **entry_points: Mapping[str, str]) -> Path:
        site = tmp_path / f"site-{name}"
        named = {f"robust_ssl_study.{group}": found for group, found in entry_points.items()}
        describe(site, name, version, named)
        (site / f"{name}.py").write_text(source)
        monkeypatch.syspath_prepend(str(site))
        made.append(name)
        return site

    yield install
    for name in made:
        sys.modules.pop(name, None)
