"""A study that begins with what another found: only what both search, only what counts, whatever becomes of that."""

from __future__ import annotations

import io
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from analysis.layout import (
    ATTEMPT,
    ENDED,
    StudyPaths,
    append_event,
    append_exclusion,
    read_json,
    study_paths,
    write_json,
)
from analysis.reading.runs import read_study
from study.add import AddError, add
from study.config import StudyConfig
from study.config.file import StudyFileError
from study.extend import extend
from study.files.added import waiting
from study.launch import launch, resume
from study.search.start import StartError, Starts, gather
from study.tracking.tracker import sync
from trainables.config import UserError, to_dict
from trainables.recipes import RECIPES

Tiny = Callable[..., StudyConfig]
Study = Callable[..., tuple[int, str, str]]
CURVES = Path(__file__).parents[1] / "recorded" / "digits.jsonl"
RATE = {"low": 0.05, "high": 1.0}
WIDER = {
    "unlisted": "fixed",
    "learning_rate": RATE,
    "m": [1, 2, 3],
    "optimiser.weight_decay": {"low": 1e-5, "high": 0.1},
}


def quiet() -> Console:
    return Console(file=io.StringIO(), width=300)


@pytest.fixture
def older(tiny: Tiny, studies: Path) -> StudyPaths:
    """Of three trials the first two stand on the frontier; the third failed."""
    paths, config = study_paths("older"), tiny(name="older")
    write_json(paths.manifest, {"name": "older", "data": "small pictures", "trainables": ["cf_amc_ssl"]})
    figures = ((0.9, 0.3), (0.6, 0.5), None)
    for number, (rate, m) in enumerate(((0.5, 2), (0.25, 1), (0.125, 2))):
        params = {"learning_rate": rate, "m": m}
        told = {"number": number, "trainable": "cf_amc_ssl", "params": params}
        write_json(paths.trial(number).config, told | {"config": to_dict(config.search_space().config(params))})
        append_event(paths.trial(number), ATTEMPT, 1)
        metrics = dict(zip(("clean_accuracy", "pgd_accuracy"), figures[number] or (), strict=False))
        status = "finished" if metrics else "failed"
        append_event(paths.trial(number), ENDED, 1, status=status, reason=None, metrics=metrics)
    return paths


def gathered(config: StudyConfig) -> Starts:
    return gather(config, config.search_space())


def test_a_frontier_or_a_trial_is_begun_with(older: StudyPaths, tiny: Tiny) -> None:
    for names, trials in (
        (["older"], [0, 1]),
        (["older/2"], [2]),
        (["older/0001", "older"], [1, 0]),
        ([f"{older.root}/1"], [1]),
        ([str(older.root)], [0, 1]),
    ):
        found = gathered(tiny(start_from=names)).found
        assert [one.trial for one in found] == [f"older/{number:04d}" for number in trials]
    append_exclusion(older.trial(0), "wrong images")
    assert [one.trial for one in gathered(tiny(start_from=["older"])).found] == ["older/0001"]
    with pytest.raises(UserError, match="trial older/0 is excluded: wrong images; take it in again"):
        gathered(tiny(start_from=["older/0"]))


def test_only_what_both_search_is_taken(older: StudyPaths, tiny: Tiny) -> None:
    """What this study holds is its own, and the sampler draws what that one did not search."""
    config = tiny({"optimiser.epochs": 4}, space=WIDER, start_from=["table1/cf_amc_ssl", "older"], budget={"trials": 4})
    console = quiet()
    paths = launch(config, backend="replay", curves=CURVES, console=console)
    first, second, third, fourth = (read_json(trial.config) for trial in paths.each_trial())
    assert [one.get("origin") for one in (first, second, third, fourth)] == [
        *("table1/cf_amc_ssl", "older/0000", "older/0001", None)
    ]
    assert (second["params"]["learning_rate"], second["params"]["m"]) == (0.5, 2)
    assert (third["params"]["learning_rate"], third["params"]["m"]) == (0.25, 1)
    assert 1e-5 <= second["params"]["optimiser.weight_decay"] <= 0.1
    assert second["params"]["optimiser.weight_decay"] != third["params"]["optimiser.weight_decay"]
    assert second["config"]["optimiser"]["epochs"] == 4
    said = console.file.getvalue()  # type: ignore[attr-defined]
    assert "begins with older/0000: m 2, learning_rate 0.5; the sampler draws optimiser.weight_decay" in said
    assert read_study(paths).trials["origin"].tolist()[1:3] == ["older/0000", "older/0001"]


def test_what_lies_outside_is_refused_by_name_and_left_out_of_a_frontier(older: StudyPaths, tiny: Tiny) -> None:
    space = {"unlisted": "fixed", "learning_rate": {"low": 0.05, "high": 0.3}}
    outside = r"older/0000 lies outside the study: learning_rate is 0\.5, outside 0\.05 to 0\.3 \(log\) of cf_amc_ssl"
    with pytest.raises(StartError, match=outside + "; widen the ranges, or leave older/0 out"):
        gathered(tiny(space=space, start_from=["older/0"]))
    some = gathered(tiny(space=space, start_from=["older"]))
    assert [one.trial for one in some.found] == ["older/0001"]
    assert [trial for trial, _ in some.outside] == ["older/0000"]
    with pytest.raises(
        StartError, match=r"older/0000 lies .*; older/0001 lies .*; widen the ranges, or leave older out"
    ):
        gathered(tiny(space={"unlisted": "fixed", "learning_rate": [0.75]}, start_from=["older"]))
    with pytest.raises(StartError, match="it searched nothing that is searched here"):
        gathered(tiny(space={"unlisted": "fixed", "optimiser.weight_decay": [0.0, 0.1]}, start_from=["older/0"]))
    with pytest.raises(StartError, match=r"trainable 'cf_amc_ssl' is not in this space"):
        gathered(
            tiny(trainables=["pgd_emp_ssl"], space={"unlisted": "fixed", "learning_rate": RATE}, start_from=["older/0"])
        )


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("nowhere", "no study named 'nowhere' in .*; there: older"),
        ("nowhere/3", "no study named 'nowhere'"),
        ("older/7", "start_from: there is no trial older/7"),
    ],
)
def test_what_is_not_there_is_told(older: StudyPaths, tiny: Tiny, name: str, words: str) -> None:
    with pytest.raises(UserError, match=words):
        gathered(tiny(start_from=[name]))


def test_what_another_study_measures_again_is_not_its_own(older: StudyPaths, tiny: Tiny) -> None:
    write_json(older.manifest, read_json(older.manifest) | {"measures": {"study": "oldest"}})
    with pytest.raises(StartError, match="older measures or trains again what another study found; name that one"):
        gathered(tiny(start_from=["older"]))
    assert gathered(tiny(start_from=["older/0"])).found


def test_an_unknown_recipe_is_answered_with_the_nearest_few(tiny: Tiny, tmp_path: Path, studies: Path) -> None:
    file = tmp_path / "study.yaml"
    file.write_text(tiny().to_yaml().replace("start_from: []", "start_from: [table1/cf_amc_sl]"))
    with pytest.raises(StudyFileError) as wrong:
        StudyConfig.load(file)
    told = str(wrong.value)
    assert "unknown recipe 'table1/cf_amc_sl'; did you mean table1/cf_amc_ssl or " in told
    assert "`study reproduce --list` names them all; a study's folder is named as ./FOLDER or absolutely" in told
    assert sum(name in told for name in RECIPES) <= 4


def test_a_path_that_is_no_recipe_leads_to_a_study(
    older: StudyPaths, tiny: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where a name is both, it is the recipe's; the path begins with a dot then."""
    home = tmp_path / "home"
    shutil.copytree(older.root, home / "table1" / "cf_amc_ssl")
    shutil.copytree(older.root, home / "runs" / "older")
    monkeypatch.chdir(home)
    asked = tiny(start_from=["table1/cf_amc_ssl", "./table1/cf_amc_ssl", "runs/older/1"], space=WIDER)
    assert asked.start_from == ["table1/cf_amc_ssl", str(home / "table1/cf_amc_ssl"), str(home / "runs/older/1")]
    monkeypatch.chdir(tmp_path)
    assert [one.trial for one in gathered(asked).found] == ["cf_amc_ssl/0000", "cf_amc_ssl/0001", "older/0001"]


def test_it_is_read_from_mlflow_too(older: StudyPaths, tiny: Tiny, studies: Path) -> None:
    sync(older)
    address = f"mlflow:sqlite:///{studies / 'mlflow.db'}#older"
    shutil.rmtree(older.root)
    assert [one.trial for one in gathered(tiny(start_from=[address])).found] == ["older/0000", "older/0001"]
    (one,) = gathered(tiny(start_from=[f"{address}/2"])).found
    assert (one.trial, one.values["learning_rate"]) == ("older/0002", 0.125)


KILLED = """
import os, sys
import optuna
from study.config import StudyConfig
from study.launch import launch
enqueue, enqueued = optuna.Study.enqueue_trial, []
def dying(study, params, **rest):
    if enqueued:
        os._exit(9)
    enqueued.append(params)
    enqueue(study, params, **rest)
optuna.Study.enqueue_trial = dying
launch(StudyConfig.load(sys.argv[1]), backend="inline")
"""


def test_it_is_gone_on_with_when_the_other_study_is_gone(older: StudyPaths, tiny: Tiny, tmp_path: Path) -> None:
    """A driver is killed before it has handed all to Optuna; then the study is extended meanwhile."""
    file = tmp_path / "study.yaml"
    file.write_text(tiny(start_from=["older"], budget={"trials": 1}).to_yaml())
    assert subprocess.run([sys.executable, "-c", KILLED, file], check=False).returncode == 9
    shutil.rmtree(older.root)
    resume("tiny", backend="inline", console=quiet())
    changes: dict[str, Any] = {"space.learning_rate.high": 0.75, "space.m": [1, 2, 3]}
    extend("tiny", trials=1, changes=changes, backend="inline", console=quiet())
    resume("tiny", trials=3, backend="inline", console=quiet())
    paths = study_paths("tiny")
    told = [read_json(trial.config) for trial in paths.each_trial()]
    assert [one.get("origin") for one in told] == ["older/0000", "older/0001", None]
    assert [one["params"]["learning_rate"] for one in told[:2]] == [0.5, 0.25]
    assert StudyConfig.load(paths.study_file).start_from == ["older"]


def test_what_waits_outside_new_ranges_is_taken_back(older: StudyPaths, tiny: Tiny) -> None:
    paths = launch(tiny(start_from=["older"], budget={"trials": 1}), backend="inline", console=quiet())
    console = quiet()
    changes: dict[str, Any] = {"space.learning_rate": {"low": 0.4, "high": 1.0}}
    extend("tiny", trials=1, changes=changes, backend="inline", console=console)
    said = console.file.getvalue()  # type: ignore[attr-defined]
    assert "older/0001: learning_rate is 0.25, outside 0.4 to 1" in said
    assert [read_json(trial.config).get("origin") for trial in paths.each_trial()] == ["older/0000", None]
    assert StudyConfig.load(paths.study_file).start_from == []


def test_a_dry_run_lists_them(older: StudyPaths, tiny: Tiny, study: Study, tmp_path: Path) -> None:
    file = tmp_path / "study.yaml"
    file.write_text(tiny(start_from=["older/1", "older"]).to_yaml())
    code, out, _ = study("launch", file, "--dry-run")
    assert code == 0
    assert "Configurations: what is named of older/1, older first, then random" in " ".join(out.split())
    assert "begins with older/0001: m 1, learning_rate 0.25" in out
    assert "begins with older/0000: m 2, learning_rate 0.5" in out


def test_a_configuration_like_that_of_another_study_is_added(older: StudyPaths, tiny: Tiny, study: Study) -> None:
    """What that did not search must be said: nobody draws it."""
    paths = study_paths("tiny")
    paths.root.mkdir()
    paths.study_file.write_text(tiny(space=WIDER).to_yaml())
    with pytest.raises(AddError, match=r"parameter 'optimiser.weight_decay' is missing"):
        add("tiny", {}, like="older/1")
    assert study("add", "tiny", "--like", "older/1", "--set", "optimiser.weight_decay=0.01", "--set", "m=3")[0] == 0
    assert [dict(one.values) for one in waiting(paths)] == [
        {"learning_rate": 0.25, "m": 3, "optimiser.weight_decay": 0.01}
    ]
    append_exclusion(older.trial(1), "wrong images")
    assert "trial older/1 is excluded" in study("add", "tiny", "--like", "older/1")[2]
    assert "there is no trial older/9" in study("add", "tiny", "--like", "older/9")[2]
