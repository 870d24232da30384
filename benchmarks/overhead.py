"""What does the platform itself cost? Trials that do nothing but report, under it and under stock Ray Tune.

Both search the same space with the same sampler in an Optuna database, run as many trials side by side with actors
used again, report the same numbers, and log to the same kind of MLflow store: a SQLite file, and a server on one.
``platform`` is ``study launch`` but for its report; ``stock`` is Tune with its OptunaSearch, its own log files and its
MLflowLoggerCallback. Repeats take turns. Unlike its neighbours this needs the whole platform, not torch alone.

    python benchmarks/overhead.py --repeats 5 > results/overhead.json

Slots are what a study pays for, so wall time is counted there: how long one waits for its reports to return, which is
timed where they are made, and how long it stays without a trial or in the rest of one. CPU time is of the driver, Ray
and the workers together until MLflow has everything, without the server's own. The first trials of each run, which
start the workers, do not count.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import platform as machine
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from importlib.metadata import version
from io import StringIO
from pathlib import Path
from typing import Any

from measuring import spread
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
from study.samplers.by_name import stock_sampler
from trainables import trial as trials
from trainables.metrics import Accuracy, AttackResult, Cost, EpochReport, HeadResult, TrialResult

REPORTS = 20
"""A trial's."""
SLEEP_S = 0.05
"""What stands for an epoch: short, but not so that two trials do nothing but wait for the driver's only thread."""
CONCURRENT = 2
WARM = 4
"""Trials of a run that are left out: they start the workers."""
LOOK_S = 0.2
"""So often the CPU time used is looked at."""
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
    """Sleep and report, and leave in ``marks`` when it ended, how long it slept and how long its reports took."""
    await_workers(marks.with_name("workers"))
    times = [time.monotonic()]
    for epoch in range(1, REPORTS + 1):
        time.sleep(SLEEP_S)
        times.append(time.monotonic())
        report(epoch_report(epoch, quality))
        times.append(time.monotonic())
    spans = [after - before for before, after in itertools.pairwise(times)]
    mark = {"ended": time.time(), "slept": sum(spans[::2]), "reported": sum(spans[1::2])}
    with open(marks, "a") as file:
        file.write(json.dumps(mark) + "\n")
    return final_result(quality)


def await_workers(folder: Path) -> None:
    """Until every slot has its worker: to start one takes longer than many of these trials."""
    folder.mkdir(exist_ok=True)
    (folder / str(os.getpid())).touch()
    while sum(1 for _ in folder.iterdir()) < CONCURRENT:
        time.sleep(0.05)


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
            "settings": SETTINGS | {"optimiser.epochs": REPORTS},
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
        sampler=stock_sampler("tpe", 0),
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


class Usage:
    """CPU time of processes and their descendants, as long as somebody looks: some end and nobody adds them up."""

    def __init__(self) -> None:
        self._parents: dict[int, int] = {}
        self._ticks: dict[int, int] = {}

    def look(self) -> None:
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                try:
                    fields = (entry / "stat").read_text().rpartition(")")[2].split()
                except OSError:  # it ended just now
                    continue
                self._parents[int(entry.name)] = int(fields[1])
                self._ticks[int(entry.name)] = sum(map(int, fields[11:13]))

    def seconds(self, root: int) -> float:
        """User and system time of ``root`` and what it has started, as it was when last looked at."""
        family = {root}
        while grown := {pid for pid, parent in self._parents.items() if parent in family} - family:
            family |= grown
        return sum(self._ticks.get(pid, 0) for pid in family) / os.sysconf("SC_CLK_TCK")


class Meter(threading.Thread):
    """Looks at the CPU time used, of all and of the MLflow server, once the first ``WARM`` trials have ended."""

    def __init__(self, marks: Path, server: int | None) -> None:
        super().__init__(daemon=True)
        self._marks, self._server = marks, server
        self._usage, self._over = Usage(), threading.Event()
        self._before: tuple[float, float] | None = None

    def run(self) -> None:
        while not self._over.wait(LOOK_S):
            self._usage.look()
            if self._before is None and len(read_marks(self._marks)) >= WARM:
                self._before = self._used()

    def stop(self) -> tuple[float, float]:
        """Seconds since then: of all but the server, and of the server."""
        self._over.set()
        self.join()
        self._usage.look()
        assert self._before is not None, f"fewer than {WARM} trials have ended"
        ours, serving = (after - before for after, before in zip(self._used(), self._before, strict=True))
        return ours, serving

    def _used(self) -> tuple[float, float]:
        serving = 0.0 if self._server is None else self._usage.seconds(self._server)
        return self._usage.seconds(os.getpid()) - serving, serving


def read_marks(marks: Path) -> list[dict[str, float]]:
    if not marks.exists():
        return []
    return sorted((json.loads(line) for line in marks.read_text().splitlines()), key=lambda mark: mark["ended"])


@dataclass(frozen=True, kw_only=True)
class Store:
    """An MLflow store, new for every run; ``pid`` of its server."""

    uri: str
    pid: int | None = None


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
    """One run of ``count`` trials; seconds, of slots, CPU and wall."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        os.chdir(folder)
        marks = folder / "marks.jsonl"
        with STORES[store_name](folder) as store:
            os.sync()  # what the run before has left to be written would be waited for here
            meter = Meter(marks, store.pid)
            meter.start()
            load_before = os.getloadavg()[0]
            PLATFORMS[name](folder, marks, store.uri, count)
            returned = time.time()
            cpu, serving = meter.stop()
            check_stored(store.uri, count)
        os.chdir("/")
        ended = read_marks(marks)
        return slot_seconds(ended) | {
            "cpu_s": cpu / (count - WARM),
            "server_cpu_s": serving / (count - WARM),
            "drain_s": returned - ended[-1]["ended"],
            "load": (load_before + os.getloadavg()[0]) / 2,
        }


def slot_seconds(marks: list[dict[str, float]]) -> dict[str, float]:
    """How long slots did not train: for each report, and for each trial without them; after ``WARM`` trials."""
    counted = marks[WARM:]
    slots = CONCURRENT * (marks[-1]["ended"] - marks[WARM - 1]["ended"])
    slept, reported = (sum(mark[name] for mark in counted) for name in ("slept", "reported"))
    return {
        "trial_slot_s": (slots - slept - reported) / len(counted),
        "report_slot_s": reported / len(counted) / REPORTS,
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


def one(name: str, store: str, count: int) -> dict[str, float]:
    """One run in a process and a Ray of its own: after a run of the other its reports took a third longer."""
    command = [sys.executable, __file__, "--one", name, store, "--trials", str(count)]
    printed = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True).stdout  # noqa: S603
    figures: dict[str, float] = json.loads(printed)
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=24)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--stores", nargs="+", choices=STORES, default=list(STORES))
    parser.add_argument("--one", nargs=2, metavar=("PLATFORM", "STORE"), help="this run alone")
    options = parser.parse_args()
    if options.one:
        with redirect_stdout(sys.stderr), ray_cluster.cluster(None):  # stock Tune prints to stdout
            figures = measure(*options.one, options.trials)
        print(json.dumps(figures))
        return
    runs: list[dict[str, Any]] = []
    for repeat in range(options.repeats):
        for store in options.stores:
            for name in PLATFORMS if repeat % 2 else reversed(PLATFORMS):
                runs.append({"platform": name, "store": store, "figures": one(name, store, options.trials)})
                print(json.dumps(runs[-1]), file=sys.stderr, flush=True)
    settings = {name: getattr(options, name) for name in ("trials", "repeats")}
    settings |= {"reports": REPORTS, "concurrent": CONCURRENT, "sleep_s": SLEEP_S, "cores": os.cpu_count()}
    versions = {name: version(name) for name in ("ray", "optuna", "mlflow")} | {"python": machine.python_version()}
    print(json.dumps({"settings": settings, "versions": versions, "summary": summary(runs), "runs": runs}, indent=2))


if __name__ == "__main__":
    main()
