"""What a study must not do: listen to others, tell secrets, run what it reads, write elsewhere."""

from __future__ import annotations

import io
import os
import re
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import torch
from rich.console import Console

from analysis.layout import EPOCH, StudyPaths, read_events, study_paths
from study.config import StudyConfig
from study.config.file import StudyFileError
from study.execution import ray_local
from study.files.containment import LeavesFolderError, check_contained
from study.launch import launch, resume
from trainables import checkpoint
from trainables.checkpoint import CheckpointError
from trainables.config import from_dict
from trainables.evaluation import auto_attack_state, saved_heads

Tiny = Callable[..., StudyConfig]
PATIENCE_S = 200.0
USER, PASSWORD, IN_ENVIRONMENT = "somebody", "hunter2hunter2", "correcthorse"
REPOSITORY = Path(__file__).resolve().parents[2]


def descendants(pid: int) -> set[int]:
    found = {pid}
    for children in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            for child in children.read_text().split():
                found |= descendants(int(child))
        except OSError:  # it has ended meanwhile
            continue
    return found


def sockets(pid: int) -> set[str]:
    found = set()
    for descriptor in Path(f"/proc/{pid}/fd").glob("*"):
        try:
            link = str(descriptor.readlink())
        except OSError:
            continue
        if match := re.fullmatch(r"socket:\[(\d+)\]", link):
            found.add(match[1])
    return found


def listening(pids: set[int]) -> set[tuple[str, int]]:
    """Address and port of every socket on which one of the processes waits for connections."""
    theirs, found = set().union(*map(sockets, pids)), set()
    for table, family, word in (("tcp", socket.AF_INET, 4), ("tcp6", socket.AF_INET6, 16)):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            columns = line.split()
            if columns[3] == "0A" and columns[9] in theirs:
                address, port = columns[1].split(":")
                words = [bytes.fromhex(address[start : start + 8])[::-1] for start in range(0, 2 * word, 8)]
                found.add((socket.inet_ntop(family, b"".join(words)), int(port, 16)))
    return found


def is_loopback(address: str) -> bool:
    return address.removeprefix("::ffff:").startswith("127.") or address == "::1"


def everything_in(*folders: Path) -> bytes:
    files = [file for folder in folders for file in folder.rglob("*") if file.is_file() and not file.is_symlink()]
    return b"\0".join(file.read_bytes() for file in files)


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0", "::1", "::"])
def test_the_sockets_of_a_process_are_seen(host: str) -> None:
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as server:
        server.bind((host, 0))
        server.listen()
        seen = listening({os.getpid()})
        assert (host, server.getsockname()[1]) in seen
        assert is_loopback(host) == (host in ("127.0.0.1", "::1"))


class _Refuses(BaseHTTPRequestHandler):
    """An MLflow server that wants other credentials."""

    def do_GET(self) -> None:
        self.send_response(403)
        self.send_header("Content-Length", "0")
        self.end_headers()
        self.server.seen.append(self.headers.get("Authorization"))  # type: ignore[attr-defined]

    do_POST = do_PUT = do_PATCH = do_GET  # noqa: N815

    def log_message(self, format: str, *args: Any) -> None: ...


@pytest.fixture
def refusing() -> Iterator[ThreadingHTTPServer]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Refuses)
    server.seen = []  # type: ignore[attr-defined]
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@dataclass
class Outside:
    """A whole launch on a Ray of its own, from the command line, as seen by the rest of the machine."""

    paths: StudyPaths
    ray: Path
    home: Path
    printed: bytes = b""
    listened: set[tuple[str, int]] = field(default_factory=set)
    command_lines: set[str] = field(default_factory=set)


@pytest.fixture
def outside(
    tiny: Tiny, studies: Path, tmp_path: Path, refusing: ThreadingHTTPServer, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Outside]:
    ray = Path(tempfile.mkdtemp(prefix="ray-", dir="/tmp"))  # short: a socket's path has 107 characters
    home = tmp_path / "home"
    home.mkdir()
    file = tmp_path / "study.yaml"
    file.write_text(tiny({"optimiser.epochs": 100000}, tracking={}).to_yaml())
    uri = f"http://{USER}:{PASSWORD}@127.0.0.1:{refusing.server_address[1]}"
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", IN_ENVIRONMENT)
    environment = os.environ | {"RAY_TMPDIR": str(ray), "HOME": str(home), "MPLCONFIGDIR": str(home)}
    for name in ("RAY_AUTH_MODE", *ray_local.TOKEN_VARIABLES):
        environment.pop(name, None)
    with open(tmp_path / "printed", "wb") as printed:
        driver = subprocess.Popen(
            [sys.executable, "-m", "study", "launch", str(file), "--tracking-uri", uri],
            **{"cwd": REPOSITORY, "env": environment, "stdout": printed, "stderr": subprocess.STDOUT},
        )
        seen = Outside(study_paths("tiny"), ray, home)
        try:
            look(seen, driver)
            driver.send_signal(signal.SIGINT)
            driver.wait(PATIENCE_S)
        finally:
            driver.kill()
            driver.wait()
    seen.printed = (tmp_path / "printed").read_bytes()
    assert driver.returncode == 130, seen.printed.decode()
    yield seen
    shutil.rmtree(ray, ignore_errors=True)


def look(seen: Outside, driver: subprocess.Popen[bytes]) -> None:
    """Watch the driver and its Ray until a trial has trained for an epoch."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline and driver.poll() is None:
        processes = descendants(driver.pid)
        seen.listened |= listening(processes)
        seen.command_lines = set(map(command_line, processes))
        if any(event["kind"] == EPOCH for event in read_events(seen.paths.trial(0))):
            return
        time.sleep(0.2)


def command_line(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text(errors="replace")
    except OSError:
        return ""


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_study_keeps_to_itself(outside: Outside, refusing: ThreadingHTTPServer) -> None:
    assert len(outside.listened) > 5, "Ray's processes were found"
    assert {found for found in outside.listened if not is_loopback(found[0])} == set()
    token = outside.home / ".ray" / "auth_token"
    assert stat.S_IMODE(token.stat().st_mode) == 0o600
    assert any(refusing.seen), "credentials were sent to MLflow"  # type: ignore[attr-defined]
    assert b"127.0.0.1" in outside.printed
    written = everything_in(outside.paths.root.parent, outside.ray)
    assert b"raylet" in written, "Ray's own files were read"
    shown = "\n".join(outside.command_lines)
    assert "\0study\0launch\0" in shown
    assert "raylet" in shown
    elsewhere = written.replace(token.read_bytes(), b"", 1)
    for secret in (PASSWORD, IN_ENVIRONMENT, token.read_text()):
        assert secret.encode() not in outside.printed
        assert secret.encode() not in elsewhere
        assert secret not in shown


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")
def test_passwords_are_not_seen_in_the_list_of_processes(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from study.command_line import hide_secrets; hide_secrets();"
        "print(Path('/proc/self/cmdline').read_text()); print(sys.argv[1:])"
    )
    secret = [
        "--tracking-uri",
        f"http://{USER}:{PASSWORD}@host:5000/x",
        f"--set=tracking.uri=http://a:{PASSWORD}@h",
        "ü",
    ]
    run = subprocess.run([sys.executable, "-c", code, *secret], cwd=REPOSITORY, capture_output=True, check=True)
    seen, known = run.stdout.decode().rstrip().split("\n")
    arguments = seen.rstrip("\0").split("\0")[3:]
    assert arguments == ["--tracking-uri", "http://host:5000/x", "--set=tracking.uri=http://h", "ü"]
    assert known == str(secret), "the program itself has them"


def test_a_token_that_others_could_read_is_closed_to_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    for name in ray_local.TOKEN_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    ray_local.keep_token_private()
    path = tmp_path / ".ray" / "auth_token"
    token = path.read_text()
    assert re.fullmatch("[0-9a-f]{64}", token)
    path.chmod(0o644)
    ray_local.keep_token_private()
    assert (path.read_text(), stat.S_IMODE(path.stat().st_mode)) == (token, 0o600)
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("name: ../elsewhere", "name is '../elsewhere'"),
        ("name: /etc/passwd", "name is '/etc/passwd'"),
        ("name: .hidden", "begin with no dot"),
        ("name: -a", "begin with no dot or hyphen"),
        ('name: "a\\0b"', "name is"),
        ('name: !!python/object/apply:os.system ["touch ran"]', "the tag"),
        ("space: !!python/name:os.system", "the tag"),
        ("settings: {data.source: !!python/object/new:os.system [touch ran]}", "the tag"),
    ],
)
def test_a_crafted_study_file_runs_nothing_and_names_no_other_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str, words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "study.yaml"
    named = "" if line.startswith("name") else "name: x\n"
    file.write_text(f"{named}{line}\ntrainables: [cf_amc_ssl]\nbudget: {{trials: 1}}\n")
    with pytest.raises(StudyFileError, match=re.escape(words)):
        StudyConfig.load(file)
    assert list(tmp_path.iterdir()) == [file]


class Payload:
    """Creates a file when it is unpickled."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self) -> Any:
        return (Path.touch, (self.file,))


def _checkpoint(path: Path, config: Any) -> Any:
    return checkpoint.load(path, config)


def _head(path: Path, config: Any) -> Any:
    return saved_heads.read_head(path)


def _auto_attack(path: Path, config: Any) -> Any:
    return auto_attack_state.load(path, {})


@pytest.mark.parametrize("load", [_checkpoint, _head, _auto_attack])
def test_a_crafted_pickle_is_refused_unrun(tmp_path: Path, load: Callable[[Path, Any], Any]) -> None:
    ran, path = tmp_path / "ran", tmp_path / "crafted.pt"
    torch.save({"format": 1, "state": Payload(ran), "learned": Payload(ran), "ledger": Payload(ran)}, path)
    with pytest.raises(CheckpointError, match=r"no readable .* \(UnpicklingError\)"):
        load(path, from_dict({"trainable": "cf_amc_ssl"}))
    assert not ran.exists()
    torch.load(path, weights_only=False)
    assert ran.exists(), "the crafted file does what it is meant to do"


def _link(paths: StudyPaths, name: str, target: Path) -> None:
    link = paths.root / name
    if link.is_dir():
        shutil.rmtree(link)
    link.unlink(missing_ok=True)
    link.symlink_to(target)


@pytest.mark.parametrize(
    "name", ["trials/0000", "trials/0000/events.jsonl", "trials/0000/.lock", "trials", "ray", "optuna.db", ".lock"]
)
def test_nothing_is_written_through_a_link(tiny: Tiny, studies: Path, tmp_path: Path, name: str) -> None:
    paths = StudyPaths(studies / "tiny")
    (paths.trials / "0000").mkdir(parents=True)
    paths.study_file.write_text(tiny().to_yaml())
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "kept").write_text("mine")
    _link(paths, name, outside / "kept" if "." in name else outside)
    with pytest.raises(LeavesFolderError, match=f"{name} is a link"):
        resume("tiny", backend="inline", console=Console(file=io.StringIO()))
    assert {file.name: file.read_text() for file in outside.iterdir()} == {"kept": "mine"}


def test_the_study_s_own_folder_may_be_elsewhere(tiny: Tiny, studies: Path, tmp_path: Path) -> None:
    launch(tiny(budget={"trials": 1}), backend="inline", console=Console(file=io.StringIO()))
    (studies / "tiny").rename(studies / "moved")
    (studies / "tiny").symlink_to(studies / "moved")
    check_contained(studies / "tiny")
