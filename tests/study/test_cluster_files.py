"""The files we ship for clusters: well-formed, closed to strangers, and a batch script that does what it says."""

from __future__ import annotations

import os
import re
import signal
import stat
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
import ray
from packaging.version import Version
from ray.autoscaler._private.util import prepare_config, validate_config
from ruamel.yaml import YAML

FOLDER = Path(__file__).resolve().parents[2] / "cluster"
SCRIPT = FOLDER / "study.slurm"
PATIENCE_S = 60.0


def load(name: str) -> dict[str, Any]:
    found: dict[str, Any] = YAML(typ="safe", pure=True).load((FOLDER / name).read_text())
    return found


def test_ray_takes_the_file_for_its_launcher() -> None:
    config = load("local.yaml")
    validate_config(prepare_config(config))
    started = [*config["head_start_ray_commands"], *config["worker_start_ray_commands"]]
    assert all("RAY_AUTH_MODE=token" in command for command in started if "ray start" in command)
    assert any("--dashboard-host=127.0.0.1" in command for command in started)
    assert "~/.ray/auth_token" in config["file_mounts"]


def typed(values: dict[str, Any], kinds: dict[str, type]) -> None:
    for name, kind in kinds.items():
        assert type(values[name]) is kind, name


def check_group(group: dict[str, Any]) -> None:
    assert all(isinstance(value, str) for value in group["rayStartParams"].values())
    (container,) = group["template"]["spec"]["containers"]
    typed(container, {"name": str, "image": str, "env": list, "resources": dict, "volumeMounts": list})
    assert all(variable.keys() == {"name", "value"} for variable in container["env"])
    assert all(isinstance(variable["value"], str) for variable in container["env"])
    mounted = {mount["name"] for mount in container["volumeMounts"]}
    assert mounted == {volume["name"] for volume in group["template"]["spec"]["volumes"]}


def test_the_rayjob_has_what_the_published_schema_wants() -> None:
    job = load("rayjob.yaml")
    assert (job["apiVersion"], job["kind"]) == ("ray.io/v1", "RayJob")
    spec, cluster = job["spec"], job["spec"]["rayClusterSpec"]
    typed(spec, {"entrypoint": str, "backoffLimit": int, "shutdownAfterJobFinishes": bool, "submissionMode": str})
    typed(cluster, {"rayVersion": str, "headGroupSpec": dict, "workerGroupSpecs": list})
    assert Version("2.60") <= Version(cluster["rayVersion"]) <= Version(ray.__version__)
    assert cluster["authOptions"] == {"mode": "token"}
    check_group(cluster["headGroupSpec"])
    for group in cluster["workerGroupSpecs"]:
        typed(group, {"groupName": str, "replicas": int, "minReplicas": int, "maxReplicas": int})
        assert group["minReplicas"] <= group["replicas"] <= group["maxReplicas"]
        check_group(group)
    subprocess.run(["sh", "-n", "-c", spec["entrypoint"]], check=True)


def write_command(folder: Path, name: str, body: str) -> None:
    path = folder / name
    path.write_text(f'#!/usr/bin/env bash\necho "{name} $*" >> "$LOG"\n{body}\n')
    path.chmod(0o755)


@pytest.fixture
def slurm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of commands that only say how they were called: SLURM's, Ray's and ours. Returns their log."""
    commands, log = tmp_path / "bin", tmp_path / "log"
    commands.mkdir()
    log.touch()
    write_command(commands, "scontrol", '[ "$1" != show ] || printf "node-1\\nnode-2\\n"')
    write_command(commands, "srun", 'while [[ "$1" == --* ]]; do shift; done; exec "$@"')
    write_command(commands, "hostname", "echo 10.0.0.5 fe80::1")
    write_command(
        commands,
        "ray",
        'token="$(stat -c %a "$RAY_AUTH_TOKEN_PATH") $(wc -c < "$RAY_AUTH_TOKEN_PATH")"\n'
        'echo "token of $1 $2: $RAY_AUTH_MODE $token" >> "$LOG"\n'
        '[ "$1" != start ] || exec sleep 300',
    )
    write_command(
        commands,
        "study",
        # the worker has read the token, which goes when this ends
        'until grep -q "^token of start --address" "$LOG"; do sleep 0.02; done\n'
        '[ -z "${HOLDS:-}" ] || { trap "exit 130" TERM; echo "study holds" >> "$LOG"; while :; do sleep 0.05; done; }\n'
        'exit "${CODE:-0}"',
    )
    for name, value in {
        "LOG": str(log),
        "PATH": f"{commands}:{os.environ['PATH']}",
        "ROBUST_SSL_STUDIES": str(tmp_path / "studies"),
        "SLURM_JOB_ID": "7",
        "SLURM_JOB_NODELIST": "node-[1-2]",
        "SLURM_CPUS_PER_TASK": "16",
    }.items():
        monkeypatch.setenv(name, value)
    return log


def start(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        ["bash", str(SCRIPT), *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def test_the_batch_script_starts_ray_then_the_study(slurm: Path, tmp_path: Path) -> None:
    job = start("study.yaml", "first", "http://mlflow.example:5000")
    printed, _ = job.communicate(timeout=PATIENCE_S)
    assert job.returncode == 0, printed
    lines = slurm.read_text().splitlines()
    (head,) = (line for line in lines if line.startswith("ray start --head"))
    assert "--node-ip-address=10.0.0.5 --port=6379 --dashboard-host=127.0.0.1 --num-cpus=16" in head
    (worker,) = (line for line in lines if line.startswith("ray start --address"))
    assert "--address=10.0.0.5:6379" in worker
    assert any("--nodelist=node-1 ray start --head" in line for line in lines if line.startswith("srun"))
    assert any("--nodes=1 --ntasks=1 --exclude=node-1 ray start" in line for line in lines if line.startswith("srun"))
    (study,) = (line for line in lines if line.startswith("study"))
    assert study == (
        "study launch study.yaml --set name=first --address 10.0.0.5:6379 --tracking-uri http://mlflow.example:5000"
    )
    assert lines.index(head) < lines.index(study)
    tokens = [line.split(": ")[1] for line in lines if line.startswith("token of")]
    assert len(tokens) >= 3, "the head, the look at its health, the worker"
    assert set(tokens) == {"token 600 64"}
    assert not list((tmp_path / "studies").glob(".ray-token*")), "the token goes with the job"
    assert not any("requeue" in line for line in lines)


def test_a_study_that_exists_is_resumed_and_its_failure_is_the_job_s(
    slurm: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "studies" / "first").mkdir(parents=True)
    (tmp_path / "studies" / "first" / "study.yaml").touch()
    monkeypatch.setenv("CODE", "2")
    job = start("study.yaml", "first")
    job.communicate(timeout=PATIENCE_S)
    assert job.returncode == 2
    assert "study resume first --address 10.0.0.5:6379\n" in slurm.read_text()
    assert "requeue" not in slurm.read_text()


def test_a_preempted_job_ends_its_study_in_order_and_is_queued_again(
    slurm: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOLDS", "yes")
    job = start("study.yaml", "first")
    deadline = time.monotonic() + PATIENCE_S
    while "study holds" not in slurm.read_text() and time.monotonic() < deadline:
        time.sleep(0.02)
    job.send_signal(signal.SIGTERM)
    printed, _ = job.communicate(timeout=PATIENCE_S)
    assert job.returncode == 0, printed
    assert "exit code 130" in printed
    assert "scontrol requeue 7" in slurm.read_text()
    assert not list((tmp_path / "studies").glob(".ray-token*"))


@pytest.mark.parametrize(("arguments", "words"), [([], "give the study file"), (["x"], "give the study a name")])
def test_the_batch_script_says_what_it_lacks(slurm: Path, arguments: list[str], words: str) -> None:
    job = start(*arguments)
    printed, _ = job.communicate(timeout=PATIENCE_S)
    assert job.returncode != 0
    assert words in printed
    assert slurm.read_text() == ""


def test_directives_stand_before_the_first_command() -> None:
    """SLURM reads no directive after it, and nothing else in the script asks for a shell's own file mode."""
    lines = SCRIPT.read_text().splitlines()
    first = next(index for index, line in enumerate(lines) if line and not line.startswith("#"))
    directives = [index for index, line in enumerate(lines) if line.startswith("#SBATCH ")]
    assert directives
    assert max(directives) < first
    assert any(re.fullmatch(r"#SBATCH --signal=B:TERM@\d+", lines[index]) for index in directives)
    assert stat.S_IMODE(SCRIPT.stat().st_mode) & 0o111
