"""Many short trials while workers, the driver and the MLflow server are killed: is anything lost, doubled or changed?

Each is killed by SIGKILL when the trials' folders hold so many events, at counts drawn from a seed: a worker is left to
Ray, a driver is followed by ``study resume``, a server stays away for some events more. Then folders, Optuna and MLflow
are compared. Needs the whole platform, not torch alone.

    python benchmarks/soak.py --trials 200 --seed 0 > results/soak.json

The exit code is 0 if nothing was found wrong; what was is listed under ``problems``.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import optuna
from mlflow import MlflowClient
from mlflow_server import Server
from optuna.trial import TrialState

from analysis import schema
from analysis.frontier.pareto import frontier
from analysis.layout import ATTEMPT, ENDED, EPOCH, StudyPaths, TrialPaths, read_events
from analysis.reading.runs import read_study
from study.config import StudyConfig

NAME = "soak"
EPOCHS = 2
EVENTS = EPOCHS + 2
"""Of a trial that nothing happens to."""
ONE_IN = {"worker": 16, "driver": 40, "server": 50}
"""So many trials for each kill."""
AWAY = (4, 24)
"""For how many events a killed server stays away, least and most."""
LOOK_S = 0.05
SILENCE_S = 900.0
"""Without an event for so long the study hangs."""
SETTINGS = {
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
    "optimiser.epochs": EPOCHS,
    "optimiser.batch_size": 64,
    "evaluation.images": 50,
    "evaluation.head_epochs": 1,
    "evaluation.head_attack_steps": 2,
    "evaluation.attack_steps": 2,
    "evaluation.check_images": 0,
}
SPACE = {
    "unlisted": "fixed",
    "learning_rate": {"low": 0.05, "high": 1.0},
    "crop_scale_min": {"low": 0.1, "high": 0.6},
    "m": [1, 2],
}


class Kill(NamedTuple):
    """``what`` dies at the first sight of ``event`` events; a server returns at ``until``."""

    event: int
    what: str
    until: int = 0


def plan(trials: int, seed: int) -> list[Kill]:
    """At least one kill of each kind, spread over the whole study."""
    rng = random.Random(seed)
    last = int(0.9 * EVENTS * trials)
    return sorted(
        Kill(event, what, event + rng.randint(*AWAY) if what == "server" else 0)
        for what, trials_a_kill in ONE_IN.items()
        for event in rng.sample(range(3, last), max(1, round(trials / trials_a_kill)))
    )


def study(trials: int) -> StudyConfig:
    return StudyConfig.model_validate(
        {
            "name": NAME,
            "trainables": ["cf_amc_ssl"],
            "settings": SETTINGS,
            "space": SPACE,
            "budget": {"trials": trials},
            "resources": {"gpus_per_trial": 0},
        }
    )


class Events:
    """The events of a study's trials, and the bytes that each trial had when it was first seen ended."""

    def __init__(self, paths: StudyPaths) -> None:
        self.ended: dict[int, str] = {}
        self._paths = paths
        self._known: dict[int, tuple[int, list[dict[str, Any]]]] = {}

    def refresh(self) -> int:
        """How many there are now."""
        for trial in self._paths.each_trial():
            size = trial.events.stat().st_size if trial.events.exists() else 0
            if size != self._known.get(trial.number, (0, []))[0]:
                events = read_events(trial)
                self._known[trial.number] = (size, events)
                if events and events[-1]["kind"] == ENDED:
                    self.ended.setdefault(trial.number, digest(trial))
        return sum(len(events) for _, events in self._known.values())

    def running(self) -> list[int]:
        """The processes that have begun a trial and not ended it."""
        pids = []
        for number, (_, events) in self._known.items():
            attempts = [event for event in events if event["kind"] == ATTEMPT]
            if attempts and number not in self.ended and self._is_ours(attempts[-1]["pid"]):
                pids.append(attempts[-1]["pid"])
        return pids

    def _is_ours(self, pid: int) -> bool:
        """Whether that process exists; its number may be another's by now, which must not be killed."""
        try:
            environment = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
        except OSError:
            return False
        return f"ROBUST_SSL_STUDIES={self._paths.root.parent}".encode() in environment


def digest(trial: TrialPaths) -> str:
    return hashlib.sha256(trial.events.read_bytes()).hexdigest()


@dataclass
class Soak:
    """One study, its driver, its server, and the kills to come."""

    paths: StudyPaths
    server: Server
    kills: list[Kill]
    rng: random.Random
    done: list[dict[str, Any]] = field(default_factory=list)
    driver: subprocess.Popen[bytes] | None = None
    starts: int = 0
    late_starts: int = 0
    returns: int | None = None
    """At how many events a killed server is started again."""

    def run(self, trials: int) -> Events:
        """Drive the study to its end. Raises ``RuntimeError`` if it hangs, or if its driver fails of itself."""
        self._file.write_text(study(trials).to_yaml())
        events = Events(self.paths)
        self._start()
        count, silence = 0, 0.0
        while (code := self.driver.poll()) != 0:
            if code == -signal.SIGKILL or (code and self._ray_was_late()):
                self._start()
            elif code:
                raise RuntimeError(f"the driver ended with {code}: {self._log.read_text()[-3000:]}")
            now = events.refresh()
            silence = 0.0 if now > count else silence + LOOK_S  # a machine that was suspended was not silent
            count = now
            self._act(count, events)
            if silence > SILENCE_S:
                raise RuntimeError(f"no event for {SILENCE_S:.0f} s after {count}")
            time.sleep(LOOK_S)
        events.refresh()
        return events

    @property
    def _log(self) -> Path:
        return self.paths.root.parent / "driver.log"

    @property
    def _file(self) -> Path:
        return self.paths.root.parent / "soak.yaml"

    def _start(self) -> None:
        self.starts += 1
        begun = self.paths.study_file.exists()
        command = [sys.executable, "-m", "study", *(("resume", NAME) if begun else ("launch", str(self._file)))]
        command.append("--no-supervise")  # the driver itself is killed, and somebody resumes
        with open(self._log, "ab") as log:
            self.driver = subprocess.Popen([*command, "--tracking-uri", self.server.uri], stdout=log, stderr=log)  # noqa: S603

    def _ray_was_late(self) -> bool:
        """Ray gives itself half a minute to start, which a machine with much else to do may not grant."""
        late = "timed out during startup" in self._log.read_text()[-3000:]
        self.late_starts += late
        return late

    def _act(self, count: int, events: Events) -> None:
        if self.returns is not None and count >= self.returns:
            self.server.begin()
            self.returns = None
        if not self.kills or count < self.kills[0].event:
            return
        kill = self.kills[0]
        if kill.what == "worker" and not (running := events.running()):
            return  # the next one that begins
        if kill.what == "server" and self.returns is not None:
            self.returns = max(self.returns, kill.until)
        elif kill.what == "server":
            self.server.kill()
            self.returns = kill.until
        elif kill.what == "driver":
            self.driver.kill()
            self.driver.wait()
        else:
            kill_process(self.rng.choice(running))
        self.done.append({"what": kill.what, "planned": kill.event, "event": count})
        self.kills.pop(0)


def kill_process(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:  # it ended just now
        return


def problems(paths: StudyPaths, uri: str, trials: int, ended: dict[int, str]) -> Iterator[str]:
    """All that is not as if nothing had happened; ``ended``: what ``Events`` saw of each trial's end."""
    folders = list(paths.each_trial())
    if [folder.number for folder in folders] != list(range(trials)):
        yield f"folders: {len(folders)} of {trials} trials, or numbers with gaps"
    for folder in folders:
        yield from _wrong_events(folder, ended)
    yield from _wrong_in_optuna(paths, folders)
    yield from _wrong_in_mlflow(paths, folders, uri)


def _wrong_events(folder: TrialPaths, ended: dict[int, str]) -> Iterator[str]:
    events = read_events(folder)
    kinds = Counter(event["kind"] for event in events)
    if kinds[ENDED] != 1 or events[-1]["kind"] != ENDED:
        yield f"trial {folder.number}: {kinds[ENDED]} ends"
        return
    if events[-1]["status"] != "finished":
        yield f"trial {folder.number}: {events[-1]['status']}, {events[-1]['reason']}"
    if [event["epoch"] for event in events if event["kind"] == EPOCH] != list(range(1, EPOCHS + 1)):
        yield f"trial {folder.number}: epochs missing, doubled or out of order"
    if ended.get(folder.number) not in (None, digest(folder)):
        yield f"trial {folder.number}: changed after its end"


def _wrong_in_optuna(paths: StudyPaths, folders: list[TrialPaths]) -> Iterator[str]:
    found = optuna.load_study(study_name=NAME, storage=f"sqlite:///{paths.optuna}")
    if [trial.number for trial in found.trials] != [folder.number for folder in folders]:
        yield f"Optuna: {len(found.trials)} trials, {len(folders)} folders"
        return
    names = list(read_study(paths).objectives)
    for trial, folder in zip(found.trials, folders, strict=True):
        metrics = read_events(folder)[-1].get("metrics", {})
        if trial.state is not TrialState.COMPLETE or trial.values != [metrics.get(name) for name in names]:
            yield f"Optuna: trial {trial.number} is {trial.state.name} with {trial.values}"
    theirs, ours = {trial.number for trial in found.best_trials}, set(frontier(read_study(paths))["number"])
    if theirs != ours:
        yield f"the frontier is {sorted(theirs)} by Optuna, {sorted(ours)} by the folders"


def _wrong_in_mlflow(paths: StudyPaths, folders: list[TrialPaths], uri: str) -> Iterator[str]:
    client = MlflowClient(uri, uri)
    experiment = client.get_experiment_by_name(paths.name)
    runs = client.search_runs([experiment.experiment_id], max_results=5000)
    for run in runs:
        if run.info.status != "FINISHED":
            yield f"MLflow: {run.info.run_name} is {run.info.status}"
    named = {run.data.tags.get(schema.TRIAL_ID): run for run in runs}
    if named.keys() != {None, *(paths.trial_id(folder.number) for folder in folders)} or len(named) != len(runs):
        yield f"MLflow: {len(runs)} runs of {len(folders)} trials and the study"
        return
    for folder in folders:
        run = named[paths.trial_id(folder.number)]
        for name, points in _written(folder).items():
            history = client.get_metric_history(run.info.run_id, name)
            if sorted((each.timestamp, each.step, each.value) for each in history) != points:
                yield f"MLflow: {name} of trial {folder.number} is not what was written"


def _written(folder: TrialPaths) -> dict[str, list[tuple[int, int, float]]]:
    found: dict[str, list[tuple[int, int, float]]] = {}
    for event in read_events(folder):
        for name, value in event.get("metrics", {}).items():
            found.setdefault(name, []).append((int(event["time"] * 1000), event.get("epoch", 0), float(value)))
    return found


def soak(trials: int, seed: int, folder: Path) -> dict[str, Any]:
    """Run it in ``folder``; what was done and what was found wrong."""
    os.environ |= {"ROBUST_SSL_STUDIES": str(folder), "OMP_NUM_THREADS": "1"}
    paths, began = StudyPaths(folder / NAME), time.monotonic()
    server = Server(f"sqlite:///{folder}/server.db", folder)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # through what follows
    server.begin()
    run = Soak(paths=paths, server=server, kills=plan(trials, seed), rng=random.Random(seed))
    try:
        server.wait()
        events = run.run(trials)
        if not server.running:
            server.begin()
        server.wait()
        told = (folder / "driver.log").read_text()
        if late := "did not reach MLflow" in told or run.returns is not None:
            command = [sys.executable, "-m", "study", "sync", NAME, "--tracking-uri", server.uri]
            subprocess.run(command, check=True, stdout=sys.stderr)  # noqa: S603  only the outcome goes to stdout
        found = list(problems(paths, server.uri, trials, events.ended))
    finally:
        if run.driver:
            run.driver.kill()
        server.kill()
    attempts = [sum(event["kind"] == ATTEMPT for event in read_events(trial)) for trial in paths.each_trial()]
    return {
        "settings": {"trials": trials, "seed": seed, "epochs": EPOCHS},
        "killed": dict(Counter(kill["what"] for kill in run.done)),
        "kills": run.done,
        "drivers_started": run.starts,
        "starts_of_ray_that_took_too_long": run.late_starts,
        "synchronised_afterwards": late,
        "trials_begun_again": sum(count > 1 for count in attempts),
        "mebibytes_a_trial": size(paths.trials) / trials / 2**20,
        "minutes": (time.monotonic() - began) / 60,
        "problems": found,
    }


def size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--folder", type=Path, help="keeps the study; a temporary one if not given")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = (options.folder or Path(temporary)).absolute()
        folder.mkdir(parents=True, exist_ok=True)
        outcome = soak(options.trials, options.seed, folder)
    print(json.dumps(outcome, indent=2))
    raise SystemExit(1 if outcome["problems"] else 0)


if __name__ == "__main__":
    main()
