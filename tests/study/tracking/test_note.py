"""What the parent run says of a study, against real MLflow."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis import schema
from analysis.layout import ATTEMPT, ENDED, StudyPaths, append_event, default_tracking_uri, write_json
from analysis.reading.runs import Study, read_study
from study.tracking.ledger import Ledger
from study.tracking.mirror import Mirror
from study.tracking.note import LONGEST, Place, counts, note
from study.tracking.store import prepare_client
from study.tracking.tracker import Tracker, sync

PLACE = Place("7", "parent", {0: "aaa", 1: "bbb", 2: "ccc"})
MANIFEST: dict[str, Any] = {
    "created": 1_800_000_000.0,
    "objectives": [{"metric": "clean_accuracy", "direction": "maximize"}],
    "budget": {"trials": 5},
}


@pytest.fixture
def paths(tmp_path: Path) -> StudyPaths:
    paths = StudyPaths(tmp_path / "tiny")
    write_json(paths.manifest, MANIFEST | {"name": "tiny"})
    return paths


def finish(paths: StudyPaths, number: int, clean: float, **params: Any) -> None:
    write_json(
        paths.trial(number).config, {"trainable": "cf_amc_ssl", "params": {"m": 3} | params, "config": {"seed": number}}
    )
    append_event(paths.trial(number), ATTEMPT, 1, device="cpu")
    metrics = {"clean_accuracy": clean, "pgd_accuracy": 0.5, "clean_accuracy_low": clean, "clean_accuracy_high": clean}
    metrics["evaluation_images"] = 400.0
    append_event(paths.trial(number), ENDED, 1, status="finished", metrics=metrics)


def of(paths: StudyPaths, *, report: bool = True) -> str:
    return note(read_study(paths), PLACE, report=report)


def test_golden(paths: StudyPaths) -> None:
    finish(paths, 0, 0.8)
    finish(paths, 1, 0.9)
    append_event(paths.trial(2), ATTEMPT, 1)
    assert of(paths).splitlines()[:8] == [
        "**tiny**: 1 running, 2 finished of 5 trials. "
        "Report: [`report.html`](#/experiments/7/runs/parent/artifacts/report.html?workflowType=machine_learning). "
        "Frontier: [`frontier.csv`](#/experiments/7/runs/parent/artifacts/frontier.csv?workflowType=machine_learning). "
        "All: [table of trials](#/experiments/7/runs?viewStateShareKey=trials&workflowType=machine_learning).",
        "",
        "| Trial | Trainable | Clean, % | PGD, % | m |",
        "| ---: | --- | ---: | ---: | ---: |",
        "| [0001](#/experiments/7/runs/bbb?workflowType=machine_learning) | cf_amc_ssl | 90.0 [90.0, 90.0] | 50.0 "
        "| 3 |",
        "",
        "Pareto frontier of tiny: Clean accuracy; n = 400 images; [95 % Wilson interval]",
        "",
    ]
    assert "`study report tiny` writes one" in of(paths, report=False)


def test_a_study_without_a_frontier_says_why(paths: StudyPaths) -> None:
    assert "**tiny**: No trial yet of 5 trials." in of(paths)
    append_event(paths.trial(0), ATTEMPT, 1)
    append_event(paths.trial(0), ENDED, 1, status="failed", reason="oom", metrics={})
    assert "No trial has finished with all objectives measured" in of(paths)
    paths.manifest.write_text("{")
    assert "**tiny**: 1 failed." in of(paths)


@settings(max_examples=40, deadline=None)
@given(rows=st.integers(1, 300), cell=st.text(st.characters(codec="utf-8", exclude_categories=("Cs",)), max_size=60))
def test_it_fits_and_says_what_it_leaves_out(rows: int, cell: str) -> None:
    trials = pd.DataFrame(
        {
            "number": range(rows),
            "trainable": "t",
            "status": "finished",
            "verdict": "",
            "violation": "",
            "excluded": "",
            "clean_accuracy": 0.5,
            "pgd_accuracy": 0.5,
            "auto_attack_accuracy": float("nan"),
            "forward_equivalents": float("nan"),
            "gpu_minutes": float("nan"),
            "param.word": cell,
        }
    )
    study = Study(name="wide", manifest=MANIFEST, trials=trials, curves=pd.DataFrame())
    made = note(study, Place("1", "p", dict.fromkeys(range(rows), "r" * 32)), report=True)
    assert len(made) <= LONGEST
    shown = len(re.findall(r"^\| \[\d{4,}\]", made, flags=re.MULTILINE))
    left = re.search(r"(\d+) more are in the artifact", made)
    assert shown + (int(left[1]) if left else 0) == rows
    assert "<" not in made, "what users wrote is no markup"


def test_a_confirmation_links_its_seeds(paths: StudyPaths) -> None:
    told = {"study": "first", "seeds": [4, 5], "configurations": [{"trial": 12, "trainable": "t", "params": {}}]}
    write_json(paths.manifest, MANIFEST | {"confirms": told})
    finish(paths, 0, 0.8, configuration=12)
    finish(paths, 1, 0.9, configuration=12)
    (row,) = [line for line in of(paths).splitlines() if line.startswith("| first/0012 ")]
    assert row.endswith(
        "| [seed 0](#/experiments/7/runs/aaa?workflowType=machine_learning), "
        "[seed 1](#/experiments/7/runs/bbb?workflowType=machine_learning) |"
    )
    assert "85.0" in row


def test_counts_name_what_is_known() -> None:
    empty = Study(name="a", manifest={}, trials=pd.DataFrame({"status": [], "excluded": []}), curves=pd.DataFrame())
    assert counts(empty) == "No trial yet."


def client(paths: StudyPaths) -> Any:
    from mlflow.tracking import MlflowClient

    uri = default_tracking_uri(paths.root.parent)
    return MlflowClient(tracking_uri=uri, registry_uri=uri)


def by_trial(paths: StudyPaths) -> dict[str, Any]:
    mlflow = client(paths)
    found = mlflow.search_runs([mlflow.get_experiment_by_name(paths.name).experiment_id])
    return {run.data.tags.get(schema.TRIAL_ID, "")[-4:]: run for run in found}


def artifacts(paths: StudyPaths) -> set[str]:
    return {item.path for item in client(paths).list_artifacts(by_trial(paths)[""].info.run_id)}


def test_the_parent_run_holds_frontier_and_report_once_the_study_has_ended(paths: StudyPaths) -> None:
    prepare_client()
    finish(paths, 0, 0.8)
    paths.report.write_text("<!doctype html>")
    ledger = Ledger(paths)
    mirror = Mirror(paths, default_tracking_uri(paths.root.parent), ledger)
    mirror.deliver(None, live=True)
    assert artifacts(paths) == {"study.json"}, "a report is megabytes, and changes at the end"
    finish(paths, 1, 0.9)
    assert Tracker.open(paths).close() == 0
    found = by_trial(paths)
    assert artifacts(paths) == {"study.json", "report.html", "frontier.csv"}
    said = found[""].data.tags[schema.NOTE]
    assert "2 finished of 5 trials" in said
    assert f"[0001](#/experiments/{found[''].info.experiment_id}/runs/{found['0001'].info.run_id}?" in said
    assert [found[name].data.tags[schema.FRONTIER] for name in ("0000", "0001")] == ["no", "yes"]

    finish(paths, 2, 0.95)
    sync(paths)
    found = by_trial(paths)
    assert "0002" in found[""].data.tags[schema.NOTE]
    assert [found[name].data.tags[schema.FRONTIER] for name in ("0001", "0002")] == ["no", "yes"]
    table = client(paths).download_artifacts(found[""].info.run_id, schema.FRONTIER_ARTIFACT, str(paths.root))
    assert list(pd.read_csv(table)["number"]) == [2]


def test_no_secret_of_an_address_reaches_the_description(paths: StudyPaths) -> None:
    secrets = {"tracking": {"uri": "http://me:hunter2@host"}, "warm_start": ["mlflow:http://me:hunter2@host#a"]}
    write_json(paths.manifest, MANIFEST | secrets)
    finish(paths, 0, 0.8)
    assert "hunter2" not in of(paths)
