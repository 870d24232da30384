"""Starts MLflow's pages on this machine alone."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

from analysis.layout import StudyPaths, default_tracking_uri
from study.tracking.ledger import Ledger
from study.tracking.uri import TrackingError
from study.tracking.view import trials_page

HOST = "127.0.0.1"


def check_port(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            raise TrackingError(f"port {port} is taken ({error.strerror}); choose another with --port") from error


def check_store(uri: str, studies: Path) -> None:
    """Raises ``TrackingError`` where no study has been tracked: the server would open an empty database."""
    if uri == default_tracking_uri(studies) and not (studies / "mlflow.db").exists():
        raise TrackingError(f"nothing is tracked in {studies} yet; run `study demo` or `study launch FILE` first")


def tables_of_trials(studies: list[StudyPaths], uri: str) -> list[tuple[str, str]]:
    """Name and page of each study that is tracked at ``uri``: where its table of trials stands on the server."""
    ledgers = {paths.name: Ledger(paths) for paths in studies}
    ids = {name: ledger.experiment_id for name, ledger in ledgers.items() if ledger.is_at(uri)}
    return [(name, trials_page(experiment)) for name, experiment in ids.items() if experiment]


def serve(uri: str, studies: Path, port: int) -> int:
    """Run an MLflow server on the loopback interface until it ends or this process is interrupted; its exit code.

    The store's address may hold a password, so it is no argument. One worker: with several, each answer takes MLflow's
    server some 0.05 s longer. It is in a session of its own, so that Ctrl-C reaches it as an orderly end.
    """
    command = [sys.executable, "-m", "mlflow", "server", "--host", HOST, "--port", str(port), "--workers", "1"]
    artifacts = (studies / "mlflow-artifacts").as_uri()
    environment = os.environ | {
        "MLFLOW_BACKEND_STORE_URI": uri,
        "MLFLOW_ARTIFACTS_DESTINATION": artifacts,
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",  # eight more processes, for judging language models
    }
    sys.stdout.flush()
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
    server = subprocess.Popen(command, env=environment, start_new_session=True)  # noqa: S603
    try:
        return server.wait()
    except KeyboardInterrupt:
        server.terminate()
        server.wait()
        return 0
