"""The method that the guide shows as one's own is found, keeps the contract and joins the guides' studies."""

from __future__ import annotations

import re
import shlex
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from study.config import StudyConfig
from study.config.file import parse_overrides
from trainables import attack_contract
from trainables.catalogue import TRAINABLES, check, default_config
from trainables.config import override
from trainables.contract import CONTRACT, small
from trainables.evaluation.attack import Attack, find
from trainables.metrics import CLEAN_ACCURACY
from trainables.trial import run

ROOT = Path(__file__).parents[2]
README, FILES, GUIDE = (
    (ROOT / name).read_text("utf-8") for name in ("README.md", "docs/study-file.md", "docs/own-method.md")
)
BY_NAME = {"first": README, "digits": FILES}
NAME, ATTACK = "align_uniform_pgd", "l2_pgd_128"
METHODS, ATTACKS = GUIDE.split("## Your own attack")


@pytest.fixture
def shown(package: Callable[..., Path]) -> str:
    """Install the method that the guide shows; its console lines."""
    return _installed(package, METHODS)


@pytest.fixture
def shown_attack(package: Callable[..., Path]) -> str:
    """Install the attacks that the guide shows; their console lines."""
    return _installed(package, ATTACKS)


def _installed(package: Callable[..., Path], section: str) -> str:
    project = tomllib.loads(_block("toml", section))["project"]
    (module,) = re.findall(r"^# (\w+)\.py$", _block("python", section), re.MULTILINE)
    groups = {group.rpartition(".")[2]: found for group, found in project["entry-points"].items()}
    package(module, _block("python", section), **groups)
    return _block("console", section)


def _block(kind: str, section: str) -> str:
    (found,) = re.findall(rf"```{kind}\n(.*?)```", section, re.DOTALL)
    return str(found)


def test_the_method_of_the_guide_is_a_trainable(shown: str) -> None:
    check(default_config(NAME))
    for promise in list(CONTRACT.values())[:2]:
        promise(small(default_config(NAME)))
    assert f"--check {NAME}" in shown
    assert NAME not in TRAINABLES


@pytest.mark.parametrize("name", ["digits", "first"])
def test_it_joins_the_studies_of_the_guides(shown: str, tmp_path: Path, name: str) -> None:
    space = _joined(shown, tmp_path, name).search_space()
    own = {"epsilon", "objective.weights.uniformity"}
    named = {"digits": own | {"epochs"}, "first": own | {"crop_scale_min", "learning_rate"}}
    assert set(space.parameters(NAME)) == named[name]


@pytest.mark.parametrize("name", [ATTACK, "l2_pgd_255"])
def test_the_attacks_of_the_guide_keep_the_contract(shown_attack: str, name: str) -> None:
    attack = find(name)
    assert isinstance(attack, Attack)
    assert {*dict(attack_contract.outcomes(attack)).values()} == {None}
    assert f"--check {ATTACK}" in shown_attack


def test_the_corruption_of_the_guide_keeps_it() -> None:
    (told,) = re.findall(r"`(lambda logits, images, labels: .*)`", ATTACKS)
    noise = Attack(name="noise", summary="", source="", perturb=eval(told, {"torch": torch}))
    assert {*dict(attack_contract.outcomes(noise)).values()} == {None}


def test_an_attack_joins_the_study_of_the_guide(shown_attack: str, tmp_path: Path) -> None:
    config = _joined(shown_attack, tmp_path, "digits")
    assert config.objectives == ["clean_accuracy", f"robust_head/{ATTACK}"]
    assert {base.evaluation.own_attacks for base in config.base_configs().values()} == {(ATTACK,)}


@pytest.mark.slow
def test_a_trial_of_it_runs_on_digits(shown: str, tmp_path: Path) -> None:
    space = _joined(shown, tmp_path, "digits").search_space()
    drawn = next(config for config in map(space.sample, range(100)) if config.trainable == NAME)
    result = run(override(drawn, {"optimiser.epochs": 1, "evaluation.head_epochs": 1, "device": "cpu"}))
    assert result.metrics()[CLEAN_ACCURACY] > 0.1


def _joined(shown: str, folder: Path, name: str) -> StudyConfig:
    """The study of that name as the guide's command has it, which is told for the smaller of the two."""
    (written,) = re.findall(rf"```yaml\n((?:# first\.yaml\n)?name: {name}\n.*?)```", BY_NAME[name], re.DOTALL)
    file = folder / f"{name}.yaml"
    file.write_text(written)
    (command,) = re.findall(r"study launch digits\.yaml (.*)", shown.replace("\\\n", " "))
    return StudyConfig.load(file, parse_overrides(shlex.split(command)[1::2]))
