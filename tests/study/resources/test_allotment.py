"""Who holds how much of the machine, and how many run at once."""

from __future__ import annotations

import io
import itertools
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from rich.console import Console

from analysis.layout import ATTEMPT, ENDED, append_event, read_events
from study.config import StudyConfig
from study.launch import launch
from study.preflight import allot
from study.resources.allotment import Share, allotment, fits, slots
from study.resources.needs import ResourceError, gpus_per_trial
from study.search.searcher import Search
from trainables.metrics import GPU_MINUTES, TRAIN_SECONDS

Tiny = Callable[..., StudyConfig]
TWO = {"trainables": ["cf_amc_ssl", "robust_simclr"], "space": {"unlisted": "fixed"}}

shares = st.builds(
    Share,
    cpus=st.sampled_from([0.5, 1.0, 2.0, 4.0]),
    gpus=st.sampled_from([0.0, 0.25, 0.5, 1.0, 2.0]) | st.integers(1, 10000).map(lambda parts: parts / 10000),
)


@pytest.mark.parametrize(
    ("asked", "gpus", "device", "given"),
    [(None, 0, "auto", 0.0), (None, 2, "auto", 1.0), (None, 2, "cpu", 0.0), (0.5, 1, "auto", 0.5), (0, 1, "auto", 0.0)],
)
def test_gpus_per_trial(asked: float | None, gpus: int, device: str, given: float) -> None:
    assert gpus_per_trial(asked, {"GPU": gpus}, device)[0] == given


def test_a_gpu_that_is_not_there_is_refused() -> None:
    with pytest.raises(ResourceError, match="no GPU is visible"):
        gpus_per_trial(0.5, {"CPU": 8}, "auto")


@pytest.mark.parametrize(
    ("cpus", "gpus", "machine", "count"),
    [
        (1, 0, (4, 0), 4),
        (0.1, 0, (1, 0), 10),
        (2, 0.3, (16, 2), 6),
        (1, 1, (16, 2), 2),
        (1, 2, (16, 3), 1),
        (8, 0.1, (16, 1), 2),
    ],
)
def test_slots(cpus: float, gpus: float, machine: tuple[float, float], count: int) -> None:
    assert slots(Share(cpus=cpus, gpus=gpus), *machine) == count


def test_a_trial_that_fits_nowhere_is_refused() -> None:
    with pytest.raises(ResourceError, match="asks for 4 cores and 0 GPUs"):
        allotment({"small": Share(cpus=1, gpus=0), "large": Share(cpus=4, gpus=0)}, 2, 0, None)


@given(shares, st.integers(1, 12), st.integers(0, 4))
def test_of_equal_shares_as_many_fit_as_there_are_slots(share: Share, cpus: int, gpus: int) -> None:
    try:
        most = slots(share, cpus, gpus)
    except ResourceError:
        most = 0
    assert fits([share] * most, cpus, gpus)
    assert not fits([share] * (most + 1), cpus, gpus)


@given(st.dictionaries(st.sampled_from("abc"), shares, min_size=1), st.integers(1, 12), st.integers(0, 4), st.data())
def test_mixed_shares_never_take_more_than_there_is_and_leave_no_room_unused(
    by_name: dict[str, Share], cpus: int, gpus: int, data: st.DataObject
) -> None:
    try:
        found = allotment(by_name, cpus, gpus, None)
    except ResourceError:
        return
    running: list[str] = []
    while found.has_room(running):
        held = [by_name[name] for name in running]
        able = [name for name, share in by_name.items() if fits([*held, share], cpus, gpus)]
        if not able:  # only a trial smaller than any in cores and in GPUs at once would
            break
        running.append(data.draw(st.sampled_from(sorted(able))))
    held = [by_name[name] for name in running]
    assert sum(share.cpus for share in held) <= cpus + 1e-6
    assert sum(share.gpus for share in held) <= gpus + 1e-6
    assert len(running) <= found.concurrent
    assert not any(fits([*held, share], cpus, gpus) for share in by_name.values())


def test_a_trial_that_waits_for_a_whole_gpu_is_not_overtaken() -> None:
    found = allotment({"half": Share(cpus=1, gpus=0.5), "whole": Share(cpus=1, gpus=1.0)}, 8, 1, None)
    assert found.concurrent == 2
    assert found.has_room(["half"])
    assert not found.has_room(["half", "whole"])


def test_a_cluster_that_grows_is_used_and_one_that_shrinks_is_not_crowded() -> None:
    found = allotment({"a": Share(cpus=1, gpus=0.5)}, 4, 1, None)
    assert [found.has_room(["a"] * count) for count in (1, 2)] == [True, False]
    assert [found.has_room(["a"] * count, (8.0, 3.0)) for count in (5, 6)] == [True, False]
    assert not found.has_room([], (8.0, 0.0))


def test_no_more_side_by_side_than_asked() -> None:
    found = allotment({"a": Share(cpus=1, gpus=0)}, 8, 0, 3)
    assert [found.has_room(["a"] * count, (64.0, 0.0)) for count in (2, 3)] == [True, False]


def test_each_trainable_gets_its_own_share(tiny: Tiny) -> None:
    resources = {"gpus_per_trial": {"cf_amc_ssl": 0.25}, "cpus_per_trial": {"robust_simclr": 3}}
    config = tiny({"device": "auto"}, resources=resources, **TWO)
    found = allot(config, config.search_space(), {"CPU": 16.0, "GPU": 2.0}, {}, side_by_side=True)
    assert found.of("cf_amc_ssl") == Share(cpus=1.0, gpus=0.25, why="as asked")
    assert found.of("robust_simclr") == Share(cpus=3.0, gpus=1.0, why="there is a GPU")
    assert (found.of("cf_amc_ssl").gpu_share, found.of("robust_simclr").threads) == (0.25, 3)
    assert found.concurrent == 8


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("gpus_per_trial", "many", "gpus_per_trial is 'many'; it must be a number, auto, or a mapping"),
        ("gpus_per_trial", 1.5, "above 1 it must be a whole number"),
        ("gpus_per_trial", {"cf_amc_ssl": -1}, "gpus_per_trial.cf_amc_ssl is -1"),
        ("gpus_per_trial", {"cf_amc_ssl": True}, "gpus_per_trial.cf_amc_ssl is True"),
        ("gpus_per_trial", {}, "gpus_per_trial is empty"),
        ("gpus_per_trial", 1e-9, "gpus_per_trial is 1e-09; the smallest share of a GPU is 0.0001"),
        ("cpus_per_trial", 0, "cpus_per_trial is 0; a trial needs a core"),
        ("cpus_per_trial", "auto", "cpus_per_trial is 'auto'; it must be a number"),
    ],
)
def test_a_share_that_cannot_be_is_refused(tiny: Tiny, key: str, value: Any, words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        tiny(resources={key: value})


def test_a_share_for_a_stranger_is_a_fault(tiny: Tiny) -> None:
    (fault,) = tiny(resources={"gpus_per_trial": {"cf_amc_sll": "auto"}}).faults()
    assert "names 'cf_amc_sll', which is not among the study's trainables; did you mean cf_amc_ssl?" in fault.message
    assert fault.path == ("resources", "gpus_per_trial", "cf_amc_sll")


@pytest.mark.usefixtures("studies")
def test_attempts_and_costs_are_by_the_trial_s_own_share(tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("study.execution.executor.machine", lambda: {"CPU": 4.0, "GPU": 1.0})
    gpus = {"cf_amc_ssl": 0.25, "robust_simclr": 0.5}
    config = tiny({"device": "auto"}, resources={"gpus_per_trial": gpus}, budget={"trials": 4}, **TWO, seed=3)
    paths = launch(config, backend="inline", console=Console(file=io.StringIO()))
    seen = set()
    for folder in paths.each_trial():
        trainable = json.loads(folder.config.read_text())["trainable"]
        seen.add(trainable)
        assert next(event["gpu_share"] for event in read_events(folder) if event["kind"] == ATTEMPT) == gpus[trainable]
        cost = json.loads(folder.result.read_text())["cost"]
        assert cost["gpu_share"] == gpus[trainable]
        minutes = cost["pretrain_minutes"] + cost["evaluation_minutes"]
        assert read_events(folder)[-1]["metrics"][GPU_MINUTES] == pytest.approx(minutes * gpus[trainable])
    assert seen == gpus.keys()
    decided = json.loads(paths.manifest.read_text())["resources"]
    assert decided["trainables"]["cf_amc_ssl"] == {"cpus": 1.0, "gpus": 0.25, "why": "as asked"}
    assert decided["concurrent"] == 1


@pytest.mark.usefixtures("studies")
def test_a_trial_that_did_not_finish_costs_its_share(tiny: Tiny) -> None:
    from analysis.layout import study_paths

    config = tiny()
    paths = study_paths("tiny")
    paths.root.mkdir()
    search = Search.open(paths, config, config.search_space())
    try:
        for number, share in zip(itertools.count(), (0.5, 1.0)):
            assert search.ask() is not None
            append_event(paths.trial(number), ATTEMPT, 1, gpu_share=share, resumed_epoch=0)
            append_event(paths.trial(number), ENDED, 1, status="failed", reason="x", metrics={TRAIN_SECONDS: 3600.0})
            search.settle(number)
        assert search.spent().gpu_hours == pytest.approx(1.5)
    finally:
        search.close()
