"""One command for everything that wants a GPU: what is done is kept, what fails leaves nothing that looks done."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest
from typer.testing import CliRunner

from study.commands.main import app
from study.config import StudyConfig

SCRIPT = Path(__file__).resolve().parents[2] / "benchmarks" / "gpu.sh"
STAND_IN = """#!/bin/sh
echo "$@" >> {called}
case "$*" in *{fails}*) echo "half of it"; echo "out of memory" >&2; exit 1;; esac
echo '{{"ran": true}}'
"""


def measure(
    folder: Path, *parts: str, fails: str = "nothing", images: str = ".", checkout: bool = True
) -> subprocess.CompletedProcess[str]:
    """Called within ``folder``, which ``images`` is relative to."""
    python = folder / "python"
    python.write_text(STAND_IN.format(called=folder / "called", fails=fails))
    python.chmod(0o755)
    (folder / "called").write_text("")
    arguments = [images, "out", *(["."] if checkout else [])]
    environment = os.environ | {"PYTHON": str(python)} | ({"PARTS": " ".join(parts)} if parts else {})
    return subprocess.run(
        [SCRIPT, *arguments], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


def called(folder: Path) -> list[str]:
    return (folder / "called").read_text().splitlines()


def begin_search(folder: Path) -> None:
    """As a launch leaves it that comes far enough for a study to go on with."""
    (folder / "out" / "studies" / "gpu-search").mkdir(parents=True)
    (folder / "out" / "studies" / "gpu-search" / "study.yaml").touch()


def test_everything_is_measured_and_not_again(tmp_path: Path) -> None:
    assert measure(tmp_path).returncode == 0
    programs = [line.split()[1] for line in called(tmp_path)]
    assert programs[:4] == ["benchmarks.step", "benchmarks.step", "benchmarks.released", "trainables"]
    assert {f"benchmarks.{name}" for name in ("step", "evaluation", "startup", "sharing")} < set(programs)
    assert "table1/robust_simclr" in called(tmp_path)[-1], "the longest row is the last"
    search = [line.split()[2] for line in called(tmp_path) if line.startswith("-m study")]
    assert search == ["launch", "confirm", "front"]
    left = list((tmp_path / "out").glob("*.json"))
    assert len(left) == len(programs) - len(search) + 1
    assert all(json.loads(file.read_text()) == {"ran": True} for file in left)
    assert measure(tmp_path).returncode == 0
    assert called(tmp_path) == []


def test_what_fails_is_told_and_tried_again(tmp_path: Path) -> None:
    failed = measure(tmp_path, "recipe", "evaluation", "sharing", fails="trainables")
    assert failed.returncode == 1
    assert "out of memory" in failed.stderr
    assert "evaluation needs the part recipe" in failed.stderr
    assert [file.name for file in (tmp_path / "out").glob("*.json")] == ["sharing.json"]
    assert measure(tmp_path, "recipe", "evaluation", "sharing").returncode == 0
    assert [line.split()[1] for line in called(tmp_path)] == ["trainables", "benchmarks.evaluation"]


def test_a_search_that_ended_early_is_gone_on_with(tmp_path: Path) -> None:
    failed = measure(tmp_path, "search", fails="confirm")
    assert failed.returncode == 1
    assert [line.split()[2] for line in called(tmp_path)] == ["launch", "confirm"]
    begin_search(tmp_path)
    assert measure(tmp_path, "search").returncode == 0
    assert [line.split()[2] for line in called(tmp_path)] == ["resume", "confirm", "front"]


@pytest.mark.parametrize("begun", [False, True])
def test_the_command_line_takes_what_a_search_gives_it(tmp_path: Path, begun: bool) -> None:
    """The stand-in takes anything."""
    if begun:
        begin_search(tmp_path)
    assert measure(tmp_path, "search").returncode == 0
    for line in called(tmp_path):
        _, _, *words = line.split()
        told = CliRunner().invoke(app, [*words, "--help"])
        assert told.exit_code == 0, told.output


def test_folders_are_those_of_who_calls(tmp_path: Path) -> None:
    (tmp_path / "my images").mkdir()
    assert measure(tmp_path, "startup", images="my images").returncode == 0
    assert (tmp_path / "out" / "startup.json").exists()
    assert f"folder:{tmp_path / 'my images'}" in called(tmp_path)[0]


def test_the_study_that_is_searched_is_a_valid_one() -> None:
    assert StudyConfig.load(SCRIPT.with_name("search.yaml")).name == "gpu-search"


@pytest.mark.parametrize(("part", "code", "words"), [("released", 1, "needs a CHECKOUT"), ("rest", 2, "no part rest")])
def test_a_part_that_cannot_be_run_is_named(tmp_path: Path, part: str, code: int, words: str) -> None:
    refused = measure(tmp_path, part, checkout=False)
    assert (refused.returncode, called(tmp_path)) == (code, [])
    assert words in refused.stderr
