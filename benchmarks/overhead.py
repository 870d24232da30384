"""What does the platform itself cost? Trials that do nothing but report, under it and under stock Ray Tune.

Both search the same space with the same sampler in an Optuna database, run as many trials side by side with actors
used again, report the same numbers, and log to the same kind of MLflow store: a SQLite file, and a server on one.
``platform`` is ``study launch`` but for its report; ``stock`` is Tune with its OptunaSearch, its own log files and its
MLflowLoggerCallback. Repeats take turns. Unlike its neighbours this needs the whole platform, not torch alone.

    python benchmarks/overhead.py --trials 40 --repeats 5 > results/overhead.json

Slots are what a study pays for, so wall time is counted there: how long one stays without a trial or waits for a
report to return. CPU time is of the driver, Ray and the workers together until MLflow has everything, without the
server's own. The first trials of each run, which start the workers, do not count.
"""

from __future__ import annotations

import argparse
import json
import os
import platform as machine
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from io import StringIO
from pathlib import Path
from typing import Any

from mlflow import MlflowClient
from mlflow_server import Server
from optuna.storages import RDBStorage
from ray import tune
from ray.air.integrations.mlflow import MLflowLoggerCallback
from ray.tune.search.optuna import OptunaSearch
from rich.console import Console

from study import launch as launching
from study.config import StudyConfig
from study.execution import ray_backend, ray_cluster
from study.execution.worker import run_on_ray
from study.samplers.by_name import make_sampler
from trainables import trial as trials
from trainables.metrics import Accuracy, AttackResult, Cost, EpochReport, HeadResult, TrialResult

REPORTS = 10
SLEEP_S = 0.005
"""What stands for an epoch: short, so that all the rest is the platform's."""
CONCURRENT = 2
WARM = 4
"""Trials of a run that are left out: they start the workers."""
SPACE = {
    "learning_rate": {"low": 0.05, "high": 1.0, "log": True},
    "crop_scale_min": {"low": 0.05, "high": 0.6},
    "epsilon": {"low": 2 / 255, "high": 16 / 255},
    "m": [1, 2, 3, 4],
}
SETTINGS = {
    "device": "cpu",
    "data.source": "digits",
    "network.width": 8,
    "network.depth": 10,
    "network.pre_feature": 32,
    "network.projector_hidden": 32,
    "network.embedding": 16,
    "optimiser.epochs": REPORTS,
    "evaluation.check_images": 0,
}


def epoch_report(epoch: int, quality: float) -> EpochReport:
    """The numbers that a trial of EMP-SSL reports."""
    return EpochReport(
        epoch=epoch,
        loss=quality / epoch,
        terms={"invariance": quality, "tcr": -quality},
        learning_rate=0.1,
        loss_clean=quality,
        loss_fgsm=2 * quality,
        loss_pgd=3 * quality,
        epochs=REPORTS,
        probe_accuracy=0.5,
        probe_pgd_accuracy=0.25,
        forward_equivalents=1000 * epoch,
        seconds=SLEEP_S * epoch,
    )


def final_result(quality: float) -> TrialResult:
    def share(value: float) -> Accuracy:
        return Accuracy(correct=int(1000 * value), images=1000)

    attacks = tuple(
        AttackResult(epsilon=radius / 255, steps=20, zero_start=share(pgd), random_start=share(pgd), worst=share(pgd))
        for radius, pgd in ((4, quality / 2), (8, quality / 3), (16, quality / 9))
    )
    return TrialResult(
        head="robust",
        epsilon=8 / 255,
        split="validation",
        heads=(HeadResult(name="robust", clean=share(quality), attacks=attacks),),
        cost=Cost(
            pretrain_forward_equivalents=10_000,
            evaluation_forward_equivalents=1000,
            pretrain_minutes=0.01,
            evaluation_minutes=0.01,
        ),
        data="none",
        classes=("0", "1"),
        image_size=8,
        device="CPU",
        epochs=REPORTS,
    )


def idle_trial(quality: float, report: Callable[[EpochReport], None], marks: Path) -> TrialResult:
    """Sleep and report, and leave in ``marks`` when it began and ended and how long its reports took."""
    began, waited = time.time(), 0.0
    for epoch in range(1, REPORTS + 1):
        time.sleep(SLEEP_S)
        before = time.monotonic()
        report(epoch_report(epoch, quality))
        waited += time.monotonic() - before
    with open(marks, "a") as file:
        file.write(json.dumps({"began": began, "ended": time.time(), "waited": waited}) + "\n")
    return final_result(quality)


def run_platform(folder: Path, marks: Path, uri: str, count: int) -> None:
    """``study launch``, its trials' training and its report left out."""

    def idle(config: dict[str, Any]) -> dict[str, Any]:
        def run(settings: Any, *, report: Callable[[EpochReport], None], **_: Any) -> TrialResult:
            return idle_trial(min(1.0, settings.optimiser.learning_rate), report, marks)

        trials.run = run
        return run_on_ray(config)

    config = StudyConfig.model_validate(
        {
            "name": "overhead",
            "trainables": ["cf_amc_ssl"],
            "settings": SETTINGS,
            "space": {"unlisted": "fixed", **SPACE},
            "budget": {"trials": count},
            "resources": {"max_concurrent": CONCURRENT, "gpus_per_trial": 0},
            "tracking": {"uri": uri},
        }
    )
    os.environ["ROBUST_SSL_STUDIES"] = str(folder)
    ray_backend.run_on_ray, launching._report = idle, lambda _: None
    launching.launch(config, console=Console(file=StringIO()))


def run_stock(folder: Path, marks: Path, uri: str, count: int) -> None:
    """Tune as its documentation puts the three together."""

    def idle(config: dict[str, Any]) -> None:
        quality = config["learning_rate"]
        objectives = {"clean_accuracy": quality, "pgd_accuracy": quality / 3}  # Tune wants them in every report
        result = idle_trial(quality, lambda report: tune.report(report.metrics() | objectives), marks)
        tune.report(result.metrics())

    space = {
        "learning_rate": tune.loguniform(0.05, 1.0),
        "crop_scale_min": tune.uniform(0.05, 0.6),
        "epsilon": tune.uniform(2 / 255, 16 / 255),
        "m": tune.choice([1, 2, 3, 4]),
    }
    search = OptunaSearch(
        metric=["clean_accuracy", "pgd_accuracy"],
        mode=["max", "max"],
        sampler=make_sampler("tpe", 0, 0, ["cf_amc_ssl"]),
        storage=RDBStorage(f"sqlite:///{folder / 'optuna.db'}"),
        study_name="overhead",
    )
    for name in ("TUNE_DISABLE_AUTO_CALLBACK_LOGGERS", "RAY_AIR_NEW_OUTPUT"):
        os.environ.pop(name, None)
    tune.Tuner(
        tune.with_resources(idle, {"cpu": 1}),
        param_space=space,
        tune_config=tune.TuneConfig(
            search_alg=search, num_samples=count, max_concurrent_trials=CONCURRENT, reuse_actors=True
        ),
        run_config=tune.RunConfig(
            name="overhead",
            storage_path=str(folder),
            callbacks=[MLflowLoggerCallback(tracking_uri=uri, experiment_name="overhead")],
            verbose=0,
        ),
    ).fit()


PLATFORMS: dict[str, Callable[[Path, Path, str, int], None]] = {"platform": run_platform, "stock": run_stock}


def cpu_seconds(root: int) -> float:
    """User and system time of a process and its descendants, those that have ended included."""
    parents, used = {}, {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:  # it ended just now
                continue
            parents[int(entry.name)] = int(fields[1])
            used[int(entry.name)] = sum(map(int, fields[11:15]))
    family = {root}
    while grown := {pid for pid, parent in parents.items() if parent in family} - family:
        family |= grown
    return sum(used.get(pid, 0) for pid in family) / os.sysconf("SC_CLK_TCK")


class Warming(threading.Thread):
    """Notes the CPU time used when the first ``WARM`` trials have ended."""

    def __init__(self, marks: Path, used: Callable[[], float], serving: Callable[[], float]) -> None:
        super().__init__(daemon=True)
        self.used_before = self.server_before = float("nan")
        self._marks, self._used, self._serving = marks, used, serving

    def run(self) -> None:
        while len(read_marks(self._marks)) < WARM:
            time.sleep(0.02)
        self.used_before, self.server_before = self._used(), self._serving()


def read_marks(marks: Path) -> list[dict[str, float]]:
    if not marks.exists():
        return []
    return sorted((json.loads(line) for line in marks.read_text().splitlines()), key=lambda mark: mark["ended"])


@dataclass(frozen=True, kw_only=True)
class Store:
    """An MLflow store, new for every run; ``pid`` of its server."""

    uri: str
    pid: int | None = None

    def cpu_seconds(self) -> float:
        return 0.0 if self.pid is None else cpu_seconds(self.pid)


@contextmanager
def sqlite_file(folder: Path) -> Iterator[Store]:
    uri = f"sqlite:///{folder / 'mlflow.db'}"
    MlflowClient(uri, uri).search_experiments()  # the tables exist before the clock starts
    yield Store(uri=uri)


@contextmanager
def server(folder: Path) -> Iterator[Store]:
    process = Server(f"sqlite:///{folder}/mlflow.db", folder)
    process.start()
    try:
        yield Store(uri=process.uri, pid=process.pid)
    finally:
        process.kill()


STORES = {"sqlite": sqlite_file, "server": server}


def measure(name: str, store_name: str, count: int) -> dict[str, float]:
    """One run of ``count`` trials; seconds but for ``report_ms``."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        os.chdir(folder)
        marks = folder / "marks.jsonl"
        with STORES[store_name](folder) as store:

            def used() -> float:
                return cpu_seconds(os.getpid()) - store.cpu_seconds()

            warming = Warming(marks, used, store.cpu_seconds)
            warming.start()
            load_before = os.getloadavg()[0]
            PLATFORMS[name](folder, marks, store.uri, count)
            returned, cpu = time.time(), used()
            warming.join()
            serving = store.cpu_seconds() - warming.server_before
            check_stored(store.uri, count)
        os.chdir("/")
        return figures(read_marks(marks), cpu - warming.used_before) | {
            "drain_s": returned - read_marks(marks)[-1]["ended"],
            "server_trial_cpu_s": serving / (count - WARM),
            "load": (load_before + os.getloadavg()[0]) / 2,
        }


def figures(marks: list[dict[str, float]], cpu: float) -> dict[str, float]:
    """Of the trials after the first ``WARM``, by the slots that they share."""
    counted = marks[WARM:]
    slots = CONCURRENT * (marks[-1]["ended"] - marks[WARM - 1]["ended"])
    working = sum(mark["ended"] - mark["began"] - mark["waited"] for mark in counted)
    waited = sum(mark["waited"] for mark in counted)
    return {
        "trial_s": (slots - working) / len(counted),
        "report_ms": 1000 * waited / (len(counted) * REPORTS),
        "trial_cpu_s": cpu / len(counted),
    }


def check_stored(uri: str, count: int) -> None:
    """MLflow has every number of every trial."""
    client = MlflowClient(uri, uri)
    experiment = client.get_experiment_by_name("overhead")
    runs = [run for run in client.search_runs([experiment.experiment_id]) if "clean_accuracy" in run.data.metrics]
    assert len(runs) == count, f"{len(runs)} of {count} runs"
    for run in runs:
        steps = {metric.step for metric in client.get_metric_history(run.info.run_id, "train/loss")}
        assert len(steps) >= REPORTS, f"{len(steps)} of {REPORTS} reports"


def summary(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """Median, least and most of each figure; of ratios, platform over stock, repeat by repeat."""
    found: dict[str, Any] = {}
    for store in dict.fromkeys(run["store"] for run in runs):
        here = [run for run in runs if run["store"] == store]
        by_platform = {name: [run for run in here if run["platform"] == name] for name in PLATFORMS}
        for name in by_platform["platform"][0]["figures"]:
            values = {each: [run["figures"][name] for run in rows] for each, rows in by_platform.items()}
            ratios = [ours / stock for ours, stock in zip(values["platform"], values["stock"], strict=True) if stock]
            found.setdefault(store, {})[name] = {each: spread(value) for each, value in values.items()} | (
                {"ratio": spread(ratios)} if ratios else {}
            )
    return found


def spread(values: list[float]) -> dict[str, float]:
    return {"median": statistics.median(values), "least": min(values), "most": max(values)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=40)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--stores", nargs="+", choices=STORES, default=list(STORES))
    options = parser.parse_args()
    runs: list[dict[str, Any]] = []
    with ray_cluster.cluster(None):
        for repeat in range(options.repeats):
            for store in options.stores:
                for name in PLATFORMS if repeat % 2 else reversed(PLATFORMS):
                    runs.append({"platform": name, "store": store, "figures": measure(name, store, options.trials)})
                    print(json.dumps(runs[-1]), file=sys.stderr, flush=True)
    settings = {name: getattr(options, name) for name in ("trials", "repeats")}
    settings |= {"reports": REPORTS, "concurrent": CONCURRENT, "sleep_s": SLEEP_S, "cores": os.cpu_count()}
    versions = {name: version(name) for name in ("ray", "optuna", "mlflow")} | {"python": machine.python_version()}
    print(json.dumps({"settings": settings, "versions": versions, "summary": summary(runs), "runs": runs}, indent=2))


if __name__ == "__main__":
    main()
