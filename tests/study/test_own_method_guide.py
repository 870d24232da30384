"""The method that the guide shows as one's own is found, keeps the contract and joins the README's study."""

from __future__ import annotations

import re
import shlex
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from study.config import StudyConfig
from study.config.file import parse_overrides
from trainables.catalogue import TRAINABLES, check, default_config
from trainables.contract import CONTRACT, small

ROOT = Path(__file__).parents[2]
README, GUIDE = ((ROOT / name).read_text("utf-8") for name in ("README.md", "docs/own-method.md"))
NAME = "align_uniform_pgd"


@pytest.fixture
def shown(package: Callable[..., Path]) -> str:
    """Install what the guide shows; its console lines."""
    project = tomllib.loads(_block("toml"))["project"]
    (module,) = re.findall(r"^# (\w+)\.py$", _block("python"), re.MULTILINE)
    groups = {group.rpartition(".")[2]: found for group, found in project["entry-points"].items()}
    package(module, _block("python"), project["version"], **groups)
    return _block("console")


def _block(kind: str) -> str:
    (found,) = re.findall(rf"```{kind}\n(.*?)```", GUIDE, re.DOTALL)
    return str(found)


def test_the_method_of_the_guide_is_a_trainable(shown: str) -> None:
    check(default_config(NAME))
    for promise in list(CONTRACT.values())[:2]:
        promise(small(default_config(NAME)))
    assert f"--check {NAME}" in shown
    assert NAME not in TRAINABLES


def test_it_joins_the_readmes_first_study(shown: str, tmp_path: Path) -> None:
    (first,) = re.findall(r"```yaml\n(# first\.yaml\n.*?)```", README, re.DOTALL)
    file = tmp_path / "first.yaml"
    file.write_text(first)
    (command,) = re.findall(r"study launch first\.yaml (.*)", shown.replace("\\\n", " "))
    space = StudyConfig.load(file, parse_overrides(shlex.split(command)[1::2])).search_space()
    names = {"epsilon", "crop_scale_min", "learning_rate", "objective.weights.uniformity"}
    assert set(space.parameters(NAME)) == names
