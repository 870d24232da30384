"""A real ``mlflow server`` on the loopback interface, to measure and to kill."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import suppress
from pathlib import Path

PATIENCE_S = 240.0


class Server:
    """Keeps its port and its store when it is killed and started again.

    ``store``: the address of its database. ``folder`` takes artifacts and what the server says.
    """

    def __init__(self, store: str, folder: Path) -> None:
        self.port = free_port()
        self.uri = f"http://127.0.0.1:{self.port}"
        self.process: subprocess.Popen[bytes] | None = None
        self._store, self._folder = store, folder

    def start(self) -> None:
        """Returns once it answers."""
        self.begin()
        self.wait()

    def begin(self) -> None:
        """Returns at once."""
        command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(self.port)]
        environment = {
            "MLFLOW_BACKEND_STORE_URI": self._store,
            "MLFLOW_ARTIFACTS_DESTINATION": f"{self._folder}/artifacts",
            "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
            "MLFLOW_DISABLE_TELEMETRY": "true",
        }
        with open(self._folder / "server.log", "ab") as log:
            self.process = subprocess.Popen(  # noqa: S603
                [*command, "--workers", "1"],
                stdout=log,
                stderr=log,
                start_new_session=True,
                env=os.environ | environment,
            )

    def wait(self) -> None:
        """Until it answers; ``RuntimeError`` if it ends instead, or takes too long."""
        deadline = time.monotonic() + PATIENCE_S
        while not self._answers():
            if self.process is None or self.process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                raise RuntimeError(f"no MLflow: {(self._folder / 'server.log').read_text()[-2000:]}")
            time.sleep(0.1)

    @property
    def running(self) -> bool:
        return self.process is not None

    @property
    def pid(self) -> int | None:
        return self.process and self.process.pid

    def kill(self) -> None:
        """SIGKILL to the server and its workers; nothing if it does not run."""
        if self.process is not None:
            with suppress(ProcessLookupError):  # it has ended by itself
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            self.process = None

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.uri}/health", timeout=5):  # noqa: S310  our own address
                return True
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            return False


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port
