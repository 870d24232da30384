"""What an attempt writes of its epochs, and when the driver and the trial go on."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from analysis import layout
from analysis.layout import ATTEMPT, ENDED, EPOCH, StudyPaths, TrialPaths, read_events, read_json, write_json
from analysis.schema import BY_HAND, TrialFault, TrialStatus
from study.config import StudyConfig
from study.execution import worker
from study.execution.worker import Terms, run_assignment
from study.files import stop
from study.files.lock import sole_driver
from study.files.storage import Storage
from study.search.folders import record_end
from trainables.config import to_dict
from trainables.outcomes import Outcomes

Tiny = Callable[..., StudyConfig]
PATIENCE_S = 60.0


@pytest.fixture
def folder(tiny: Tiny, tmp_path: Path) -> TrialPaths:
    """Of a trial of two epochs that is to run."""
    config = tiny({"optimiser.epochs": 2}).base_configs()["cf_amc_ssl"]
    trial = StudyPaths(tmp_path / "tiny").trial(0)
    write_json(trial.config, {"number": 0, "trainable": config.trainable, "params": {}, "config": to_dict(config)})
    return trial


def epochs(folder: TrialPaths) -> list[int]:
    return [event["epoch"] for event in read_events(folder) if event["kind"] == EPOCH]


def run(folder: TrialPaths, on_report: Callable[[Any], None], **terms: Any) -> None:
    run_assignment(folder.root.parents[1], 0, Terms(**terms), on_report=on_report)


def test_a_driver_beside_the_trial_answers_while_the_disk_writes(
    folder: TrialPaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: list[int] = []
    answered, waited = threading.Event(), []

    def slow(_file: int) -> None:
        if epochs(folder) == [1]:
            waited.append(answered.wait(PATIENCE_S))

    def on_report(report: Any) -> None:
        assert epochs(folder)[-1] == report.epoch, "others can read what they hear of"
        heard.append(report.epoch)
        answered.set()

    monkeypatch.setattr(layout, "_SYNC", slow)
    run(folder, on_report)
    assert (heard, waited) == ([1, 2], [True])


def test_a_driver_elsewhere_hears_of_what_is_on_the_disk(folder: TrialPaths, monkeypatch: pytest.MonkeyPatch) -> None:
    on_disk: list[int] = []

    def sync(file: int) -> None:
        os.fsync(file)
        on_disk[:] = epochs(folder)

    monkeypatch.setattr(layout, "_SYNC", sync)
    heard: list[list[int]] = []
    run(folder, lambda _: heard.append(list(on_disk)), beside_driver=False)
    assert heard == [[1], [1, 2]]


@pytest.mark.parametrize("beside_driver", [True, False])
def test_an_epoch_that_does_not_reach_the_disk_ends_the_attempt(
    folder: TrialPaths, monkeypatch: pytest.MonkeyPatch, beside_driver: bool
) -> None:
    def fails(_file: int) -> None:
        if epochs(folder):
            raise OSError("no answer")

    monkeypatch.setattr(layout, "_SYNC", fails)
    heard: list[int] = []
    with pytest.raises(OSError, match="no answer"):
        run(folder, lambda report: heard.append(report.epoch), beside_driver=beside_driver)
    assert heard == [1] * beside_driver


def test_a_configuration_on_a_disk_that_does_not_answer_is_no_fault_of_the_trial(
    folder: TrialPaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(_path: Path) -> bytes:
        raise OSError(errno.ESTALE, "Stale file handle")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "read_bytes", away)
        with pytest.raises(OSError, match="Stale file handle"):
            run(folder, lambda _: None)
    run(folder, lambda _: None)
    assert read_events(folder)[-1]["status"] == "finished"


def test_what_the_evaluation_does_can_be_read_until_the_trial_ends(
    folder: TrialPaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("study.execution.worker.PROGRESS_S", 0.0)
    seen, real = [], worker.trial.run

    def watched(config: Any, *, progress: Callable[[str], None], **rest: Any) -> Any:
        def tell(words: str) -> None:
            progress(words)
            seen.append((words, read_json(folder.progress)["words"]))

        return real(config, progress=tell, **rest)

    monkeypatch.setattr(worker.trial, "run", watched)
    run(folder, lambda _: None)
    assert seen
    assert all(said == written for said, written in seen)
    assert not folder.progress.exists()


def test_another_stage_is_written_at_once_and_its_numbers_now_and_then(folder: TrialPaths) -> None:
    written = []

    def staged(config: Any, *, progress: Callable[[str], None], **_: Any) -> Any:
        for words in ("apgd-t: 0 of 231 images", "apgd-t: 231 of 231 images", "fab-t: 0 of 230 images"):
            progress(words)
            written.append(read_json(folder.progress)["words"])
        raise RuntimeError("enough")

    run_assignment(folder.root.parents[1], 0, on_report=lambda _: None, train=staged)
    assert written == ["apgd-t: 0 of 231 images", "apgd-t: 0 of 231 images", "fab-t: 0 of 230 images"]


def test_a_trial_that_was_given_up_meanwhile_has_one_end(folder: TrialPaths) -> None:
    def on_report(report: Any) -> None:
        if report.epoch == 2:
            record_end(folder, TrialStatus.FAILED, "lost 4 times: silence", TrialFault.LOST)

    ended = run_assignment(folder.root.parents[1], 0, on_report=on_report)
    assert (ended.status, ended.reason) == ("failed", "lost 4 times: silence")
    assert [event["status"] for event in read_events(folder) if event["kind"] == ENDED] == ["failed"]


def test_a_kill_between_result_and_end_costs_no_outcome(folder: TrialPaths, monkeypatch: pytest.MonkeyPatch) -> None:
    real = worker.append_event

    def killed(trial: TrialPaths, kind: str, *rest: Any, **values: Any) -> None:
        if kind == ENDED:
            raise KeyboardInterrupt
        real(trial, kind, *rest, **values)

    monkeypatch.setattr(worker, "append_event", killed)
    with pytest.raises(KeyboardInterrupt):
        run(folder, lambda _: None)
    before = read_json(folder.result)
    monkeypatch.setattr(worker, "append_event", real)
    run(folder, lambda _: None)
    end = read_events(folder)[-1]
    assert (end["kind"], end["status"], end["attempt"]) == (ENDED, TrialStatus.FINISHED, 2)
    right = Outcomes.from_dict(end["outcomes"]).of("robust_head/clean")
    assert right.mean() == before["metrics"]["clean_accuracy"] == end["metrics"]["clean_accuracy"]
    assert "outcomes" not in read_json(folder.result)


def test_a_trial_stopped_by_hand_ends_with_its_epoch_and_keeps_what_it_measured(folder: TrialPaths) -> None:
    ended = run_assignment(folder.root.parents[1], 0, on_report=lambda _: write_json(folder.stop_by_hand, {}))
    assert (ended.status, ended.reason) == (TrialStatus.STOPPED, BY_HAND)
    assert epochs(folder) == [1]
    assert ended.metrics == read_events(folder)[-2]["metrics"] != {}


def test_a_trial_stopped_by_hand_ends_in_its_evaluation(folder: TrialPaths, monkeypatch: pytest.MonkeyPatch) -> None:
    said, real = [], worker.trial.run

    def watched(config: Any, *, progress: Callable[[str], None], **rest: Any) -> Any:
        def tell(words: str) -> None:
            if len(said) == 1:
                write_json(folder.stop_by_hand, {})
            said.append(words)
            progress(words)

        return real(config, progress=tell, **rest)

    monkeypatch.setattr(worker.trial, "run", watched)
    run(folder, lambda _: None)
    end = read_events(folder)[-1]
    assert (end["status"], end["reason"], len(said)) == ("stopped", BY_HAND, 2)
    assert (epochs(folder), folder.result.exists(), folder.progress.exists()) == ([1, 2], False, False)
    assert end["metrics"] == read_events(folder)[-2]["metrics"]


def test_an_attempt_that_begins_after_the_request_trains_nothing(folder: TrialPaths) -> None:
    """The one that it was made of has died."""
    write_json(folder.stop_by_hand, {})
    run(folder, lambda _: None)
    assert [event["kind"] for event in read_events(folder)] == [ATTEMPT, ENDED]
    assert read_events(folder)[-1]["reason"] == BY_HAND


def test_what_early_stopping_has_decided_is_the_reason(folder: TrialPaths) -> None:
    def both(_: Any) -> None:
        write_json(folder.stop_by_hand, {})
        write_json(folder.stop, {"reason": "halving: rank 9 of 9"})

    run(folder, both)
    assert read_events(folder)[-1]["reason"] == "halving: rank 9 of 9"


@pytest.mark.parametrize("evaluating", [False, True])
def test_where_no_disk_is_shared_the_request_comes_from_storage(
    folder: TrialPaths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, evaluating: bool
) -> None:
    monkeypatch.setattr("study.execution.worker.ASK_S", 0.0)
    uri, driver = f"file://{tmp_path / 'storage'}", StudyPaths(tmp_path / "driver" / "tiny")
    write_json(driver.trial(0).config, read_json(folder.config))
    pull, late = Storage.pull, []

    def asked(report: Any) -> None:
        if report.epoch == 1 + evaluating:
            with sole_driver(driver):
                stop.ask_trial(driver, 0, Storage(uri, "tiny"))

    def pulled(storage: Storage, trial: TrialPaths, name: str) -> None:
        if evaluating and name == trial.stop_by_hand.name and epochs(folder)[-1] == 2 and not late:
            late.append(name)  # the request has not got there when the last epoch is heard of
            return
        pull(storage, trial, name)

    monkeypatch.setattr(Storage, "pull", pulled)
    run(folder, asked, storage=uri)
    assert (read_events(folder)[-1]["reason"], epochs(folder)) == (BY_HAND, [1, 2] if evaluating else [1])
