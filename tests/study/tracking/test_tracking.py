"""The MLflow writer against real MLflow, its stores in SQLite; test_tracking_servers has servers."""

from __future__ import annotations

import itertools
import json
import logging
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas.testing
import pytest
from filelock import FileLock
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from analysis import schema
from analysis.layout import (
    ATTEMPT,
    ENDED,
    EPOCH,
    StudyPaths,
    append_event,
    append_exclusion,
    append_note,
    default_tracking_uri,
    read_events,
    write_json,
)
from analysis.pages import redact
from analysis.reading.download import StudyNotFoundError, run_link
from analysis.reading.manifest import read_manifest
from analysis.reading.runs import read_mlflow, read_study
from study.tracking import tracker as tracking
from study.tracking import uri as tracking_uri
from study.tracking.ledger import Ledger
from study.tracking.mirror import Mirror, UndeliveredError
from study.tracking.store import _open_client, prepare_client
from study.tracking.tracker import Tracker, TrackingError, check_tracking, sync
from study.tracking.uri import redact_message, resolve_uri
from study.tracking.view import description, experiment_tags, study_view, trial_view

STUDY_NUMBERS = itertools.count()
FINAL = {"clean_accuracy": 0.8, "pgd_accuracy": 0.5, "gpu_minutes": 1.5, "peak_memory_gib": 3.0}


def client(uri: str) -> Any:
    from mlflow.tracking import MlflowClient

    return MlflowClient(tracking_uri=uri, registry_uri=uri)


@pytest.fixture(scope="module")
def studies(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A studies folder whose database serves every test here: creating one takes seconds."""
    folder = tmp_path_factory.mktemp("studies")
    prepare_client()
    client(default_tracking_uri(folder))
    return folder


@pytest.fixture
def paths(studies: Path) -> StudyPaths:
    return new_study(studies)


@pytest.fixture
def other_store(studies: Path, tmp_path: Path) -> str:
    return copy_store(studies, tmp_path)


def copy_store(studies: Path, folder: Path) -> str:
    """A store that has other tests' experiments at most."""
    shutil.copy(studies / "mlflow.db", folder / "other.db")
    return f"sqlite:///{folder / 'other.db'}"


def new_study(studies: Path) -> StudyPaths:
    paths = StudyPaths(studies / f"study{next(STUDY_NUMBERS)}")
    write_manifest(paths)
    paths.study_file.write_text("name: digits\n")
    return paths


def write_manifest(paths: StudyPaths, **changes: Any) -> None:
    manifest = {
        "schema": 1,
        "name": paths.name,
        "created": 1_800_000_000.5,
        "objectives": [
            {"metric": "clean_accuracy", "direction": "maximize"},
            {"metric": "pgd_accuracy", "direction": "maximize"},
        ],
        "sampler": "tpe",
        "seed": 3,
        "trainables": ["cf_amc_ssl"],
        "budget": {"trials": 12, "gpu_hours": None},
        "data": "digits, 1437 images",
        "environment": {"python": "3.11", "git_commit": "abc123"},
        "tracking": {"uri": None},
    }
    write_json(paths.manifest, manifest | changes)


def begin(paths: StudyPaths, number: int, attempt: int = 1) -> None:
    evaluation = {"head": "robust", "split": "validation", "epsilon": 8 / 255}
    config = {"trainable": "cf_amc_ssl", "seed": 11, "evaluation": evaluation}
    params = {"m": 3, "cf_amc_ssl.learning_rate": 0.25, "optimiser.nesterov": True, "views.augmentation": "none"}
    params |= {"network.pre_feature": None}
    stored = {"number": number, "trainable": "cf_amc_ssl", "params": params, "config": config}
    write_json(paths.trial(number).config, stored)
    append_event(paths.trial(number), ATTEMPT, attempt, device="cpu", gpu_share=1.0, host="h", pid=1)


def epoch(paths: StudyPaths, number: int, epoch: int, attempt: int = 1, loss: float = 1.0) -> None:
    metrics = {"train/loss": loss / epoch, "train/seconds": float(epoch)}
    append_event(paths.trial(number), EPOCH, attempt, epoch=epoch, metrics=metrics)


def end(
    paths: StudyPaths,
    number: int,
    status: str = "finished",
    reason: str | None = None,
    attempt: int = 1,
    **metrics: float,
) -> None:
    if status == "finished":
        write_json(paths.trial(number).result, {"data": "digits, 1293 train, 144 validation"})
    append_event(paths.trial(number), ENDED, attempt, status=status, reason=reason, metrics=metrics)


def whole_trial(paths: StudyPaths, number: int, epochs: int = 3) -> None:
    begin(paths, number)
    for finished in range(1, epochs + 1):
        epoch(paths, number, finished)
    end(paths, number, **FINAL)


def runs(paths: StudyPaths, uri: str | None = None) -> dict[str, Any]:
    """Runs by trial id, the parent under ``""``; two runs of one trial fail."""
    mlflow = client(uri or default_tracking_uri(paths.root.parent))
    experiment = mlflow.get_experiment_by_name(paths.name)
    found = list(mlflow.search_runs([experiment.experiment_id]))
    named = {run.data.tags.get(schema.TRIAL_ID, ""): run for run in found}
    assert len(named) == len(found), "one run a trial"
    return named


def snapshot(paths: StudyPaths, uri: str | None = None) -> dict[str, Any]:
    """Everything that MLflow holds of a study, without its random ids."""
    mlflow = client(uri or default_tracking_uri(paths.root.parent))
    return {name: _content(mlflow, run) for name, run in runs(paths, uri).items()}


def _end(run: Any) -> int | None:
    """MLflow cannot take an end back from a run that goes on, so only the end of an ended run means something."""
    return None if run.info.status == "RUNNING" else run.info.end_time


def _content(mlflow: Any, run: Any) -> dict[str, Any]:
    names = [item.path for item in mlflow.list_artifacts(run.info.run_id)]
    histories = {key: mlflow.get_metric_history(run.info.run_id, key) for key in run.data.metrics}
    return {
        "info": (run.info.run_name, run.info.status, run.info.start_time, _end(run)),
        "tags": {key: _without_ids(value) for key, value in run.data.tags.items() if key != "mlflow.parentRunId"},
        "params": run.data.params,
        "latest": run.data.metrics,
        "history": {key: sorted((m.step, m.timestamp, m.value) for m in found) for key, found in histories.items()},
        "artifacts": {name: _artifact(mlflow, run.info.run_id, name) for name in names},
    }


def _without_ids(text: str) -> str:
    """The parent's description links to runs of its experiment."""
    return re.sub(r"experiments/\d+/runs(/[0-9a-f]{32})?", "PAGE", text)


def _artifact(mlflow: Any, run_id: str, name: str) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        return Path(mlflow.download_artifacts(run_id, name, folder)).read_bytes()


def test_a_finished_trial_arrives_whole(paths: StudyPaths) -> None:
    whole_trial(paths, 7)
    tracker = Tracker.open(paths)
    assert tracker.close() == 0
    assert tracker.problem is None

    found = snapshot(paths)
    trial, parent = found[f"{paths.name}/0007"], found[""]
    events = read_events(paths.trial(7))
    first, last = int(events[0]["time"] * 1000), int(events[-1]["time"] * 1000)
    assert trial["info"] == ("0007 cf_amc_ssl", "FINISHED", first, last)
    assert trial["params"] == {
        **{"m": "3", "cf_amc_ssl.learning_rate": "0.25", "trainable": "cf_amc_ssl", "seed": "11"},
        **{"optimiser.nesterov": "true", "views.augmentation": "none", "network.pre_feature": "null"},
    }
    assert trial["history"]["train/loss"] == [
        (number, int(events[number]["time"] * 1000), 1.0 / number) for number in (1, 2, 3)
    ]
    assert trial["latest"] == FINAL | {"train/loss": 1 / 3, "train/seconds": 3.0}
    assert trial["tags"] == {
        schema.ROLE: "trial",
        schema.STUDY: paths.name,
        schema.TRIAL_ID: f"{paths.name}/0007",
        schema.TRIAL_NUMBER: "7",
        schema.TRAINABLE: "cf_amc_ssl",
        schema.ATTEMPTS: "1",
        schema.FRONTIER: "yes",
        schema.HEAD: "robust",
        schema.SPLIT: "validation",
        schema.EPSILON: str(8 / 255),
        schema.DATA: "digits, 1293 train, 144 validation",
        "mlflow.runName": "0007 cf_amc_ssl",
        "mlflow.source.git.commit": "abc123",
    }
    assert trial["artifacts"][schema.CURVES_ARTIFACT] == paths.trial(7).events.read_bytes()
    assert set(trial["artifacts"]) == {"config.json", "events.jsonl", "result.json", "environment.json"}
    assert json.loads(trial["artifacts"]["environment.json"])["device"] == "cpu"
    assert parent["info"] == (paths.name, "FINISHED", 1_800_000_000_500, last)
    assert set(parent["artifacts"]) == {"study.json", "study.yaml", "frontier.csv"}
    assert "maximize `pgd_accuracy`" in parent["tags"]["mlflow.note.content"]
    children = {run.data.tags["mlflow.parentRunId"] for name, run in runs(paths).items() if name}
    assert children == {runs(paths)[""].info.run_id}


def test_statuses_and_reasons_follow_the_folder(paths: StudyPaths) -> None:
    for number in range(4):
        begin(paths, number)
        epoch(paths, number, 1)
    end(paths, 0, "failed", "out of memory at batch 512")
    end(paths, 1, "stopped", "dominated after 1 epoch")
    end(paths, 2, **FINAL | {"pgd_accuracy": float("nan"), "gpu_minutes": float("inf")})
    assert Tracker.open(paths).close() == 0

    found = {name[-4:]: run for name, run in runs(paths).items()}
    assert [found[f"{n:04d}"].info.status for n in range(4)] == ["FAILED", "KILLED", "FINISHED", "RUNNING"]
    assert found["0000"].data.tags[schema.REASON] == "out of memory at batch 512"
    assert found["0001"].data.tags[schema.REASON] == "dominated after 1 epoch"
    assert found["0002"].data.tags[schema.REASON] == "not finite: pgd_accuracy is nan, gpu_minutes is inf"
    assert not {"pgd_accuracy", "gpu_minutes"} & set(found["0002"].data.metrics)
    assert found["0002"].data.metrics["clean_accuracy"] == 0.8
    assert found["0003"].info.end_time is None
    assert found[""].info.status == "RUNNING", "trial 3 can be resumed"


def test_a_trial_without_config_cannot_be_resumed(paths: StudyPaths) -> None:
    begin(paths, 0)
    paths.trial(0).config.unlink()
    assert Tracker.open(paths).close() == 0
    run = runs(paths)[f"{paths.name}/0000"]
    assert run.info.status == "KILLED"
    assert "config.json cannot be read" in run.data.tags[schema.REASON]


def test_attempts_share_one_run_and_a_repeated_epoch_counts_once(paths: StudyPaths) -> None:
    begin(paths, 0)
    epoch(paths, 0, 1)
    epoch(paths, 0, 2)
    end(paths, 0, "failed", "worker lost")
    assert Tracker.open(paths).close() == 0
    assert runs(paths)[f"{paths.name}/0000"].info.status == "FAILED"

    begin(paths, 0, attempt=2)
    epoch(paths, 0, 2, attempt=2)
    assert Tracker.open(paths).close() == 0
    assert runs(paths)[f"{paths.name}/0000"].info.status == "RUNNING"

    end(paths, 0, attempt=2, **FINAL)
    assert Tracker.open(paths).close() == 0
    trial = snapshot(paths)[f"{paths.name}/0000"]
    assert trial["info"][1] == "FINISHED"
    assert trial["tags"][schema.ATTEMPTS] == "2"
    assert schema.REASON not in trial["tags"], "what failed was the first attempt"
    assert [step for step, _, _ in trial["history"]["train/loss"]] == [1, 2]


def test_a_torn_line_is_delivered_once_it_is_whole(paths: StudyPaths) -> None:
    begin(paths, 0)
    epoch(paths, 0, 1)
    line = json.dumps(
        {"kind": EPOCH, "time": 1_800_000_100.0, "attempt": 1, "epoch": 2, "metrics": {"train/loss": 0.1}}
    )
    with paths.trial(0).events.open("a") as file:
        file.write(line[:40])
    assert Tracker.open(paths).close() == 0
    with paths.trial(0).events.open("a") as file:
        file.write(line[40:] + "\n")
    assert Ledger(paths).undelivered() == 1
    assert Tracker.open(paths).close() == 0
    assert runs(paths)[f"{paths.name}/0000"].data.metrics["train/loss"] == 0.1


def test_offline_sends_nothing_and_sync_brings_all(paths: StudyPaths) -> None:
    whole_trial(paths, 0)
    tracker = Tracker.open(paths, offline=True)
    tracker.notify(0)
    assert tracker.close() == 5
    assert client(default_tracking_uri(paths.root.parent)).get_experiment_by_name(paths.name) is None

    summary = sync(paths)
    assert (summary.trials, summary.events, summary.uri) == (1, 5, default_tracking_uri(paths.root.parent))
    assert Tracker.open(paths, offline=True).close() == 0


def test_sync_again_and_elsewhere_gives_the_same(paths: StudyPaths, other_store: str) -> None:
    whole_trial(paths, 0)
    begin(paths, 1)
    epoch(paths, 1, 1)
    assert Tracker.open(paths).close() == 0
    delivered = snapshot(paths)
    sync(paths)
    assert snapshot(paths) == delivered

    assert sync(paths, other_store).events == 7
    sync(paths, other_store)
    assert snapshot(paths, other_store) == delivered


def test_delivery_does_not_depend_on_tracking_json(paths: StudyPaths) -> None:
    whole_trial(paths, 0)
    Tracker.open(paths).close()
    delivered = snapshot(paths)
    paths.tracking.write_text('{"uri": ')
    assert Tracker.open(paths).close() == 0
    assert snapshot(paths) == delivered


def test_a_ledger_of_other_runs_is_not_believed(paths: StudyPaths) -> None:
    whole_trial(paths, 0)
    Tracker.open(paths).close()
    run = runs(paths)[f"{paths.name}/0000"]
    client(default_tracking_uri(paths.root.parent)).delete_run(run.info.run_id)
    assert Tracker.open(paths).close() == 0
    again = runs(paths)[f"{paths.name}/0000"]
    assert again.info.run_id != run.info.run_id
    assert again.data.metrics == run.data.metrics


def test_readers_find_in_mlflow_what_the_folder_says(paths: StudyPaths) -> None:
    whole_trial(paths, 0)
    begin(paths, 1)
    epoch(paths, 1, 1)
    begin(paths, 2)
    end(paths, 2, "failed", "out of memory", clean_accuracy=float("nan"))
    assert Tracker.open(paths).close() == 0
    local, tracked = read_study(paths), read_mlflow(default_tracking_uri(paths.root.parent), paths.name)
    pandas.testing.assert_frame_equal(local.trials, tracked.trials)
    pandas.testing.assert_frame_equal(local.curves, tracked.curves)
    assert local.manifest == tracked.manifest
    assert local.trials["mlflow_run_id"].all()


def test_tracking_json_lets_readers_link(paths: StudyPaths) -> None:
    whole_trial(paths, 7)
    Tracker.open(paths).close()
    stored, found = json.loads(paths.tracking.read_text()), runs(paths)
    assert stored["uri"] == default_tracking_uri(paths.root.parent)
    assert stored["parent_run_id"] == found[""].info.run_id
    assert stored["runs"] == {"0007": found[f"{paths.name}/0007"].info.run_id}
    assert stored["experiment_id"] == found[""].info.experiment_id


def test_the_experiment_page_shows_a_table_of_trials(paths: StudyPaths) -> None:
    whole_trial(paths, 0)
    Tracker.open(paths).close()
    experiment = client(default_tracking_uri(paths.root.parent)).get_experiment_by_name(paths.name)
    tags = experiment.tags
    assert f"(#/experiments/{experiment.experiment_id}/runs?viewStateShareKey=trials" in tags["mlflow.note.content"]
    state = json.loads(json.loads(tags["mlflow.sharedViewState.trials"])["state"])
    assert (state["orderByKey"], state["orderByAsc"]) == ("metrics.`pgd_accuracy`", False)
    assert state["selectedColumns"][:2] == ["params.`cf_amc_ssl.learning_rate`", "params.`m`"]
    assert "metrics.`clean_accuracy`" in state["selectedColumns"]
    assert tags["mlflow.experiment.primaryMetric.name"] == "pgd_accuracy"
    assert tags["mlflow.experimentKind"] == "custom_model_development"


def test_more_metrics_than_a_batch_holds(paths: StudyPaths) -> None:
    begin(paths, 0)
    lines = [
        json.dumps({"kind": EPOCH, "time": 1_800_000_000 + n, "attempt": 1, "epoch": n, "metrics": {"a": n, "b": -n}})
        for n in range(1, 702)
    ]
    with paths.trial(0).events.open("a") as file:
        file.write("\n".join(lines) + "\n")
    assert Tracker.open(paths).close() == 0
    history = snapshot(paths)[f"{paths.name}/0000"]["history"]
    assert [value for _, _, value in history["b"]] == [-float(n) for n in range(1, 702)]


def test_a_failure_is_told_once_and_overcome(paths: StudyPaths, caplog: pytest.LogCaptureFixture) -> None:
    blocked = paths.root.parent / "mlflow-artifacts" / paths.name
    blocked.parent.mkdir(exist_ok=True)
    blocked.write_text("a file where artifacts want a folder")
    whole_trial(paths, 0)
    sender = Tracker(paths, default_tracking_uri(paths.root.parent))
    assert not sender._deliver(final=False)
    assert not sender._deliver(final=False)
    assert sender.problem
    assert sum("MLflow at" in record.message for record in caplog.records) == 1

    blocked.unlink()
    assert sender._deliver(final=False), "what failed is still to be done"
    assert sender.problem is None
    assert runs(paths)[f"{paths.name}/0000"].info.status == "FINISHED"


class Told(logging.Handler):
    """Lets a test wait for the first warning."""

    def __init__(self) -> None:
        super().__init__()
        self.event = threading.Event()

    def emit(self, record: logging.LogRecord) -> None:
        self.event.set()


def test_close_ends_the_pause_after_a_failure(paths: StudyPaths, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracking, "FIRST_PAUSE_S", 1000.0)
    told = Told()
    monkeypatch.setattr(tracking._log, "handlers", [told])
    whole_trial(paths, 0)
    blocked = paths.root.parent / "mlflow-artifacts" / paths.name
    blocked.parent.mkdir(exist_ok=True)
    blocked.write_text("a file where artifacts want a folder")
    sender = Tracker.open(paths)
    assert told.event.wait(60)
    blocked.unlink()
    assert sender.close(timeout_s=60) == 0


def test_a_run_deleted_meanwhile_is_made_again(paths: StudyPaths) -> None:
    begin(paths, 0)
    sender = Tracker(paths, default_tracking_uri(paths.root.parent))
    assert sender._deliver(final=False)
    client(default_tracking_uri(paths.root.parent)).delete_run(runs(paths)[f"{paths.name}/0000"].info.run_id)
    epoch(paths, 0, 1)
    sender.notify(0)
    assert not sender._deliver(final=False)
    assert sender._deliver(final=False)
    assert runs(paths)[f"{paths.name}/0000"].data.metrics["train/loss"] == 1.0


def test_one_broken_trial_delays_no_other(paths: StudyPaths) -> None:
    for number in range(3):
        whole_trial(paths, number)
    append_event(paths.trial(0), EPOCH, 1, epoch=4, metrics={"no name for MLflow: $": 1.0})
    mirror = Mirror(paths, default_tracking_uri(paths.root.parent), Ledger(paths))
    for _ in range(2):
        with pytest.raises(UndeliveredError, match=r"trial 0000 did not arrive \(.*Invalid value.*, all else did"):
            mirror.deliver(None, live=True)
    assert [runs(paths)[f"{paths.name}/000{n}"].info.status for n in range(3)] == ["RUNNING", "FINISHED", "FINISHED"]


def test_trials_arrive_where_their_frontier_cannot_be_known(paths: StudyPaths, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_study: object) -> set[int]:
        raise ZeroDivisionError("of the analysis")

    whole_trial(paths, 0)
    mirror = Mirror(paths, default_tracking_uri(paths.root.parent), Ledger(paths))
    with monkeypatch.context() as patch:
        patch.setattr("study.tracking.mirror.on_frontier", broken)
        with pytest.raises(ZeroDivisionError, match="of the analysis"):
            mirror.deliver(None, live=False)
    assert runs(paths)[f"{paths.name}/0000"].info.status == "FINISHED"
    mirror.deliver(None, live=False)
    assert runs(paths)[""].info.status == "FINISHED"
    assert runs(paths)[f"{paths.name}/0000"].data.tags[schema.FRONTIER] == "yes"


@pytest.mark.parametrize("odd", [3, "x", [1], {"a": 1}, None])
def test_an_odd_manifest_is_described_as_far_as_it_goes(paths: StudyPaths, odd: object) -> None:
    whole_trial(paths, 0)
    for key in ("objectives", "evaluation", "environment", "trainables", "created", "tracking", "confirms", "measures"):
        write_manifest(paths, **{key: odd})
        manifest = read_manifest(paths)
        assert trial_view(paths, paths.trial(0), manifest) is not None
        assert study_view(paths, manifest, [], live=False).span.started_ms > 0
        assert experiment_tags(paths.name, manifest, [])
    for parts in ({"evaluation": {"epsilon": "8/255"}}, {"objectives": [{"metric": "clean_accuracy"}, 3]}):
        write_manifest(paths, **parts)
        assert f"**{paths.name}**" in description(paths.name, read_manifest(paths))


def test_sync_brings_an_odd_manifests_trials(paths: StudyPaths) -> None:
    whole_trial(paths, 0)
    odd = dict.fromkeys(("evaluation", "environment", "trainables", "created", "tracking"), 3)
    write_manifest(paths, **odd, objectives=[{"metric": "clean_accuracy"}], confirms={"study": "digits"})
    sync(paths)
    assert runs(paths)[f"{paths.name}/0000"].data.tags[schema.CONFIRMS] == "digits"


def test_sync_names_a_trial_that_cannot_be_read(paths: StudyPaths) -> None:
    for number in range(2):
        whole_trial(paths, number)
    paths.trial(0).events.unlink()
    paths.trial(0).events.mkdir()
    with pytest.raises(TrackingError, match=r"trial 0000 did not arrive \(IsADirectoryError: .*all else did"):
        sync(paths)
    assert runs(paths)[f"{paths.name}/0001"].info.status == "FINISHED"


def test_sync_brings_what_can_be_brought_and_names_the_rest(paths: StudyPaths) -> None:
    for number in range(3):
        whole_trial(paths, number)
    append_event(paths.trial(0), ENDED, 1, status="no status", reason=None, metrics={})
    with pytest.raises(TrackingError, match=r"trial 0000 did not arrive \(ValueError: 'no status'.*sync again"):
        sync(paths)
    found = runs(paths)
    assert [found[f"{paths.name}/000{n}"].info.status for n in (1, 2)] == ["FINISHED", "FINISHED"]
    assert found[""].info.status == "FINISHED"


def test_a_trial_of_which_we_make_nothing_is_told_of_once_and_sent_again_alone(
    paths: StudyPaths, caplog: pytest.LogCaptureFixture
) -> None:
    for number in range(2):
        whole_trial(paths, number)
    append_event(paths.trial(0), ENDED, 1, status="no status", reason=None, metrics={})
    sender = Tracker(paths, default_tracking_uri(paths.root.parent))
    for _ in range(2):
        assert not sender._deliver(final=False)
        assert sender._changed == {0}
    assert [record.message for record in caplog.records if "trial 0000 did not arrive" in record.message]
    assert len(caplog.records) == 1
    sender._closed.set()
    assert not sender._deliver(final=True)
    assert runs(paths)[""].info.status == "FINISHED"


def test_notify_never_waits_and_close_gives_up_in_time(paths: StudyPaths) -> None:
    whole_trial(paths, 0)
    with FileLock(paths.root / ".tracking.lock"):
        tracker = Tracker.open(paths)
        for _ in range(1000):
            tracker.notify(0)
        assert tracker.close(timeout_s=0.2) == 5
    tracker._thread.join(30)
    assert Tracker.open(paths).close() == 0


def test_two_senders_of_one_study_make_one_run_a_trial(paths: StudyPaths) -> None:
    for number in range(4):
        whole_trial(paths, number)
    threads = [threading.Thread(target=sync, args=(paths,)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(runs(paths)) == 5
    before = snapshot(paths)
    sync(paths)
    assert snapshot(paths) == before


def test_a_namesake_whose_folder_is_gone_is_set_aside(paths: StudyPaths, other_store: str) -> None:
    whole_trial(paths, 0)
    sync(paths)
    sync(paths, other_store)
    write_manifest(paths, created=1_900_000_000.0)
    sync(paths)
    mlflow = client(default_tracking_uri(paths.root.parent))
    assert mlflow.get_experiment_by_name(f"{paths.name} (2027-01-15 08:00:00)") is not None
    with pytest.raises(TrackingError, match=r"another study named .* rename this study"):
        sync(paths, other_store)


def test_a_deleted_experiment_is_not_silently_filled(paths: StudyPaths) -> None:
    whole_trial(paths, 0)
    sync(paths)
    mlflow = client(default_tracking_uri(paths.root.parent))
    mlflow.delete_experiment(mlflow.get_experiment_by_name(paths.name).experiment_id)
    with pytest.raises(TrackingError, match="mlflow experiments restore"):
        sync(paths)


def test_sync_refuses_a_folder_without_a_study(tmp_path: Path) -> None:
    with pytest.raises(StudyNotFoundError, match="no study named"):
        sync(StudyPaths(tmp_path / "nothing"))


steps = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["append", "notify"]), st.integers(0, 1)),
        st.tuples(st.sampled_from(["notify all", "reopen", "forget"]), st.just(0)),
    ),
    max_size=14,
)


@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(steps=steps)
def test_any_interleaving_gives_the_same_runs(studies: Path, steps: list[tuple[str, int]]) -> None:
    paths = new_study(studies)
    lives = {number: _life(paths, number) for number in (0, 1)}
    tracker = Tracker.open(paths)
    for step, number in steps:
        if step == "append":
            next(lives[number], lambda: None)()
        elif step in ("notify", "notify all"):
            tracker.notify(number if step == "notify" else None)
        else:
            assert tracker.close() == 0
            if step == "forget":
                paths.tracking.unlink()
            tracker = Tracker.open(paths)
    assert tracker.close() == 0
    delivered = snapshot(paths)
    # a second experiment of the same folder, filled in one go
    mlflow = client(default_tracking_uri(studies))
    mlflow.rename_experiment(mlflow.get_experiment_by_name(paths.name).experiment_id, f"{paths.name} piecemeal")
    sync(paths)
    assert snapshot(paths) == delivered


def _life(paths: StudyPaths, number: int) -> Iterator[Callable[[], None]]:
    """A trial's events: it fails, is resumed an epoch back, and finishes."""
    yield lambda: begin(paths, number)
    yield lambda: epoch(paths, number, 1)
    yield lambda: epoch(paths, number, 2)
    yield lambda: end(paths, number, "failed", "worker lost")
    yield lambda: begin(paths, number, attempt=2)
    yield lambda: epoch(paths, number, 2, attempt=2, loss=2.0)
    yield lambda: end(paths, number, attempt=2, **FINAL)


@pytest.mark.parametrize(
    ("uri", "resolved"),
    [
        (None, "sqlite:////studies/mlflow.db"),
        ("sqlite:////data/x.db", "sqlite:////data/x.db"),
        ("https://u:p@host:5000/", "https://u:p@host:5000"),
        ("postgresql://u:p@host/db", "postgresql+psycopg2://u:p@host/db"),
        ("postgresql+psycopg2://u:p@host/db", "postgresql+psycopg2://u:p@host/db"),
    ],
)
def test_addresses_that_serve(uri: str | None, resolved: str) -> None:
    assert resolve_uri(uri, StudyPaths(Path("/studies/a"))) == resolved


def test_a_relative_database_becomes_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert resolve_uri("sqlite:///x.db", StudyPaths(tmp_path / "a")) == f"sqlite:///{tmp_path}/x.db"


@pytest.mark.parametrize(
    "uri",
    [
        "./mlruns",
        "mlflow.db",
        "file:///x",
        "sqlite://",
        "sqlite:///:memory:",
        "http://",
        "",
        "http://[::1",
        "http://[x]",
    ],
)
def test_addresses_that_are_refused(uri: str) -> None:
    with pytest.raises(TrackingError, match=r"give http://HOST:PORT .* or sqlite:////studies/mlflow.db"):
        Tracker.open(StudyPaths(Path("/studies/a")), uri=uri)


@pytest.mark.parametrize(
    ("uri", "shown"),
    [
        ("http://me:secret@host:5000/mlflow?token=t#f", "http://host:5000/mlflow"),
        ("https://host", "https://host"),
        ("postgresql://me:secret@db:5432/mlflow?sslmode=x", "postgresql://db:5432/mlflow"),
        ("sqlite:////a/mlflow.db", "sqlite:////a/mlflow.db"),
        ("http://me:pa@ss@host", "http://host"),
    ],
)
def test_secrets_are_stripped(uri: str, shown: str) -> None:
    assert redact(uri) == shown
    assert redact(redact(uri)) == shown


@pytest.mark.usefixtures("made_databases")
def test_a_database_whose_making_was_cut_off_is_made_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half of MLflow's tables can be neither opened nor completed: they are never where anybody looks."""
    database = tmp_path / "mlflow.db"

    def cut_off(_made: Path, _place: Path) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", cut_off)
        with pytest.raises(KeyboardInterrupt):
            _open_client(f"sqlite:///{database}")
    assert not database.exists()
    assert list(tmp_path.glob(".mlflow.db.*")), "it was being made"
    _open_client(f"sqlite:///{database}").create_experiment("first")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mlflow.db", "mlflow.db.lock"]


def test_messages_lose_the_secrets_of_their_address() -> None:
    uri = "http://me:secret@host:5000?token=t0k"
    message = f"API request to {uri}/api failed for me:secret with secret and token=t0k\nTraceback: {uri}"
    assert redact_message(message, uri) == "API request to http://host:5000/api failed for *** with *** and ***"
    assert redact_message("no such table", "sqlite:////a.db") == "no such table"
    assert redact_message("", uri) == ""


def test_run_links() -> None:
    assert (
        run_link("http://u:p@host:5000/", "3", "abc").url
        == "http://host:5000/#/experiments/3/runs/abc?workflowType=machine_learning"
    )
    assert run_link("postgresql://u:p@db/mlflow", "3", "abc").url == ""
    assert (
        run_link("sqlite:////a.db", "3", "abc").url
        == "http://127.0.0.1:5000/#/experiments/3/runs/abc?workflowType=machine_learning"
    )


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


@pytest.fixture(params=["http://me:secret@127.0.0.1:{}", "postgresql://me:secret@127.0.0.1:{}/mlflow"])
def silent(request: pytest.FixtureRequest) -> str:
    """An address where nothing answers."""
    address: str = request.param.format(free_port())
    return address


def test_a_launch_hears_that_nothing_answers(paths: StudyPaths, silent: str) -> None:
    with pytest.raises(TrackingError, match="--offline") as failure:
        check_tracking(paths, silent)
    assert redact(resolve_uri(silent, paths)) in str(failure.value)
    assert "secret" not in str(failure.value)
    assert "\n" not in str(failure.value)


def test_a_store_that_is_away_is_not_waited_for_at_the_end(
    paths: StudyPaths, silent: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tracking, "FIRST_PAUSE_S", 1000.0)
    told = Told()
    monkeypatch.setattr(tracking._log, "handlers", [told])
    whole_trial(paths, 0)
    sender = Tracker.open(paths, uri=silent)
    assert told.event.wait(60)
    assert sender.close(timeout_s=60) == 5
    assert not sender._thread.is_alive(), "close() ran out of patience"
    assert sender.problem is not None
    assert sender.problem.startswith("it does not answer, ")
    assert "secret" not in sender.problem


def test_a_server_that_hangs_is_not_waited_for(paths: StudyPaths, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracking_uri, "PROBE_TIMEOUT_S", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as hanging, pytest.raises(TrackingError, match="timed out"):
        check_tracking(paths, f"http://127.0.0.1:{hanging.getsockname()[1]}")


def test_descriptions_need_no_complete_manifest() -> None:
    assert description("digits", {}).startswith("**digits**")
    evaluation = {"head": "robust", "epsilon": 8 / 255, "split": "validation"}
    assert "robust head, epsilon 8/255, validation images" in description("digits", {"evaluation": evaluation})


def test_mlflow_is_imported_where_it_is_needed_and_by_no_second_thread() -> None:
    """Two threads that import it at once can both be left with half of it."""
    code = (
        "import sys, study.tracking.store as store; assert 'mlflow' not in sys.modules;"
        "store.prepare_client(); assert 'mlflow.tracking' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_trial_view_waits_for_the_first_event(paths: StudyPaths) -> None:
    write_json(paths.trial(0).config, {"trainable": "cf_amc_ssl"})
    assert trial_view(paths, paths.trial(0), {}) is None
    assert tracking.Tracker.open(paths, offline=True).close() == 0


@pytest.mark.parametrize("password", ["12/cret", "a#cret", "a?cret", "a@cret", "plaincret"])
def test_no_password_is_printed_however_it_is_spelled(password: str, tmp_path: Path) -> None:
    uri = f"postgresql://user:{password}@127.0.0.1/db"
    assert redact(uri) == "postgresql://127.0.0.1/db"
    if password in ("plaincret", "a@cret"):
        assert resolve_uri(uri, StudyPaths(tmp_path / "a")) == uri.replace("://", "+psycopg2://")
    else:
        with pytest.raises(TrackingError, match="%2F") as caught:
            resolve_uri(uri, StudyPaths(tmp_path / "a"))
        assert "cret" not in str(caught.value)


def test_a_trials_note_goes_to_mlflow_and_is_read_from_it(paths: StudyPaths) -> None:
    """The newest; one that was taken back leaves nothing there."""
    for number in range(2):
        append_event(paths.trial(number), ATTEMPT, 1)
        append_event(paths.trial(number), ENDED, 1, status="finished", metrics=FINAL)
    for text in ("first look", "for the <paper>"):
        append_note(paths.trial(1), text)
    uri = default_tracking_uri(paths.root.parent)
    sync(paths)
    assert (
        [*read_mlflow(uri, paths.name).trials["note"]] == [*read_study(paths).trials["note"]] == ["", "for the <paper>"]
    )
    run = client(uri).get_run(Ledger(paths).run(1))
    assert run.data.tags[schema.NOTE] == "for the <paper>"
    append_note(paths.trial(1), "")
    sync(paths)
    assert [*read_mlflow(uri, paths.name).trials["note"]] == ["", ""]


def test_a_trials_exclusion_goes_to_mlflow_and_is_restored_from_it(paths: StudyPaths) -> None:
    """And is taken back there, too."""
    for number, clean in enumerate((0.5, 0.9)):
        append_event(paths.trial(number), ATTEMPT, 1)
        append_event(paths.trial(number), ENDED, 1, status="finished", metrics=FINAL | {"clean_accuracy": clean})
    uri = default_tracking_uri(paths.root.parent)
    for reason in ("a broken node", ""):
        append_exclusion(paths.trial(1), reason)
        sync(paths)
        restored = read_mlflow(uri, paths.name)
        assert [*restored.trials["excluded"]] == [*read_study(paths).trials["excluded"]] == ["", reason]
        assert len(restored.finished) == (1 if reason else 2)
        tags = client(uri).get_run(Ledger(paths).run(1)).data.tags
        assert tags[schema.EXCLUDED] == reason
        assert tags[schema.FRONTIER] == ("no" if reason else "yes")
