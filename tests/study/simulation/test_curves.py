"""Recordings: written from a study's folders, read back equal, and replayed by the nearest trial."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from analysis.layout import ENDED, EPOCH, read_events, study_paths
from study.config import StudyConfig
from study.execution.replay import Replay
from study.launch import launch, resume
from study.simulation.curves import METRICS, Curve, CurvesError, Nearest, read, record, write
from trainables.config import UserError
from trainables.metrics import GPU_MINUTES, PROBE_ACCURACY, TRAIN_FORWARD_EQUIVALENTS, TRAIN_SECONDS

Tiny = Callable[..., StudyConfig]
pytestmark = pytest.mark.usefixtures("studies")
CURVES = Path(__file__).parents[1] / "recorded" / "digits.jsonl"
SPACE = {"unlisted": "fixed", "learning_rate": {"low": 0.001, "high": 2.0, "log": True}, "m": [1, 2]}


@pytest.fixture
def digits() -> list[Curve]:
    return read(CURVES)


def test_a_replay_says_what_its_recording_knows_nothing_of(tiny: Tiny) -> None:
    replay = Replay(CURVES)
    assert "knows" not in replay.check(tiny(space=SPACE).search_space(), METRICS)
    told = replay.check(tiny(space=SPACE | {"optimiser.nesterov": [True, False]}).search_space(), METRICS)
    assert told.endswith("digits.jsonl, which knows nothing of optimiser.nesterov")


def test_a_recording_holds_what_a_search_would_have_seen(digits: list[Curve]) -> None:
    assert len(digits) == 8
    for curve in digits:
        assert set(curve.metrics) >= set(METRICS)
        assert len(curve.epochs) == curve.params["epochs"] == 4
        works = [epoch[TRAIN_FORWARD_EQUIVALENTS] for epoch in curve.epochs]
        assert works == [works[0] * epoch for epoch in (1, 2, 3, 4)]
        assert curve.total == curve.metrics["forward_equivalents"]
        assert 0 < curve.minutes(1) < curve.minutes(4) < curve.metrics[GPU_MINUTES]


def test_what_is_written_is_read_back(digits: list[Curve], tmp_path: Path) -> None:
    lacking = replace(digits[0], epochs=({**digits[0].epochs[0], PROBE_ACCURACY: math.nan},))
    write([lacking, *digits[1:]], tmp_path / "copy.jsonl")
    first, *rest = read(tmp_path / "copy.jsonl")
    assert rest == digits[1:]
    assert math.isnan(first.epochs[0][PROBE_ACCURACY])
    assert first.epochs[0][TRAIN_SECONDS] == lacking.epochs[0][TRAIN_SECONDS]


def test_a_study_is_recorded_from_its_folders(tiny: Tiny, tmp_path: Path) -> None:
    """Replayed and recorded again, the trials are those of the recording, under their new names."""
    paths = launch(tiny(space=SPACE, budget={"trials": 3}), backend="replay", curves=CURVES)
    (paths.trial(0).root / "events.jsonl").unlink()
    assert record(paths, tmp_path / "again.jsonl") == (2, 1)
    known = {curve.metrics[GPU_MINUTES]: curve for curve in read(CURVES)}
    for curve in read(tmp_path / "again.jsonl"):
        original = known[curve.metrics[GPU_MINUTES]]
        assert curve.id.startswith("tiny/")
        assert (curve.epochs, curve.metrics) == (original.epochs, original.metrics)


def test_a_study_without_a_finished_trial_cannot_be_recorded(tmp_path: Path) -> None:
    with pytest.raises(CurvesError, match="no trial of none"):
        record(study_paths("none"), tmp_path / "none.jsonl")
    assert not (tmp_path / "none.jsonl").exists()


@pytest.mark.parametrize(
    ("text", "words"),
    [("", "holds no trial"), ("{}", "curves.jsonl:1: no recorded trial"), ("\n[1]\n", "curves.jsonl:2")],
)
def test_a_file_that_is_no_recording_is_refused(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "curves.jsonl").write_text(text)
    with pytest.raises(CurvesError, match=words):
        read(tmp_path / "curves.jsonl")


def test_a_trial_without_a_figure_is_refused(tmp_path: Path) -> None:
    line = json.loads(CURVES.read_text().splitlines()[0])
    del line["metrics"]["pgd_accuracy"]
    (tmp_path / "curves.jsonl").write_text(json.dumps(line))
    with pytest.raises(CurvesError, match="without pgd_accuracy"):
        read(tmp_path / "curves.jsonl")


def test_the_nearest_trial_is_nearest_on_each_parameters_own_scale(digits: list[Curve]) -> None:
    nearest = Nearest(digits)
    assert set(nearest.dimensions("cf_amc_ssl")) == {"epsilon", "m", "learning_rate"}
    for curve in digits:
        assert nearest.of("cf_amc_ssl", curve.params) is curve
        nudged = curve.params | {"learning_rate": curve.params["learning_rate"] * 1.01, "crops": 40}
        assert nearest.of("cf_amc_ssl", nudged) is curve
    rates = {rate: replace(digits[0], params={"learning_rate": rate}) for rate in (0.001, 0.1, 10.0)}
    assert Nearest(list(rates.values())).of("cf_amc_ssl", {"learning_rate": 0.02}) is rates[0.1]
    even = {rate: replace(digits[0], params={"learning_rate": rate}) for rate in (1.0, 4.0, 9.0)}
    assert Nearest(list(even.values())).of("cf_amc_ssl", {"learning_rate": 2.4}) is even[1.0]


def test_a_parameter_that_a_point_lacks_does_not_count(digits: list[Curve]) -> None:
    one = digits[3]
    partly = {name: one.params[name] for name in ("learning_rate", "epsilon")}
    assert Nearest(digits).of("cf_amc_ssl", partly) is one


@pytest.mark.usefixtures("reports")
def test_a_replayed_study_goes_the_whole_way(tiny: Tiny) -> None:
    paths = launch(tiny(space=SPACE, budget={"trials": 3}), backend="replay", curves=CURVES)
    recorded = {curve.id: curve for curve in read(CURVES)}
    for folder in paths.each_trial():
        result = json.loads(folder.result.read_text())
        curve = recorded[result["replayed"]]
        events = read_events(folder)
        assert [event["metrics"] for event in events if event["kind"] == EPOCH] == list(curve.epochs)
        assert (events[-1]["kind"], events[-1]["metrics"]) == (ENDED, dict(curve.metrics))
    manifest = json.loads(paths.manifest.read_text())
    assert manifest["replayed"] == str(CURVES)
    assert manifest["data"].startswith("replayed from 8 recorded trials")
    assert paths.report.exists()
    assert not any(folder.rungs.exists() for folder in paths.each_trial()), "without a scheduler nothing is judged"


def test_replayed_and_trained_trials_never_stand_in_one_study(tiny: Tiny) -> None:
    paths = launch(tiny(space=SPACE, budget={"trials": 1}), backend="replay", curves=CURVES)
    with pytest.raises(UserError, match="resume it with: study resume tiny --backend replay"):
        resume("tiny", trials=2, backend="inline")
    manifest = json.loads(paths.manifest.read_text())
    del manifest["replayed"]
    paths.manifest.write_text(json.dumps(manifest))
    with pytest.raises(UserError, match="trains its trials"):
        resume("tiny", trials=2, backend="replay", curves=CURVES)


def test_what_cannot_be_replayed_is_refused_before_anything_is_written(tiny: Tiny, studies: Path) -> None:
    with pytest.raises(UserError, match="go together"):
        launch(tiny(), backend="replay")
    with pytest.raises(UserError, match="go together"):
        launch(tiny(), backend="inline", curves=CURVES)
    with pytest.raises(CurvesError, match="no trial of emp_ssl; it has cf_amc_ssl"):
        launch(tiny(trainables=["emp_ssl"], space={"unlisted": "fixed"}), backend="replay", curves=CURVES)
    assert not (studies / "tiny").exists()
