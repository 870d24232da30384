"""The MLflow writer and real servers that are killed, cut off and replaced: nothing is lost, nothing doubled."""

from __future__ import annotations

import contextlib
import http.client
import io
import os
import pwd
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import psycopg2
import pytest
from mlflow import MlflowClient
from rich.console import Console

from analysis import schema
from analysis.layout import StudyPaths, default_tracking_uri, read_events, study_paths
from analysis.schema import MLFLOW_STATUS, TrialStatus
from study.commands import main as cli
from study.config import StudyConfig
from study.execution.session import Session
from study.launch import launch
from study.tracking import tracker as tracking
from study.tracking.ledger import Ledger
from study.tracking.tracker import Tracker, sync
from study.tracking.uri import resolve_uri

Tiny = Callable[..., StudyConfig]
pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("studies")]
PATIENCE_S = 120.0


def quiet() -> Console:
    return Console(file=io.StringIO(), width=200)


def in_folder(paths: StudyPaths) -> dict[str, Any]:
    """Of every trial: how it ended, and each number's steps, times and values in the order they were written."""
    found: dict[str, Any] = {}
    for trial in paths.each_trial():
        events, numbers = read_events(trial), {}
        for event in events:
            for name, value in event.get("metrics", {}).items():
                point = (event.get("epoch", 0), int(event["time"] * 1000), float(value))
                numbers.setdefault(name, []).append(point)
        found[paths.trial_id(trial.number)] = (MLFLOW_STATUS[TrialStatus(events[-1]["status"])], numbers)
    return found


def in_mlflow(paths: StudyPaths, uri: str) -> dict[str, Any]:
    """The same as MLflow has it, in the order of time; two runs of one trial fail."""
    client = MlflowClient(uri, uri)
    found: dict[str, Any] = {}
    for run in client.search_runs([client.get_experiment_by_name(paths.name).experiment_id]):
        name = run.data.tags.get(schema.TRIAL_ID, "the study")
        assert name not in found, f"{name} has two runs"
        numbers = {}
        for key in run.data.metrics:
            history = sorted(client.get_metric_history(run.info.run_id, key), key=lambda metric: metric.timestamp)
            numbers[key] = [(metric.step, metric.timestamp, metric.value) for metric in history]
            assert run.data.metrics[key] == history[-1].value, f"{key}: the last is not the latest"
        found[name] = (run.info.status, numbers)
    assert found.pop("the study") == ("FINISHED", {})
    return found


def at_reports(monkeypatch: pytest.MonkeyPatch, actions: dict[int, Callable[[], None]]) -> Counter[str]:
    """Does each action when that many epochs have been reported, by all studies together; what it has counted."""
    reported, lock, seen = Session.reported, threading.Lock(), Counter[str]()

    def counting(session: Session, number: int) -> None:
        reported(session, number)
        with lock:
            seen[session.paths.name] += 1
            actions.get(seen.total(), lambda: None)()

    monkeypatch.setattr(Session, "reported", counting)
    return seen


@pytest.fixture(scope="module")
def server(server_class: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """One server for the tests of this file; each leaves it killed or running, as it likes."""
    folder = tmp_path_factory.mktemp("server")
    found = server_class(f"sqlite:///{folder}/mlflow.db", folder)
    yield found
    found.kill()


@pytest.fixture
def running(server: Any) -> Any:
    if not server.running:
        server.start()
    return server


def test_two_studies_outlive_a_server_that_is_killed_and_returns(
    tiny: Tiny, running: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = at_reports(monkeypatch, {3: running.kill, 9: running.start})
    consoles = {name: quiet() for name in ("one", "two")}

    def drive(name: str) -> StudyPaths:
        config = tiny(name=name, settings={"optimiser.epochs": 3}, budget={"trials": 2}, tracking={"uri": running.uri})
        return launch(config, backend="inline", console=consoles[name])

    with ThreadPoolExecutor() as drivers:
        studies = list(drivers.map(drive, consoles))
    assert seen == {"one": 6, "two": 6}
    for paths in studies:
        assert "did not reach MLflow" not in consoles[paths.name].file.getvalue()
        assert in_mlflow(paths, running.uri) == in_folder(paths)
        assert len(in_folder(paths)) == 2


def test_a_study_outlives_a_server_that_never_returns(
    tiny: Tiny, running: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    at_reports(monkeypatch, {2: running.kill})
    (tmp_path / "study.yaml").write_text(tiny(name="alone", budget={"trials": 3}, tracking={}).to_yaml())
    command = ["study", "launch", str(tmp_path / "study.yaml"), "--backend", "inline", "--tracking-uri", running.uri]
    monkeypatch.setattr(sys, "argv", command)
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert not ended.value.code
    paths, told = study_paths("alone"), capsys.readouterr().err
    assert "events did not reach MLflow (it does not answer" in told
    assert "make up for it with: study sync alone" in told

    elsewhere = default_tracking_uri(paths.root.parent)
    assert sync(paths, elsewhere).events == 9
    once = in_mlflow(paths, elsewhere)
    assert once == in_folder(paths)
    sync(paths, elsewhere)
    assert in_mlflow(paths, elsewhere) == once


class Cutting(BaseHTTPRequestHandler):
    """Passes requests on. Of those that change something each fails twice: before it is passed on, and after."""

    def do_GET(self) -> None:
        self._serve()

    do_POST = do_PUT = do_PATCH = do_DELETE = do_GET  # noqa: N815

    def log_message(self, *_: Any) -> None:
        pass

    def _serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        writes = self.command != "GET" and not self.path.endswith("search")
        request = (self.command, self.path, body)
        self.server.seen[request] += 1
        if writes and self.server.seen[request] == 1:
            self.close_connection = True
            return
        connection = http.client.HTTPConnection("127.0.0.1", self.server.behind, timeout=60)
        connection.request(self.command, self.path, body, dict(self.headers))
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        if writes and self.server.seen[request] == 2:
            self.close_connection = True
            return
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.headers.get("Content-Type", "application/json"))
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


@pytest.fixture
def cutting(running: Any) -> Iterator[Any]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Cutting) as proxy:
        proxy.behind, proxy.seen = running.port, Counter[Any]()
        thread = threading.Thread(target=proxy.serve_forever)
        thread.start()
        yield proxy
        proxy.shutdown()
        thread.join()


def test_requests_and_answers_that_are_lost_double_nothing(
    tiny: Tiny, running: Any, cutting: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tracking, "FIRST_PAUSE_S", 0.01)
    monkeypatch.setattr(tracking, "LONGEST_PAUSE_S", 0.01)
    paths = launch(tiny(name="cut", budget={"trials": 2}), backend="inline", console=quiet())
    uri = f"http://127.0.0.1:{cutting.server_address[1]}"
    tracker = Tracker.open(paths, uri=uri)
    wait_until(lambda: Ledger(paths).undelivered() == 0)
    while tracker.close() or not tracker.complete:  # it asks once and leaves it at that
        tracker = Tracker.open(paths, uri=uri)
    created = [path for (_, path, _) in cutting.seen if path.endswith("runs/create")]
    assert len(created) == 3, "a run was asked for anew under another name or time"
    assert in_mlflow(paths, running.uri) == in_folder(paths)


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, "it never came to pass"
        time.sleep(0.02)


class Postgres:
    """A throw-away PostgreSQL that listens on a socket in a folder of its own alone."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._as: dict[str, Any] = {}
        if os.getuid() == 0:  # as which PostgreSQL refuses to run
            nobody = pwd.getpwnam("nobody")
            os.chown(folder, nobody.pw_uid, nobody.pw_gid)
            self._as = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
        self._run("initdb", "-U", "tracker", "--auth=trust", "--no-sync")
        self.start()
        with contextlib.closing(psycopg2.connect(self._address("postgres"))) as connection:
            connection.autocommit = True
            connection.cursor().execute("CREATE DATABASE mlflow")

    @property
    def uri(self) -> str:
        return f"postgresql://tracker@/mlflow?host={self._folder}"

    def start(self) -> None:
        options = f"-k {self._folder} -c listen_addresses='' -c fsync=off"
        self._run("pg_ctl", "--wait", "-o", options, "-l", str(self._folder / "log"), "start")

    def kill(self) -> None:
        """As after a crash: what was committed is found again at the next start."""
        self._run("pg_ctl", "--wait", "-m", "immediate", "stop")

    def _address(self, database: str) -> str:
        return f"host={self._folder} dbname={database} user=tracker"

    def _run(self, program: str, *arguments: str) -> None:
        environment = os.environ | {"PGDATA": str(self._folder / "data"), "TZ": "UTC"}
        command = [program_path(program), *arguments]
        subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL, cwd="/", **self._as)


def program_path(name: str) -> str:
    """Debian keeps PostgreSQL's programs off the path."""
    installed = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    found = shutil.which(name) or (str(installed[-1]) if installed else None)
    if found is None:
        pytest.skip(f"PostgreSQL's {name} is not installed")
    return found


@pytest.fixture
def postgres() -> Iterator[Postgres]:
    program_path("postgres")
    # another user must reach it, and a socket's path is short
    with tempfile.TemporaryDirectory(prefix="postgres-") as folder:
        database = Postgres(Path(folder))
        yield database
        database.kill()


def test_postgresql_holds_what_sqlite_holds(
    tiny: Tiny, postgres: Postgres, server_class: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The database first alone, killed and started again in the middle, then behind a server."""
    at_reports(monkeypatch, {2: postgres.kill, 4: postgres.start})
    console, tracked = quiet(), {"uri": postgres.uri}
    config = tiny(name="shared", settings={"optimiser.epochs": 3}, budget={"trials": 2}, tracking=tracked)
    paths = launch(config, backend="inline", console=console)
    assert "did not reach MLflow" not in console.file.getvalue()
    delivered = in_mlflow(paths, resolve_uri(postgres.uri, paths))
    assert delivered == in_folder(paths)
    assert any((paths.root.parent / "mlflow-artifacts" / "shared").rglob("events.jsonl"))

    server = server_class(postgres.uri.replace("://", "+psycopg2://"), tmp_path)
    server.start()
    try:
        sync(paths, server.uri)
        assert in_mlflow(paths, server.uri) == delivered
    finally:
        server.kill()
    sync(paths, default_tracking_uri(paths.root.parent))
    assert in_mlflow(paths, default_tracking_uri(paths.root.parent)) == delivered
