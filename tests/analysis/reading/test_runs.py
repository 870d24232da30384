"""Reading studies that are whole, half-written or not there; MLflow gives what the folder gives."""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from mlflow import MlflowClient
from pandas.testing import assert_frame_equal

from analysis import schema
from analysis.figures import parallel_figure
from analysis.frontier.confirmed import confirmed
from analysis.frontier.dominance import chances
from analysis.frontier.pareto import frontier
from analysis.layout import ATTEMPT, ENDED, EPOCH, StudyPaths, append_event, append_exclusion, append_note
from analysis.papers.beside import beside
from analysis.reading import runs
from analysis.reading.download import StudyNotFoundError
from analysis.reading.runs import Reader, read_mlflow, read_study
from analysis.reading.titles import head_title, metric_title
from trainables.config import EvaluationConfig, UserError
from trainables.evaluation.expected import expected_metrics
from trainables.metrics import PROBE_ACCURACY, PROBE_PGD_ACCURACY, Accuracy

NewStudy = Callable[..., Any]


def test_a_finished_trial_is_one_row(new_study: NewStudy) -> None:
    study = new_study()
    study.finished(3, 0.9, 0.5, work=2_000_000, params={"m": 3, "epsilon": 0.03})
    read = read_study(study.paths)
    row = read.trials.iloc[0]
    assert row["number"] == 3
    assert row["id"] == "tiny/0003"
    assert (row["trainable"], row["status"], row["reason"]) == ("cf_amc_ssl", "finished", "")
    assert (row["attempts"], row["epochs"], row["seed"]) == (1, 3, 3)
    assert row["started"] <= row["ended"]
    assert (row["param.m"], row["param.epsilon"]) == (3, 0.03)
    assert row["config.data.source"] == "digits"
    assert row["config.evaluation.heads"] == ("robust",)
    assert row["clean_accuracy"] == pytest.approx(0.9)
    assert row["clean_accuracy_low"] < 0.9 < row["clean_accuracy_high"]
    assert row["forward_equivalents"] == 2_000_000
    assert read.objectives == {"clean_accuracy": "maximize", "pgd_accuracy": "maximize"}
    assert read.params == ["m", "epsilon"]
    assert read.study_file.startswith("name: tiny")


def test_a_study_that_is_read_again_is_asked_for_what_has_changed(
    new_study: NewStudy, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = new_study()
    for number in range(3):
        study.finished(number, 0.9, 0.5)
    running = study.begin(3, {"m": 3})
    reader, read = Reader(study.paths), []
    real = runs.read_events
    monkeypatch.setattr(runs, "read_events", lambda trial: read.append(trial.number) or real(trial))

    def asked() -> list[int]:
        read.clear()
        assert_frame_equal(reader.read().trials, read_study(study.paths).trials)
        return read[: -sum(1 for _ in study.paths.each_trial())]

    assert asked() == [0, 1, 2, 3]
    assert asked() == []
    study.epochs(running, 1)
    assert asked() == [3]
    append_note(study.paths.trial(1), "for the paper")
    assert asked() == [1]
    append_exclusion(study.paths.trial(1), "a broken node")
    assert asked() == [1]
    study.link({2: "abc"})
    assert asked() == [2]
    study.begin(4, {"m": 3})
    assert asked() == [4]
    study.manifest(constraints={"clean_accuracy": {"at_least": 0.95}})
    assert asked() == [0, 1, 2, 3, 4], "what is beyond the bounds is another thing"
    shutil.rmtree(study.paths.trial(0).root)
    assert asked() == []


def test_lists_can_be_counted_at_any_depth(new_study: NewStudy) -> None:
    study = new_study()
    for number, first in enumerate((0, 0, 1)):
        study.finished(number, 0.9, 0.5, params={"steps": [[first, 1.5], [{"at": 2}]]})
    read = read_study(study.paths)
    assert read.trials["param.steps"][2] == ((1, 1.5), ((("at", 2),),))
    assert read.trials["param.steps"].nunique() == 2
    panel = parallel_figure(read)
    assert panel is not None
    assert panel.data[0].dimensions[0].label == "steps"


def test_curves_have_one_row_an_epoch(new_study: NewStudy) -> None:
    study = new_study()
    study.finished(0, 0.9, 0.5)
    study.failed(1)
    curves = read_study(study.paths).curves
    assert list(zip(curves["trial"], curves["epoch"], strict=True)) == [(0, 1), (0, 2), (0, 3), (1, 1)]
    assert curves["train/loss_pgd"].tolist()[:3] == pytest.approx([-150 - 20 / 3, -150 - 40 / 3, -170])


def test_an_epoch_done_again_counts_once_as_first_reported(new_study: NewStudy) -> None:
    study = new_study()
    trial = study.begin(0, {})
    study.epochs(trial, 2)
    append_event(trial, ATTEMPT, 2, resumed_epoch=1)
    append_event(trial, "epoch", 2, epoch=2, metrics={"train/loss": 7.0})
    read = read_study(study.paths)
    assert read.curves["epoch"].tolist() == [1, 2]
    assert read.curves["train/loss"].iloc[1] < 0
    assert read.trials["attempts"].tolist() == [2]


def test_a_trial_taken_up_again_runs(new_study: NewStudy) -> None:
    study = new_study()
    trial = study.failed(0)
    append_event(trial, ATTEMPT, 2, resumed_epoch=1)
    row = read_study(study.paths).trials.iloc[0]
    assert (row["status"], row["reason"]) == ("running", "")
    assert math.isnan(row["ended"])


def test_torn_and_missing_files_cost_their_own_cells_only(new_study: NewStudy) -> None:
    study = new_study()
    study.finished(0, 0.9, 0.5)
    torn = study.finished(1, 0.8, 0.6)
    torn.events.write_bytes(torn.events.read_bytes() + b'{"kind": "ended", "sta')
    torn.config.write_text('{"number": 1, "trai')
    study.paths.trial(2).root.mkdir()
    empty = study.begin(3, {"m": 1})
    empty.events.unlink()
    (study.paths.trials / "0004").write_text("not a folder")
    (study.paths.trials / "notes").mkdir()
    trials = read_study(study.paths).trials
    assert trials["number"].tolist() == [0, 1, 2, 3]
    assert trials["status"].tolist() == ["finished", "finished", "running", "running"]
    assert trials["trainable"].tolist() == ["cf_amc_ssl", "", "", "cf_amc_ssl"]
    assert trials["clean_accuracy"].iloc[1] == pytest.approx(0.8)


@pytest.mark.parametrize(
    "event", [{}, {"status": "odd", "metrics": [1]}, {"status": None, "metrics": {"pgd_accuracy": "x"}}]
)
def test_an_ending_that_says_nothing_sound_is_a_failure(new_study: NewStudy, event: dict[str, Any]) -> None:
    study = new_study()
    append_event(study.begin(0, {}), ENDED, 1, **event)
    row = read_study(study.paths).trials.iloc[0]
    assert row["status"] == "failed"
    assert math.isnan(row["pgd_accuracy"])


def test_nan_and_infinity_come_back_as_numbers(new_study: NewStudy) -> None:
    study = new_study()
    study.finished(0, 0.9, 0.5, clean_accuracy=math.nan, gpu_minutes=-math.inf)
    row = read_study(study.paths).trials.iloc[0]
    assert math.isnan(row["clean_accuracy"])
    assert row["gpu_minutes"] == -math.inf


IMPOSSIBLE = {
    "clean_accuracy": [1.5, -0.2, math.inf],
    "pgd_accuracy_high": [1.01],
    "robust_head/pgd_8_zero": [1.5],
    "evaluation_images": [0, -3, math.inf],
    "auto_attack_images": [0.5],
    "gpu_minutes": [10**400],
}


@pytest.mark.parametrize(
    ("name", "value"),
    [(name, value) for name, values in IMPOSSIBLE.items() for value in values],
    ids=lambda value: str(value)[:24],
)
def test_what_no_trial_can_have_measured_is_not_known(new_study: NewStudy, name: str, value: float) -> None:
    study = new_study()
    study.finished(0, 0.9, 0.5, **{name: value})
    study.finished(1, 0.8, 0.6)
    read = read_study(study.paths)
    assert math.isnan(read.trials[name].iloc[0])
    assert sum(chances(read).values()) > 0
    assert len(beside(read).ours) == len(frontier(read)) >= 1


@pytest.mark.parametrize("name", [PROBE_ACCURACY, PROBE_PGD_ACCURACY])
def test_an_epochs_impossible_accuracy_is_not_known(new_study: NewStudy, name: str) -> None:
    study = new_study()
    trial = study.finished(0, 0.9, 0.5)
    append_event(trial, EPOCH, 1, epoch=4, metrics={name: 1.5, "train/loss": 7.0})
    curves = read_study(study.paths).curves.set_index("epoch")
    assert math.isnan(curves.loc[4, name])
    assert curves.loc[4, "train/loss"] == 7.0
    assert 0 < curves.loc[3, name] < 1


@pytest.mark.parametrize(
    ("changes", "competing"),
    [
        ({"clean_accuracy": math.inf}, []),
        ({"clean_accuracy": 1.01}, []),
        ({"evaluation_images": 0}, ["tiny/0003"]),
    ],
)
def test_a_confirmation_outlives_what_one_seed_cannot_have_measured(
    new_study: NewStudy, changes: dict[str, float], competing: list[str]
) -> None:
    """Whose accuracy is not known keeps its configuration off the frontier."""
    told = {"study": "tiny", "seeds": [1, 2], "configurations": [{"trial": 3}]}
    child = new_study("child", confirms=told)
    child.finished(0, 0.5, 0.3, params={"configuration": 3, "seed": 1}, **changes)
    child.finished(1, 0.5, 0.3, params={"configuration": 3, "seed": 2})
    child.finished(2, 0.5, 0.3, params={"configuration": "x", "seed": 2})
    read = read_study(child.paths)
    assert confirmed(read)["pgd_accuracy"].tolist() == [pytest.approx(0.3)]
    assert list(chances(read)) == competing


def test_half_a_character_becomes_one_that_can_be_written(new_study: NewStudy) -> None:
    study = new_study()
    study.failed(0, reason="no file \udcff.png in 目录 or 🐈")
    study.finished(1, 0.9, 0.5, params={"m": "x\ud800"})
    trials = read_study(study.paths).trials
    assert trials["reason"].iloc[0] == "no file ?.png in 目录 or 🐈"
    assert trials["param.m"].iloc[1] == "x?"


def test_a_trial_that_cannot_be_read_is_named_and_hides_no_other(new_study: NewStudy) -> None:
    study = new_study()
    study.finished(0, 0.9, 0.5)
    for file in (study.finished(1, 0.8, 0.6).events, study.finished(2, 0.7, 0.7).config):
        file.unlink()
        file.mkdir()
    trials = read_study(study.paths).trials
    assert trials["status"].tolist() == ["finished", "failed", "finished"]
    assert trials["reason"].iloc[1] == "events.jsonl cannot be read: Is a directory"
    assert trials["trainable"].tolist() == ["cf_amc_ssl", "cf_amc_ssl", ""]


def test_folders_that_no_trial_is_called_by_are_no_trials(new_study: NewStudy) -> None:
    study = new_study()
    shutil.copytree(study.finished(7, 0.9, 0.5).root, study.paths.trials / "7")
    (study.paths.trials / "²").mkdir()
    assert read_study(study.paths).trials["number"].tolist() == [7]


@pytest.mark.parametrize(
    "manifest", ["", "{", "[]", '{"objectives": 3, "evaluation": []}', '{"objectives": [{"metric": "x"}]}']
)
def test_a_broken_manifest_leaves_the_defaults(new_study: NewStudy, manifest: str) -> None:
    study = new_study()
    study.finished(0, 0.9, 0.5)
    study.paths.manifest.write_text(manifest)
    read = read_study(study.paths)
    assert list(read.objectives) == ["clean_accuracy", "pgd_accuracy"]
    assert read.evaluation == {}
    assert len(read.finished) == 1


def test_an_empty_study_has_the_columns_of_a_full_one(new_study: NewStudy) -> None:
    read = read_study(new_study().paths)
    assert read.trials.empty
    assert read.curves.empty
    assert {"number", "status", "clean_accuracy", "pgd_accuracy", "mlflow_url"} <= set(read.trials)


def test_links_to_mlflow_where_the_server_can_be_browsed(new_study: NewStudy) -> None:
    study = new_study()
    study.finished(0, 0.9, 0.5)
    study.finished(1, 0.8, 0.6)
    study.link({0: "abc"}, uri="http://127.0.0.1:5000/")
    page = "#/experiments/1/runs/abc?workflowType=machine_learning"
    trials = read_study(study.paths).trials
    assert trials["mlflow_run_id"].tolist() == ["abc", ""]
    assert trials["mlflow_url"].tolist() == [
        "http://127.0.0.1:5000/#/experiments/1/runs/abc?workflowType=machine_learning",
        "",
    ]
    study.link({0: "abc"}, uri="sqlite:////somewhere/mlflow.db")
    assert read_study(study.paths).trials["mlflow_url"].tolist() == [
        f"{schema.UI_ADDRESS}/{page}",
        "",
    ]
    elsewhere = read_study(study.paths, "http://127.0.0.1:5001/").trials
    assert elsewhere["mlflow_url"].tolist() == [f"http://127.0.0.1:5001/{page}", ""]
    study.link({0: "abc"}, uri="https://me:secret@host/mlflow")
    assert read_study(study.paths).trials["mlflow_url"].iloc[0] == f"https://host/mlflow/{page}"
    study.link({0: "abc"}, uri="postgresql://somewhere/mlflow")
    assert read_study(study.paths).trials["mlflow_url"].tolist() == ["", ""]


def test_a_missing_study_names_those_there_are(new_study: NewStudy) -> None:
    other = new_study("other")
    with pytest.raises(StudyNotFoundError, match=r"no study named 'gone' in .*; there: other$"):
        read_study(StudyPaths(other.paths.root.parent / "gone"))


def test_a_missing_study_where_there_is_none(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="there is none yet; start one with study launch FILE"):
        read_study(StudyPaths(tmp_path / "nowhere" / "gone"))


pytestmark = pytest.mark.filterwarnings("ignore:The ..noload.. loader:DeprecationWarning")  # in MLflow's own tables


@pytest.fixture(scope="module")
def tracking_uri(tmp_path_factory: pytest.TempPathFactory) -> str:
    return f"sqlite:///{tmp_path_factory.mktemp('mlflow') / 'mlflow.db'}"


def log_study(uri: str, paths: StudyPaths) -> dict[int, str]:
    """What the tracker writes of a study, by ``analysis.schema``: the trials' run ids."""
    client = MlflowClient(uri)
    artifacts = (paths.root.parent / f"{paths.name}-artifacts").as_uri()
    experiment = client.create_experiment(paths.name, artifact_location=artifacts)
    parent = client.create_run(experiment, tags={schema.STUDY: paths.name, schema.ROLE: "study"})
    for file in (paths.manifest, paths.study_file):
        client.log_artifact(parent.info.run_id, str(file))
    runs = {}
    for trial in paths.each_trial():
        tags = {schema.ROLE: "trial", schema.TRIAL_NUMBER: str(trial.number), "mlflow.parentRunId": parent.info.run_id}
        stale = client.create_run(experiment, tags=tags, start_time=1)
        run = client.create_run(experiment, tags=tags)
        for file in (trial.config, trial.events, trial.result):
            if file.exists():
                client.log_artifact(run.info.run_id, str(file))
        assert stale.info.run_id != run.info.run_id
        runs[trial.number] = run.info.run_id
    return runs


def test_mlflow_gives_what_the_folder_gives(new_study: NewStudy, tracking_uri: str) -> None:
    study = new_study("tracked")
    study.judged(0, np.arange(20) < 18, np.arange(20) < 10)
    study.finished(1, 0.8, 0.6, params={"pgd_steps": 5}, trainable="pgd_emp_ssl", pgd_accuracy=math.nan)
    study.failed(2)
    study.epochs(study.begin(3, {"m": 5, "kind": "crops"}), 2)
    runs = log_study(tracking_uri, study.paths)
    study.link(runs, uri=tracking_uri, experiment="1")
    local, tracked = read_study(study.paths), read_mlflow(tracking_uri, "tracked")
    assert_frame_equal(tracked.trials, local.trials)
    assert_frame_equal(tracked.curves, local.curves)
    assert tracked.outcomes == local.outcomes
    assert list(local.outcomes) == ["tracked/0000"]
    assert tracked.manifest == local.manifest
    assert tracked.study_file == local.study_file
    assert tracked.trials["mlflow_run_id"].tolist() == [runs[number] for number in range(4)]


def test_a_run_without_files_yet_is_known_by_its_tags(tracking_uri: str) -> None:
    client = MlflowClient(tracking_uri)
    tags = {schema.ROLE: "trial", schema.TRIAL_NUMBER: "4", schema.TRAINABLE: "cf_amc_ssl"}
    run = client.create_run(client.create_experiment("young"), tags=tags)
    for name, value in {"m": "3", "kind": "crops", "seed": "7"}.items():
        client.log_param(run.info.run_id, name, value)
    row = read_mlflow(tracking_uri, "young").trials.iloc[0]
    assert (row["number"], row["trainable"], row["status"], row["seed"]) == (4, "cf_amc_ssl", "running", 7)
    assert (row["param.m"], row["param.kind"]) == (3, "crops")


def test_a_finished_run_whose_files_are_gone_is_known_by_its_figures(new_study: NewStudy, tracking_uri: str) -> None:
    study = new_study("robbed")
    study.finished(0, 0.9, 0.5)
    runs = log_study(tracking_uri, study.paths)
    client = MlflowClient(tracking_uri)
    tags = {schema.ROLE: "trial", schema.TRIAL_NUMBER: "1", schema.TRAINABLE: "cf_amc_ssl"}
    robbed = client.create_run(client.get_run(runs[0]).info.experiment_id, tags=tags).info.run_id
    client.log_metric(robbed, "clean_accuracy", 0.75)
    for run in (runs[0], robbed):
        client.set_terminated(run)
    trials = read_mlflow(tracking_uri, "robbed").trials
    assert trials["status"].tolist() == ["finished", "finished"]
    assert trials["clean_accuracy"].tolist() == pytest.approx([0.9, 0.75])


def test_a_study_that_mlflow_does_not_have(new_study: NewStudy, tracking_uri: str) -> None:
    log_study(tracking_uri, new_study("known").paths)
    with pytest.raises(StudyNotFoundError, match=r"no study named 'gone' in MLflow at sqlite:////.*; there: known"):
        read_mlflow(tracking_uri, "gone")


def test_no_database_is_made_where_there_is_none(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no MLflow database at"):
        read_mlflow(f"sqlite:///{tmp_path / 'absent.db'}", "tiny")
    assert list(tmp_path.iterdir()) == []


def test_an_absent_server_is_one_line() -> None:
    with pytest.raises(UserError, match=r"no MLflow server answers at 127\.0\.0\.1:9"):
        read_mlflow("http://127.0.0.1:9", "tiny")


def test_frames_have_settled_types(new_study: NewStudy) -> None:
    study = new_study()
    empty = read_study(study.paths).trials.dtypes
    study.finished(0, 0.9, 0.5)
    full = read_study(study.paths).trials.dtypes
    pd.testing.assert_series_equal(full[empty.index], empty)


def test_dimensions_stand_as_the_manifest_has_them_whichever_was_drawn_first(new_study: NewStudy) -> None:
    study = new_study("study", space={"parameters": {"crops": {}, "epsilon": {}, "m": {}}})
    study.finished(0, 0.6, 0.4, params={"by_hand": 1, "epsilon": 0.03})
    study.finished(1, 0.5, 0.5, params={"epsilon": 0.02, "m": 3, "crops": 4})
    assert read_study(study.paths).params == ["crops", "epsilon", "m", "by_hand"]


def test_objectives_have_their_intervals_and_a_column_also_where_no_trial_has_them(new_study: NewStudy) -> None:
    """A trial writes down the shares of heads alone; AutoAttack may have seen fewer images."""
    names = ["robust_head/pgd_16_zero", "slf_head/auto_attack_8_worst", "slf_head/clean"]
    study = new_study(objectives=[{"metric": name} for name in names])
    study.finished(0, 0.9, 0.5, **{names[0]: 0.25, names[1]: 0.5, "auto_attack_images": 20.0})
    read = read_study(study.paths)
    assert read.accuracies[3:] == names
    trial = read.trials.iloc[0]
    for name, images in zip(names[:2], (360, 20), strict=True):
        low, high = Accuracy.of_share(trial[name], images).interval()
        assert (trial[f"{name}_low"], trial[f"{name}_high"]) == (low, high)
    assert math.isnan(trial[names[2]])
    assert metric_title(names[0], read) == "Zero-start PGD accuracy at 16/255 of the robust head"
    assert metric_title(names[1], read) == "AutoAttack accuracy at 8/255 of the slf head, n = 20 images"


def test_every_figure_of_a_head_has_a_title_of_its_own() -> None:
    attacks = ("pgd", "fgsm", "margin_pgd", "auto_attack", "torchattacks_10_steps")
    evaluation = EvaluationConfig(heads=("robust", "n_crops_4"), attacks=attacks)
    names = [name for name in expected_metrics(evaluation) if "_head/" in name]
    titles = {head_title(name) for name in names}
    assert len(titles) == len(names)
    assert "" not in titles
    assert head_title("slf_head/pgd_16_worst") == "PGD accuracy at 16/255 of the slf head"
