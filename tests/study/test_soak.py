"""A study that is killed all over the place ends as if nothing had happened; what is amiss is found.

Twelve trials here; ``benchmarks/soak.py`` is the same with two hundred.
"""

from __future__ import annotations

import importlib.util
import io
import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import optuna
import pytest
from mlflow import MlflowClient
from rich.console import Console

from analysis.layout import ENDED, StudyPaths, append_event, default_tracking_uri, read_events
from study.launch import launch

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture(scope="module")
def soak() -> Iterator[ModuleType]:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(BENCHMARKS)  # where a script finds its neighbour
        spec = importlib.util.spec_from_file_location("soak", BENCHMARKS / "soak.py")
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        patch.setitem(sys.modules, "soak", module)  # dataclasses look there
        spec.loader.exec_module(module)
        yield module


@pytest.mark.exhaustive
def test_nothing_is_lost_or_doubled_whatever_dies(tmp_path: Path) -> None:
    command = [sys.executable, str(BENCHMARKS / "soak.py"), "--trials", "12", "--seed", "1", "--folder", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr[-3000:]
    outcome = json.loads(done.stdout)
    assert set(outcome["killed"]) == {"worker", "driver", "server"}
    assert outcome["drivers_started"] >= 2


def test_every_kind_is_killed_at_counts_that_the_seed_draws(soak: ModuleType) -> None:
    assert soak.plan(200, 0) == soak.plan(200, 0) != soak.plan(200, 1)
    for trials in (12, 200):
        kills = soak.plan(trials, 0)
        assert {kill.what for kill in kills} == {"worker", "driver", "server"}
        assert all(0 < kill.event < 4 * trials for kill in kills)


@pytest.fixture(scope="module")
def whole(soak: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A studies folder with a study of two trials that nothing happened to, in its own MLflow store."""
    folder = tmp_path_factory.mktemp("whole")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ROBUST_SSL_STUDIES", str(folder))
        launch(soak.study(2), backend="inline", console=Console(file=io.StringIO()))
    return folder


def rewrite(paths: StudyPaths, change: Callable[[list[dict[str, Any]]], list[dict[str, Any]]]) -> None:
    trial = paths.trial(1)
    events = change(read_events(trial))
    trial.events.write_text("".join(json.dumps(event) + "\n" for event in events))


def without_last_epoch(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [event for event in events if event.get("epoch") != 2]


def database(paths: StudyPaths) -> optuna.Study:
    return optuna.load_study(study_name="soak", storage=f"sqlite:///{paths.optuna}")


def delete_run(paths: StudyPaths) -> None:
    client = MlflowClient(default_tracking_uri(paths.root.parent))
    (run,) = client.search_runs([client.get_experiment_by_name("soak").experiment_id], "tags.`trial.number` = '1'")
    client.delete_run(run.info.run_id)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("harm", "found"),
    [
        (lambda paths: None, None),
        (lambda paths: shutil.rmtree(paths.trial(0).root), "folders: 1 of 2"),
        (lambda paths: append_event(paths.trial(1), ENDED, 2, status="finished", metrics={}), "trial 1: 2 ends"),
        (lambda paths: rewrite(paths, without_last_epoch), "trial 1: epochs missing"),
        (lambda paths: rewrite(paths, lambda events: events[:-1]), "trial 1: 0 ends"),
        (lambda paths: rewrite(paths, lambda events: [events[0], *events]), "trial 1: changed after its end"),
        (lambda paths: database(paths).ask(), "Optuna: 3 trials, 2 folders"),
        (delete_run, "MLflow: 2 runs of 2 trials"),
    ],
    ids=["none", "lost", "ended-twice", "epoch-lost", "unfinished", "changed", "optuna", "mlflow"],
)
def test_what_is_amiss_is_found(
    soak: ModuleType, whole: Path, tmp_path: Path, harm: Callable[[StudyPaths], None], found: str | None
) -> None:
    shutil.copytree(whole, tmp_path / "studies")
    paths = StudyPaths(tmp_path / "studies" / "soak")
    ended = {trial.number: soak.digest(trial) for trial in paths.each_trial()}
    harm(paths)
    problems = list(soak.problems(paths, default_tracking_uri(paths.root.parent), 2, ended))
    if found is None:
        assert problems == []
    else:
        assert any(problem.startswith(found) for problem in problems), problems
