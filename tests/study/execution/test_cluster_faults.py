"""A study on a Ray cluster that loses a node, then its head and with that its driver, and one that is a job of its
cluster: real nodes as processes."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from analysis.layout import ATTEMPT, ENDED, EPOCH, LOST, TrialPaths, read_events, study_paths
from study.config import StudyConfig

Tiny = Callable[..., StudyConfig]
pytestmark = [pytest.mark.exhaustive, pytest.mark.timeout(900)]

HEAD, FIRST, SECOND = "127.0.0.2", "127.0.0.3", "127.0.0.4"
PATIENCE_S = 240.0
SETTINGS = {
    "RAY_AUTH_MODE": "token",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_gcs_rpc_server_reconnect_timeout_s": "5",
    "RAY_health_check_initial_delay_ms": "1000",
    "RAY_health_check_period_ms": "1000",
    "RAY_memory_monitor_refresh_ms": "0",
    "OMP_NUM_THREADS": "1",
}


class Nodes:
    """Ray nodes on this machine, each with a loopback address of its own; started and killed by name."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self._folder, self._environment = folder, environment
        self.address = f"{HEAD}:{free_port()}"

    def start_head(self, *options: str, cores: int) -> None:
        """Without a dashboard, unless ``options`` want one."""
        port = self.address.partition(":")[2]
        options = options or ("--include-dashboard=false",)
        self._start(HEAD, "--head", f"--port={port}", f"--num-cpus={cores}", *options)

    def start(self, host: str) -> None:
        self._start(host, f"--address={self.address}", "--num-cpus=1")

    def kill(self, host: str) -> None:
        """All processes of one node at once, as a power cut would; of the head, all that is left of the cluster."""
        for process, words in _processes():
            if str(self._folder) in words and (host == HEAD or ("raylet/raylet" in words and f"={host}" in words)):
                os.kill(process, signal.SIGKILL)

    def _start(self, host: str, *options: str) -> None:
        command = [sys.executable, "-m", "ray.scripts.scripts", "start", f"--node-ip-address={host}", *options]
        command += [f"--temp-dir={self._folder}"] if "--head" in options else []
        for _ in range(3):  # on a busy machine Ray gives up on its own helpers
            done = subprocess.run(command, env=self._environment, capture_output=True, text=True)
            if done.returncode == 0:
                return
            self.kill(host)
        raise AssertionError(done.stdout[-2000:] + done.stderr[-2000:])


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HEAD, 0))
        return int(probe.getsockname()[1])


def _processes() -> Iterator[tuple[int, str]]:
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                yield int(folder.name), (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            except OSError:  # it has ended
                continue


@pytest.fixture
def environment(studies: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    token = studies / "token"
    token.write_text("0" * 64)
    token.chmod(0o600)
    return os.environ | SETTINGS | {"RAY_AUTH_TOKEN_PATH": str(token)}


@pytest.fixture
def nodes(tmp_path_factory: pytest.TempPathFactory, environment: dict[str, str]) -> Iterator[Nodes]:
    folder = Path("/tmp") / f"ray-{os.getpid()}"  # sockets have no room for a long path
    nodes = Nodes(folder, environment)
    yield nodes
    nodes.kill(HEAD)
    subprocess.run(["rm", "-rf", folder], check=False)


def wait_until(what: str, condition: Callable[[], object], driver: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert driver.poll() is None, f"the driver ended while waiting for {what}: {driver.communicate()}"
        assert time.monotonic() < deadline, what
        time.sleep(0.05)


def of_kind(folder: TrialPaths, kind: str) -> list[dict[str, Any]]:
    return [event for event in read_events(folder) if event["kind"] == kind]


def children(process: int) -> list[int]:
    return [int(word) for word in Path(f"/proc/{process}/task/{process}/children").read_text().split()]


def test_a_study_outlives_its_node_and_the_head(
    tiny: Tiny,
    studies: Path,
    nodes: Nodes,
    environment: dict[str, str],
    assert_nothing_lost: Callable[..., dict[int, dict[str, Any]]],
) -> None:
    resources = {"max_concurrent": 1, "max_failures": 0}
    config = tiny(settings={"optimiser.epochs": 40}, budget={"trials": 2}, resources=resources, tracking={})
    (studies / "study.yaml").write_text(config.to_yaml())
    paths = study_paths("tiny")
    nodes.start_head(cores=0)
    nodes.start(FIRST)
    command = [sys.executable, "-m", "study", "launch", str(studies / "study.yaml"), "--address", nodes.address]
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as study:
        try:
            wait_until("trial 0", lambda: of_kind(paths.trial(0), EPOCH), study)
            nodes.kill(FIRST)
            os.kill(of_kind(paths.trial(0), ATTEMPT)[0]["pid"], signal.SIGKILL)
            nodes.start(SECOND)
            wait_until("trial 1", lambda: of_kind(paths.trial(1), EPOCH), study)
            nodes.kill(HEAD)
            untouched = {0: paths.trial(0).events.read_bytes()}
            nodes.start_head(cores=1)
            output, _ = study.communicate(timeout=PATIENCE_S)
        finally:
            for process in [*children(study.pid), study.pid] if study.poll() is None else []:
                os.kill(process, signal.SIGKILL)
    assert study.returncode == 0, output
    ends = assert_nothing_lost(paths, 2, untouched=untouched)
    assert [end["status"] for end in ends.values()] == ["finished"] * 2
    assert [event["excuse"] for event in of_kind(paths.trial(0), LOST)] == ["its node was lost"]
    assert [event["resumed_epoch"] >= 1 for event in of_kind(paths.trial(0), ATTEMPT)] == [False, True]
    assert of_kind(paths.trial(1), LOST) == []
    assert output.count("the driver of tiny died") == 1


def test_a_study_is_submitted_stopped_and_resumed_as_a_job(
    tiny: Tiny,
    studies: Path,
    nodes: Nodes,
    environment: dict[str, str],
    assert_nothing_lost: Callable[..., dict[int, dict[str, Any]]],
) -> None:
    config = tiny(settings={"optimiser.epochs": 20}, budget={"trials": 3}, resources={"max_concurrent": 1}, tracking={})
    (studies / "study.yaml").write_text(config.to_yaml())
    paths, port = study_paths("tiny"), free_port()
    agent = f"--dashboard-agent-listen-port={free_port()}"
    nodes.start_head("--dashboard-host=127.0.0.1", f"--dashboard-port={port}", agent, cores=1)

    def job(*words: str) -> subprocess.CompletedProcess[str]:
        """With ``ray job``'s own client; it is refused for as long as the head's agent is not there."""
        command = [sys.executable, "-m", "ray.scripts.scripts", "job", words[0], f"--address=http://127.0.0.1:{port}"]
        return subprocess.run(
            [*command, *words[1:]], env=environment, capture_output=True, text=True, timeout=PATIENCE_S
        )

    def submitted(*words: str) -> str:
        deadline, name = time.monotonic() + PATIENCE_S, words[1]
        driver = [sys.executable, "-m", *words, "--address", "auto"]
        while (done := job("submit", "--no-wait", f"--submission-id={name}", "--", *driver)).returncode:
            assert time.monotonic() < deadline, done.stdout + done.stderr
        return name

    def until(what: str, condition: Callable[[], object], name: str) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while not condition():
            assert time.monotonic() < deadline, what + job("logs", name).stdout
            time.sleep(0.2)

    first = submitted("study", "launch", str(studies / "study.yaml"))
    until("a second trial", lambda: of_kind(paths.trial(1), EPOCH), first)
    assert job("stop", first).returncode == 0
    untouched = {0: paths.trial(0).events.read_bytes()}
    second = submitted("study", "resume", "tiny")
    until("the last trial's end", lambda: of_kind(paths.trial(2), ENDED), second)
    until("the job's end", lambda: "succeeded" in (told := job("status", second)).stdout + told.stderr, second)
    ends = assert_nothing_lost(paths, 3, untouched=untouched)
    assert [end["status"] for end in ends.values()] == ["finished"] * 3
