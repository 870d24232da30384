"""How long a report of a large study takes from an MLflow server, how much memory, and how soon a browser shows it.

`python -m benchmarks.report [TRIALS [EPOCHS]]` prints JSON; 1,000 trials of 100 epochs by default. The study is written
as workers would leave it and put into a real server, a run a trial with the three files that the tracker leaves; it is
read back and drawn in a process of its own, and opened in chromium where there is one.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

from analysis import schema
from analysis.layout import StudyPaths, TrialPaths, read_json
from benchmarks.large_study import write_study
from benchmarks.mlflow_server import Server

_NAME = "large"
_WRITERS = 8
_READ = """
import json, resource, sys, time
start = time.monotonic()
from pathlib import Path
from analysis.report import write_report
from analysis.runs import read_mlflow
study = read_mlflow(sys.argv[1], sys.argv[2])
read = time.monotonic()
write_report(study, Path(sys.argv[3]))
end = time.monotonic()
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
print(json.dumps({"trials": len(study.trials), "epoch_rows": len(study.curves), "read_seconds": round(read - start, 1),
                  "report_seconds": round(end - start, 1), "peak_gib": round(peak, 2)}))
"""


def main() -> None:
    trials, epochs = (
        int(sys.argv[place]) if len(sys.argv) > place else usual for place, usual in ((1, 1000), (2, 100))
    )
    with tempfile.TemporaryDirectory(prefix="report-") as folder:
        with redirect_stdout(sys.stderr):  # MLflow prints an address for every run that ends
            found = measure(Path(folder), trials, epochs)
        print(json.dumps(found, indent=2))


def measure(folder: Path, trials: int, epochs: int) -> dict[str, Any]:
    """All figures; times in seconds."""
    paths, report = StudyPaths(folder / _NAME), folder / "report.html"
    write_study(paths, trials, epochs)
    server = Server(f"sqlite:///{folder / 'mlflow.db'}", folder)
    server.start()
    try:
        begun = time.monotonic()
        _deliver(paths, server.uri)
        delivered = time.monotonic() - begun
        command = [sys.executable, "-c", _READ, server.uri, _NAME, str(report)]
        found = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)  # noqa: S603
    finally:
        server.kill()
    size = {"page_mib": round(report.stat().st_size / 2**20, 1), "delivered_seconds": round(delivered, 1)}
    machine = {"cores": os.cpu_count(), "load": round(os.getloadavg()[0], 1), "python": platform.python_version()}
    return found | size | {"browser": opened(report)} | {"machine": machine}


def _deliver(paths: StudyPaths, uri: str) -> None:
    """A run a trial, with the tags that readers need and the files of its folder."""
    from mlflow import MlflowClient

    client = MlflowClient(uri)
    experiment = client.create_experiment(paths.name)
    parent = client.create_run(experiment, tags={schema.ROLE: "study", schema.STUDY: paths.name})
    client.log_artifact(parent.info.run_id, str(paths.manifest))
    client.log_artifact(parent.info.run_id, str(paths.study_file))

    def deliver(trial: TrialPaths) -> None:
        trainable = str(read_json(trial.config)["trainable"])
        tags = {schema.ROLE: "trial", schema.TRIAL_NUMBER: str(trial.number), schema.TRAINABLE: trainable}
        run = client.create_run(experiment, tags=tags)
        for file in (trial.config, trial.events, trial.result):
            client.log_artifact(run.info.run_id, str(file))
        client.set_terminated(run.info.run_id)

    with ThreadPoolExecutor(_WRITERS) as pool:
        list(pool.map(deliver, paths.each_trial()))


def opened(report: Path) -> dict[str, float] | None:
    """Seconds until the page is read and its first figure drawn, and what a selection then takes; ``None`` without a
    browser."""
    if (chromium := shutil.which("chromium")) is None:
        return None
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        begun = time.monotonic()
        page.goto(report.as_uri(), wait_until="load")
        loaded = time.monotonic() - begun
        page.wait_for_selector("#figure-frontier[data-drawn]")
        drawn = time.monotonic() - begun
        begun = time.monotonic()
        page.evaluate("model.select(model.shown().slice(0, 50)); new Promise((done) => requestAnimationFrame(done))")
        page.wait_for_function("!document.getElementById('figure-frontier').busy")
        selected = time.monotonic() - begun
        browser.close()
    return {
        "loaded_seconds": round(loaded, 2),
        "first_figure_seconds": round(drawn, 2),
        "selection_seconds": round(selected, 2),
    }


if __name__ == "__main__":
    main()
