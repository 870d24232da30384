"""A study that takes seconds: digits, a network of a few thousand weights, one or two epochs."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.storages import RDBStorage
from optuna.trial import TrialState

from analysis import schema
from analysis.frontier import pareto
from analysis.layout import ENDED, EPOCH, StudyPaths, default_tracking_uri, read_events, study_paths
from analysis.reading.runs import read_study
from study.commands import main as cli
from study.config import StudyConfig
from study.search.storage import release
from study.tracking import store

TINY_SETTINGS = {
    "device": "cpu",
    "data.source": "digits",
    "data.image_size": 8,
    "data.train_images": 200,
    "views.number": 2,
    "network.width": 4,
    "network.depth": 10,
    "network.pre_feature": 32,
    "network.projector_hidden": 32,
    "network.embedding": 16,
    "optimiser.epochs": 1,
    "optimiser.batch_size": 64,
    "evaluation.images": 50,
    "evaluation.head_epochs": 1,
    "evaluation.head_attack_steps": 2,
    "evaluation.attack_steps": 2,
    "evaluation.check_images": 0,
}


@pytest.fixture
def studies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that holds this test's studies."""
    monkeypatch.setenv("ROBUST_SSL_STUDIES", str(tmp_path))
    return tmp_path


@pytest.fixture
def tiny() -> Callable[..., StudyConfig]:
    """Builds a tiny study; ``settings`` are added to the tiny ones, other keys replace the study's."""

    def build(settings: dict[str, Any] | None = None, **keys: Any) -> StudyConfig:
        values: dict[str, Any] = {
            "name": "tiny",
            "trainables": ["cf_amc_ssl"],
            "settings": TINY_SETTINGS | (settings or {}),
            "space": {"unlisted": "fixed", "learning_rate": {"low": 0.05, "high": 1.0}, "m": [1, 2]},
            "sampler": "random",
            "budget": {"trials": 3},
            "tracking": {"offline": True},
        }
        return StudyConfig.model_validate(values | keys)

    return build


@pytest.fixture(scope="module")
def once(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, Callable[[], object]], StudyPaths]:
    """The study of a name in this test's folder: made for the first test of a module that asks, copied for others."""
    kept = tmp_path_factory.mktemp("kept")

    def made(name: str, make: Callable[[], object]) -> StudyPaths:
        paths = study_paths(name)
        if (kept / name).exists():
            shutil.copytree(kept / name, paths.root)
        else:
            make()
            shutil.copytree(paths.root, kept / name)
        return paths

    return made


@pytest.fixture
def reports() -> None:
    """For tests in which a study that ends writes its report, as it does for users."""


@pytest.fixture(autouse=True)
def _no_reports(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A report takes longer than most studies here, and few tests look at it."""
    if "reports" not in request.fixturenames:
        monkeypatch.setattr("study.launch.write_report", lambda paths, say: None)


@pytest.fixture
def made_databases() -> None:
    """For tests in which MLflow makes the database of its own that a study finds, as it does for users."""


@pytest.fixture(scope="session")
def _copy_database(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Path], None]:
    first, make = tmp_path_factory.mktemp("tracking") / "mlflow.db", store._create

    def copy(database: Path) -> None:
        if not first.exists():
            make(first)
        shutil.copy(first, database)

    return copy


@pytest.fixture(autouse=True)
def _copied_databases(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, _copy_database: Callable[[Path], None]
) -> None:
    """MLflow takes seconds to make its tables."""
    if "made_databases" not in request.fixturenames:
        monkeypatch.setattr(store, "_create", _copy_database)


@pytest.fixture
def small_disk(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A disk of a few MiB, which holds this test's studies; not where pytest would trip over it later."""
    folder = Path(tempfile.mkdtemp(prefix="small-disk-"))
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", folder], capture_output=True)
    if mounted.returncode:
        pytest.skip(f"a small disk cannot be mounted here: {mounted.stderr.decode().strip()}")
    monkeypatch.setenv("ROBUST_SSL_STUDIES", str(folder))
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)
    folder.rmdir()


@pytest.fixture
def fill() -> Callable[[Path, int], None]:
    """Takes the room of a disk but for so many bytes, with a file called ``ballast``."""

    def write(disk: Path, leave: int) -> None:
        (disk / "ballast").write_bytes(bytes(shutil.disk_usage(disk).free - leave))

    return write


STATES = {"finished": TrialState.COMPLETE, "failed": TrialState.FAIL, "stopped": TrialState.PRUNED}


@pytest.fixture
def assert_nothing_lost() -> Callable[..., dict[int, dict[str, Any]]]:
    """Checks that folders, Optuna and MLflow tell the same of a study that is over; each trial's end by number.

    ``untouched``: the bytes of event files that nothing may have been added to.
    """

    def check(
        paths: StudyPaths, trials: int, *, mlflow: bool = True, untouched: Mapping[int, bytes] | None = None
    ) -> dict[int, dict[str, Any]]:
        ends = _ends_in_folders(paths)
        assert list(ends) == list(range(trials))
        _compare_with_optuna(paths, ends)
        if mlflow:
            _compare_with_mlflow(paths, ends)
        for number, events in (untouched or {}).items():
            assert paths.trial(number).events.read_bytes() == events, f"trial {number} had finished"
        return ends

    return check


def _ends_in_folders(paths: StudyPaths) -> dict[int, dict[str, Any]]:
    ends = {}
    for folder in paths.each_trial():
        events = read_events(folder)
        (ends[folder.number],) = (event for event in events if event["kind"] == ENDED)
        assert events[-1] == ends[folder.number]
        epochs = [event["epoch"] for event in events if event["kind"] == EPOCH]
        assert epochs == sorted(set(epochs))
        assert folder.result.exists() == (events[-1]["status"] == "finished")
    return ends


def _compare_with_optuna(paths: StudyPaths, ends: Mapping[int, dict[str, Any]]) -> None:
    storage = RDBStorage(f"sqlite:///{paths.optuna}")
    study = optuna.load_study(study_name=paths.name, storage=storage)
    assert {trial.number: trial.state for trial in study.trials} == {
        number: STATES[end["status"]] for number, end in ends.items()
    }
    for trial in study.trials:
        names = list(study.metric_names or [])
        assert not trial.values or trial.values == [ends[trial.number]["metrics"][name] for name in names]
    best = study.best_trials if any(trial.values for trial in study.trials) else []
    release(storage)
    assert {trial.number for trial in best} == set(pareto.frontier(read_study(paths))["number"])


def _compare_with_mlflow(paths: StudyPaths, ends: Mapping[int, dict[str, Any]]) -> None:
    from mlflow import MlflowClient

    client = MlflowClient(default_tracking_uri(paths.root.parent))
    experiment = client.get_experiment_by_name(paths.name)
    assert experiment is not None
    found = [
        (run.data.tags.get(schema.TRIAL_NUMBER, "study"), run.info.status)
        for run in client.search_runs([experiment.experiment_id])
    ]
    told = [(str(number), schema.MLFLOW_STATUS[schema.TrialStatus(end["status"])]) for number, end in ends.items()]
    assert sorted(found) == sorted([*told, ("study", "FINISHED")])


@pytest.fixture(scope="session")
def server_class() -> Any:
    """``Server`` of benchmarks/mlflow_server.py: a real one that can be killed and started again."""
    path = Path(__file__).parents[2] / "benchmarks" / "mlflow_server.py"
    spec = importlib.util.spec_from_file_location("mlflow_server", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.Server


@pytest.fixture
def study(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], studies: Path
) -> Callable[..., tuple[int, str, str]]:
    """Runs the command in this process; gives its exit code and what it wrote."""

    def run(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["study", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        captured = capsys.readouterr()
        return int(ended.value.code or 0), captured.out, captured.err

    return run
