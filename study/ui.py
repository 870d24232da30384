"""Starts MLflow's pages, and Optuna's, on this machine alone."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

from analysis.layout import StudyPaths, default_tracking_uri
from analysis.pages import trials_page
from study.tracking.ledger import Ledger
from study.tracking.uri import TrackingError

HOST = "127.0.0.1"


def check_port(port: int, option: str = "--port") -> None:
    """Raises ``TrackingError`` that names the ``option`` where the port is taken."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            raise TrackingError(f"port {port} is taken ({error.strerror}); choose another with {option}") from error


def check_store(uri: str, studies: Path) -> None:
    """Raises ``TrackingError`` where no study has been tracked: the server would open an empty database."""
    if uri == default_tracking_uri(studies) and not (studies / "mlflow.db").exists():
        raise TrackingError(
            f"nothing is tracked in {studies} yet; launch a study, or bring one that is there: `study sync NAME`"
        )


def tables_of_trials(studies: list[StudyPaths], uri: str) -> list[tuple[str, str]]:
    """Name and page of each study that is tracked at ``uri``: where its table of trials stands on the server."""
    ledgers = {paths.name: Ledger(paths) for paths in studies}
    ids = {name: ledger.experiment_id for name, ledger in ledgers.items() if ledger.is_at(uri)}
    return [(name, trials_page(experiment)) for name, experiment in ids.items() if experiment]


class Server(NamedTuple):
    """A program, and what its environment has beside this one's: an address there shows no password to others."""

    command: list[str]
    environment: dict[str, str]


def mlflow_server(uri: str, studies: Path, port: int) -> Server:
    """One worker: with several, each answer takes MLflow's server some 0.05 s longer."""
    command = [sys.executable, "-m", "mlflow", "server", "--host", HOST, "--port", str(port), "--workers", "1"]
    return Server(
        command,
        {
            "MLFLOW_BACKEND_STORE_URI": uri,
            "MLFLOW_ARTIFACTS_DESTINATION": (studies / "mlflow-artifacts").as_uri(),
            "MLFLOW_DISABLE_TELEMETRY": "true",
            "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",  # eight more processes, for judging language models
        },
    )


def optuna_dashboard(study: StudyPaths, port: int) -> Server:
    """It could change and delete the study, so the database is opened for reading alone."""
    if not study.optuna.exists():
        raise TrackingError(f"{study.root} has no Optuna database; check the name, `study status` lists the studies")
    storage = f"sqlite:///file:{quote(str(study.optuna))}?mode=ro&uri=true"
    options = ["--host", HOST, "--port", str(port), "--server", "wsgiref", "--quiet"]
    return Server([sys.executable, "-m", "optuna_dashboard._cli", storage, *options], {})


def run(servers: Sequence[Server]) -> int:
    """Until one ends or this process is interrupted, then none; the exit code of the one that ended first.

    Each is in a session of its own, so that Ctrl-C reaches it as an orderly end.
    """
    sys.stdout.flush()
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
    started: list[subprocess.Popen[bytes]] = []
    try:
        for command, environment in servers:
            program = subprocess.Popen(command, env=os.environ | environment, start_new_session=True)  # noqa: S603
            started.append(program)
        return _first_end(started)
    except KeyboardInterrupt:
        return 0
    finally:
        for program in started:
            program.terminate()
        for program in started:
            program.wait()


def _first_end(started: Sequence[subprocess.Popen[bytes]]) -> int:
    while True:
        for program in started:
            try:
                return program.wait(timeout=None if len(started) == 1 else 0.5)
            except subprocess.TimeoutExpired:
                continue
