"""Methods of other packages in studies: searched, recorded, gone on with, and read where they are not installed."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from analysis.layout import ATTEMPT, StudyPaths, default_tracking_uri, read_events, read_json, study_paths
from analysis.reading.runs import read_mlflow, read_study
from analysis.report.page import render
from analysis.tables.trial_page import trial_page
from analysis.tables.trials import frontier_table
from study.config import StudyConfig
from study.config.confirmation import Confirmation
from study.config.file import StudyFileError
from study.launch import launch, resume
from study.publishing.export import export
from study.reference import keys_in_words, settings, settings_in_words
from trainables import catalogue
from trainables.catalogue import configure, default_config
from trainables.config import UserError

VARIANCE = "objective.weights.variance"


@pytest.fixture
def own(tiny: Callable[..., StudyConfig], own_package: Path) -> Callable[..., StudyConfig]:
    """A tiny study of a method that a package brings, beside one of the platform's."""

    def build(settings: dict[str, Any] | None = None, **keys: Any) -> StudyConfig:
        space = {"unlisted": "fixed", VARIANCE: [5, 25], "m": 1}
        values = {"name": "own", "trainables": ["vicreg_pgd", "cf_amc_ssl"], "space": space, "sampler": "grid"}
        return tiny({"objective.weights.covariance": 2} | (settings or {}), **values | {"budget": {"trials": 3}} | keys)

    return build


@pytest.fixture
def studied(own: Callable[..., StudyConfig], studies: Path, once: Callable[..., StudyPaths]) -> StudyPaths:
    return once("own", lambda: launch(own(), backend="inline", console=console()))


@pytest.fixture
def elsewhere(studied: StudyPaths, own_package: Path, monkeypatch: pytest.MonkeyPatch) -> StudyPaths:
    """The study on a machine that has not the package."""
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if entry != str(own_package)])
    assert "vicreg_pgd" not in catalogue.names()
    return studied


def console() -> Console:
    return Console(file=io.StringIO(), width=1000)


def said(told: Console) -> str:
    assert isinstance(told.file, io.StringIO)
    return told.file.getvalue()


def test_weights_are_searched_and_set_like_any_other_setting(studied: StudyPaths) -> None:
    trials = read_study(studied).finished
    ours = trials[trials["trainable"] == "vicreg_pgd"]
    assert sorted(ours[f"param.{VARIANCE}"]) == sorted(ours[f"config.{VARIANCE}"]) == [5.0, 25.0]
    assert set(ours["config.objective.weights.covariance"]) == {2.0}
    assert trials[trials["trainable"] == "cf_amc_ssl"][f"config.{VARIANCE}"].isna().all()
    assert StudyConfig.load(studied.study_file).search_space().size == 3


def test_manifest_and_attempts_record_the_packages(studied: StudyPaths) -> None:
    manifest = read_json(studied.manifest)
    assert [(one["kind"], one["name"], one["distribution"], one["version"]) for one in manifest["packages"]] == [
        ("trainable", "vicreg_pgd", "group-ssl", "0.3.1"),
        ("objective", "vicreg", "group-ssl", "0.3.1"),
    ]
    assert manifest["environment"]["group-ssl"] == "0.3.1"
    used = {
        read_json(trial.config)["trainable"]: event.get("packages")
        for trial in studied.each_trial()
        for event in read_events(trial)
        if event["kind"] == ATTEMPT
    }
    assert used == {"vicreg_pgd": manifest["packages"], "cf_amc_ssl": None}


def test_a_model_card_names_the_package_of_its_trials_methods(studied: StudyPaths, tmp_path: Path) -> None:
    owners = read_study(studied).trials.set_index("trainable")["id"]
    told = {}
    for trainable, trial in (("vicreg_pgd", owners["vicreg_pgd"].iloc[0]), ("cf_amc_ssl", owners["cf_amc_ssl"])):
        export(str(trial), tmp_path / trainable)
        told[trainable] = (tmp_path / trainable / "README.md").read_text()
    assert " It was trained and measured with group-ssl 0.3.1.\n\nEvery setting" in told["vicreg_pgd"]
    assert "group-ssl" not in told["cf_amc_ssl"]


def test_a_study_is_read_where_its_package_is_not_installed(elsewhere: StudyPaths) -> None:
    study = read_study(elsewhere)
    assert len(study.finished) == 3
    assert frontier_table(study).rows
    page = render(study)
    assert "vicreg_pgd" in page
    assert "group-ssl" in page
    number = int(study.trials.set_index("trainable")["number"]["vicreg_pgd"].iloc[0])
    told = trial_page(study, elsewhere.trial(number))
    assert told.figures.rows
    assert dict(told.facts)["Settings"].endswith("or install the package that brings it")


def test_a_study_is_not_gone_on_with_where_its_package_is_not_installed(elsewhere: StudyPaths) -> None:
    needed = (
        r"study own needs trainable vicreg_pgd of group-ssl 0\.3\.1, objective vicreg of group-ssl 0\.3\.1; install"
    )
    with pytest.raises(UserError, match=needed):
        resume("own", trials=4, backend="inline", console=console())


def test_other_code_than_the_study_began_with_is_told_once(studied: StudyPaths, newer_package: Path) -> None:
    told, again = console(), console()
    resume("own", backend="inline", console=told)
    where = "objective vicreg was of group-ssl 0.3.1 and is of group-ssl 0.4.0, with other source"
    assert where in said(told)
    assert "trainable vicreg_pgd was of group-ssl 0.3.1 and is of group-ssl 0.4.0, its module the same" in said(told)
    manifest = read_json(studied.manifest)
    assert {one["version"] for one in manifest["packages"]} == {manifest["environment"]["group-ssl"]} == {"0.4.0"}
    resume("own", backend="inline", console=again)
    assert "group-ssl" not in said(again)


def test_a_loss_that_raises_fails_its_trial_alone(own, package, studies: Path) -> None:
    source = (
        "from dataclasses import replace\n"
        "from group_ssl.vicreg import OBJECTIVE\n"
        "from group_ssl.methods import VICREG_PGD, defaults_pgd\n"
        "from trainables.config import ObjectiveConfig\n"
        "def loss(embeddings, labels, weights): return 1 / 0\n"
        "BROKEN = replace(OBJECTIVE, name='broken', loss=loss)\n"
        "def defaults(_):\n"
        "    return replace(defaults_pgd('paper'), trainable='breaks', objective=ObjectiveConfig(name='broken'))\n"
        "BREAKS = replace(VICREG_PGD, name='breaks', objectives=('broken',), defaults=defaults)\n"
    )
    package("breaking", source, objectives={"broken": "breaking:BROKEN"}, trainables={"breaks": "breaking:BREAKS"})
    config = own(name="broken", trainables=["breaks", "cf_amc_ssl"], space={"unlisted": "fixed"}, budget={"trials": 2})
    trials = read_study(launch(config, backend="inline", console=console())).trials
    reasons = dict(zip(trials["trainable"], trials["reason"], strict=True))
    assert reasons["breaks"] == "ZeroDivisionError: division by zero"
    assert not reasons["cf_amc_ssl"]


def test_study_settings_lists_methods_of_packages_and_their_weights(own_package: Path) -> None:
    found = {one.setting: one for one in settings(default_config("vicreg_pgd"), "objective")}
    assert (found[VARIANCE].value, found[VARIANCE].dimension, found[VARIANCE].has_effect) == (25.0, VARIANCE, True)
    assert not found["objective.temperature"].has_effect
    told = console()
    told.print(keys_in_words())
    told.print(settings_in_words("vicreg_pgd", list(found.values())))
    assert "of group-ssl 0.3.1" in said(told)
    assert "weights.variance" in said(told)


def test_a_study_file_names_every_fault(own_package: Path, package, tmp_path: Path) -> None:
    package("faulty", "import nothing_of_that_name", trainables={"mine": "faulty:METHOD"})
    file = tmp_path / "study.yaml"
    file.write_text("name: s\ntrainables:\n  - vicreg_pgd\n  - mine\nbudget: {trials: 1}\n")
    with pytest.raises(StudyFileError, match=r"yaml:4: trainable 'mine' of faulty 1\.2 cannot be imported"):
        StudyConfig.load(file)
    head = "name: s\ntrainables: [vicreg_pgd]\nbudget: {trials: 1}\n"
    file.write_text(f"{head}settings:\n  objective.weights.varience: 1\n")
    with pytest.raises(StudyFileError, match=r"yaml:5: .*varience means nothing to .*; weights of vicreg are inv"):
        StudyConfig.load(file)
    file.write_text(head)
    ends = {f"space.objective.weights.covariance.{end}": value for end, value in (("low", 1), ("high", 4))}
    found = StudyConfig.load(file, {f"settings.vicreg_pgd.{VARIANCE}": 3} | ends)
    assert found.base_configs()["vicreg_pgd"].objective.weights["variance"] == 3.0
    assert found.space == {"objective.weights.covariance": {"low": 1, "high": 4}}
    listed = StudyConfig.load(file, {f"space.{VARIANCE}.choices": [1, 2], f"space.{VARIANCE}.when.crops": 4})
    assert listed.space == {VARIANCE: {"choices": [1, 2], "when": {"crops": 4}}}


def test_no_trainable_is_called_as_a_dimension_is(package, tiny) -> None:
    package("short", "", trainables={"m": "short:M"})
    with pytest.raises(ValueError, match="trainable 'm' is called as the dimension of that name is"):
        tiny(trainables=["m"])


def test_chosen_trials_of_methods_with_weights_and_without_are_listed_together(own_package: Path) -> None:
    test = {"evaluation.split": "test"}
    chosen = [configure("vicreg_pgd", {VARIANCE: 3} | test), configure("cf_amc_ssl", test)]
    listed = Confirmation.of("own", [1], [(number, {}, config) for number, config in enumerate(chosen)])
    assert not list(listed.faults())
    assert Confirmation.model_validate(json.loads(listed.model_dump_json())).configs() == chosen


@pytest.mark.slow
def test_a_study_of_ones_own_method_under_ray(own, own_package: Path, studies: Path) -> None:
    """Workers find the package as any process does; MLflow has the weights as parameters."""
    file = studies / "own.yaml"
    config = own(name="rayed", trainables=["vicreg_free"], budget={"trials": 2}, tracking={"offline": False},
                 space={"unlisted": "fixed", VARIANCE: {"low": 5, "high": 50, "log": True}}, sampler="tpe")  # fmt: skip
    file.write_text(config.to_yaml())
    path = os.pathsep.join([str(own_package), *filter(None, [os.environ.get("PYTHONPATH")])])
    command = [sys.executable, "-m", "study", "launch", str(file)]
    environment = os.environ | {"PYTHONPATH": path, "OMP_NUM_THREADS": "1"}
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    trials = read_study(study_paths("rayed")).finished
    assert len(trials) == 2
    assert trials[f"param.{VARIANCE}"].between(5, 50).all()
    kept = read_mlflow(default_tracking_uri(studies), "rayed").trials
    assert sorted(kept[f"param.{VARIANCE}"]) == pytest.approx(sorted(trials[f"param.{VARIANCE}"]))
