"""The pages of MLflow and Optuna: real servers, read by a real browser."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from analysis.layout import StudyPaths
from study import ui
from study.tracking.tracker import sync
from study.tracking.uri import TrackingError

RECORDED = Path(__file__).parents[3] / "results" / "curves-digits.jsonl"
PATIENCE_S = 120.0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def test_a_taken_port_is_said_with_its_option() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(TrackingError, match=rf"port {port} is taken .* --optuna-port"):
            ui.check_port(port, "--optuna-port")
        with pytest.raises(TrackingError, match="choose another with --port"):
            ui.check_port(port)
    ui.check_port(port)


def test_optuna_reads_alone_and_on_this_machine_alone(tmp_path: Path) -> None:
    paths = StudyPaths(tmp_path / "a study#1?")
    with pytest.raises(TrackingError, match="has no Optuna database"):
        ui.optuna_dashboard(paths, 8080)
    paths.root.mkdir()
    paths.optuna.touch()
    command, environment = ui.optuna_dashboard(paths, 8080)
    assert command[command.index("--host") + 1] == "127.0.0.1"
    assert f"sqlite:///file:{tmp_path}/a%20study%231%3F/optuna.db?mode=ro&uri=true" in command
    assert environment == {}


def test_when_one_server_ends_so_does_the_other() -> None:
    sleeping = ui.Server([sys.executable, "-c", "import time; time.sleep(600)"], {})
    ending = ui.Server([sys.executable, "-c", "import os; raise SystemExit(int(os.environ['CODE']))"], {"CODE": "7"})
    began = time.monotonic()
    assert ui.run([sleeping, ending]) == 7
    assert time.monotonic() - began < 300


@pytest.fixture
def replayed(studies: Path) -> StudyPaths:
    """A study of recorded trials, in MLflow."""
    from rich.console import Console

    from study.config import StudyConfig
    from study.launch import launch

    config = StudyConfig.load(RECORDED.with_suffix(".yaml"), {"budget.trials": 4, "tracking.offline": True})
    with open(os.devnull, "w") as nowhere:
        paths = launch(config, backend="replay", curves=RECORDED, console=Console(file=nowhere))
    sync(paths)
    return paths


def listening(port: int) -> set[str]:
    """Addresses on which this machine waits for connections to ``port``, IPv6 ones as they stand in the kernel."""
    found = set()
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            address, _, number = line.split()[1].partition(":")
            if line.split()[3] == "0A" and int(number, 16) == port:
                found.add(socket.inet_ntoa(bytes.fromhex(address)[::-1]) if table == "tcp" else address)
    return found


def fetch(address: str) -> bytes:
    """What is there, once it answers."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            with urllib.request.urlopen(address, timeout=30) as answer:
                body: bytes = answer.read()
                return body
        except (urllib.error.URLError, ConnectionError):
            assert time.monotonic() < deadline, f"{address} never answered"
            time.sleep(0.2)


@pytest.fixture
def pages(replayed: StudyPaths) -> Iterator[tuple[subprocess.Popen[str], int, int]]:
    mlflow, optuna = free_port(), free_port()
    options = ["--optuna", "--port", str(mlflow), "--optuna-port", str(optuna)]
    command = [sys.executable, "-m", "study", "ui", replayed.name, *options]
    environment = os.environ | {"ROBUST_SSL_STUDIES": str(replayed.root.parent)}
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    with subprocess.Popen(command, env=environment, text=True, **streams) as server:  # type: ignore[call-overload]
        try:
            yield server, mlflow, optuna
        finally:
            server.terminate()


@pytest.mark.slow
@pytest.mark.usefixtures("reports")
def test_mlflow_and_optuna_show_a_study_to_this_machine_alone(
    replayed: StudyPaths, pages: tuple[subprocess.Popen[str], int, int]
) -> None:
    server, mlflow, optuna = pages
    assert server.stdout is not None
    printed = [server.stdout.readline() for _ in range(4)]
    assert printed[0].startswith(f"MLflow: http://127.0.0.1:{mlflow} ")
    assert printed[1].startswith(f"  trials of {replayed.name}: http://127.0.0.1:{mlflow}/#/experiments/")
    assert printed[2].endswith(f"study report NAME --mlflow-url http://127.0.0.1:{mlflow}\n")
    assert printed[3] == f"Optuna: http://127.0.0.1:{optuna}   (the search of {replayed.name}, read-only)\n"

    summaries = json.loads(fetch(f"http://127.0.0.1:{optuna}/api/studies"))["study_summaries"]
    assert [summary["study_name"] for summary in summaries] == [replayed.name]
    erase = urllib.request.Request(f"http://127.0.0.1:{optuna}/api/studies/1", b"{}", method="DELETE")
    erase.add_header("Content-Type", "application/json")
    with pytest.raises(urllib.error.HTTPError):
        urllib.request.urlopen(erase, timeout=30)
    found = fetch(f"http://127.0.0.1:{mlflow}/api/2.0/mlflow/experiments/get-by-name?experiment_name={replayed.name}")
    assert json.loads(found)["experiment"]["name"] == replayed.name
    assert listening(mlflow) == listening(optuna) == {"127.0.0.1"}

    if chromium := shutil.which("chromium"):
        look(chromium, printed[1].split(": ", 1)[1].strip())

    server.send_signal(signal.SIGINT)
    rest, _ = server.communicate(timeout=60)
    assert server.returncode == 0
    assert "Traceback" not in rest
    assert listening(mlflow) | listening(optuna) == set()
    if not chromium:
        pytest.skip("the pages were not looked at: chromium is not installed (apt-get install chromium)")


def look(chromium: str, table: str) -> None:
    """From the printed address to the trials beneath their study, and to what the study's run says."""
    from playwright.sync_api import expect, sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page: Any = browser.new_page(viewport={"width": 1400, "height": 900})
        page.set_default_timeout(60_000)
        page.goto(table)
        expect(page.get_by_role("link", name=re.compile("^0003 ")).first).to_be_visible(timeout=60_000)
        page.goto(table.replace("viewStateShareKey=trials", "viewStateShareKey=study"))
        page.reload()
        study = page.get_by_role("gridcell").filter(has=page.get_by_role("link", name="curves-digits", exact=True))
        expect(study).to_be_visible(timeout=60_000)
        trial = page.get_by_role("gridcell").get_by_role("link", name=re.compile(r"^\d{4} \w+$"))
        expect(trial).to_have_count(0)
        study.get_by_role("button").click()
        expect(trial).to_have_count(4)
        study.get_by_role("link").click()
        page.get_by_text("Show more").click()
        expect(page.get_by_role("link", name="report.html")).to_be_visible()
        expect(page.get_by_role("cell", name=re.compile("^(cf_amc|pgd_emp)_ssl$")).first).to_be_visible()
        browser.close()
