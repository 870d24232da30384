"""A trial that needs more memory than its GPU has: what is tried, what is recorded, what the search makes of it.

No GPU here: the training step raises what torch raises there. Folders, Optuna, backend and training are real.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from typing import Any

import optuna
import pytest
import torch
from optuna.trial import TrialState
from rich.console import Console

from analysis.layout import ATTEMPT, ENDED, EPOCH, OUT_OF_MEMORY, StudyPaths, read_events, study_paths
from analysis.reading.runs import read_study
from study.config import StudyConfig
from study.launch import launch, resume
from study.search.micro_batches import cut_smaller
from study.search.searcher import Search
from trainables import trial
from trainables.config import TrialConfig, from_dict, override
from trainables.pretrain import Pretraining

Tiny = Callable[..., StudyConfig]
pytestmark = pytest.mark.usefixtures("studies")
SPACE = {"unlisted": "fixed", "learning_rate": [0.1, 0.2]}
MESSAGE = "CUDA out of memory. Tried to allocate 2.00 GiB."


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[TrialConfig, int], bool]], list[TrialConfig]]:
    """Lets every step whose (config, epoch) it is told to run out of memory; returns the configs of those."""

    def arrange(lacks: Callable[[TrialConfig, int], bool]) -> list[TrialConfig]:
        real, failed = Pretraining._train_on, []

        def step(self: Pretraining, *batch: Any) -> Any:
            if lacks(self.config, self.epoch):
                failed.append(self.config)
                raise torch.OutOfMemoryError(MESSAGE)
            return real(self, *batch)

        monkeypatch.setattr(Pretraining, "_train_on", step)
        return failed

    return arrange


def run(tiny: Tiny, trials: int = 1, **keys: Any) -> StudyPaths:
    config = tiny(keys.pop("settings", None), space=SPACE, budget={"trials": trials}, **keys)
    return launch(config, backend="inline", console=Console(file=io.StringIO()))


def of_kind(paths: StudyPaths, number: int, kind: str) -> list[dict[str, Any]]:
    return [event for event in read_events(paths.trial(number)) if event["kind"] == kind]


def stored(paths: StudyPaths, number: int) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(paths.trial(number).config.read_text())
    return found


def test_a_trial_goes_on_with_recomputed_activations(tiny: Tiny, short: Any) -> None:
    failed = short(lambda config, epoch: epoch == 2 and not config.network.recompute)
    paths = run(tiny, settings={"optimiser.epochs": 3})
    (shortage,), (end,) = of_kind(paths, 0, OUT_OF_MEMORY), of_kind(paths, 0, ENDED)
    assert (shortage["attempt"], shortage["recompute"], shortage["micro_batches"]) == (1, False, 1)
    assert (shortage["peak_memory_gib"], shortage["reason"]) == (None, MESSAGE)
    assert len(of_kind(paths, 0, ATTEMPT)) == len(failed) == 1
    assert [event["epoch"] for event in of_kind(paths, 0, EPOCH)] == [1, 2, 3], "it went on from its checkpoint"
    assert "fault" not in end
    config = from_dict(stored(paths, 0)["config"])
    assert not config.network.recompute
    alone = trial.run(override(config, {"network.recompute": True})).metrics()
    same = [name for name in alone if "minutes" not in name]
    assert {name: end["metrics"][name] for name in same} == {name: alone[name] for name in same}


def test_the_next_attempt_remembers(tiny: Tiny, short: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    failed = short(lambda config, epoch: not config.network.recompute)
    real = Pretraining.run_epoch

    def lost(self: Pretraining) -> Any:
        if self.epoch == 1:
            raise OSError("Input/output error")
        return real(self)

    with monkeypatch.context() as patch:
        patch.setattr(Pretraining, "run_epoch", lost)
        with pytest.raises(OSError, match="Input/output"):
            run(tiny, settings={"optimiser.epochs": 2})
    resume("tiny", backend="inline", console=Console(file=io.StringIO()))
    paths = study_paths("tiny")
    assert len(failed) == 1
    assert of_kind(paths, 0, ENDED)[0]["status"] == "finished"


def test_then_the_trial_fails_and_another_cuts_its_batch(tiny: Tiny, short: Any) -> None:
    short(lambda config, epoch: config.optimiser.micro_batches < 4)
    paths = run(tiny, trials=3)
    for number, groups in ((0, 1), (1, 2)):
        (end,) = of_kind(paths, number, ENDED)
        assert (end["status"], end["fault"]) == ("failed", OUT_OF_MEMORY)
        assert end["reason"] == f"out of memory, with recomputed activations too: {MESSAGE}"
        assert [event["recompute"] for event in of_kind(paths, number, OUT_OF_MEMORY)] == [False, True]
        assert stored(paths, number)["config"]["optimiser"]["micro_batches"] == groups
    assert of_kind(paths, 2, ENDED)[0]["status"] == "finished"
    first, second, third = (stored(paths, number) for number in range(3))
    assert first["params"] | {"micro_batches": 2} == second["params"]
    assert first["params"] | {"micro_batches": 4} == third["params"]
    assert ("instead_of" in first, second["instead_of"], third["instead_of"]) == (False, 0, 1)
    found = optuna.load_study(study_name=None, storage=f"sqlite:///{paths.optuna}").trials
    assert [each.state for each in found] == [TrialState.PRUNED, TrialState.PRUNED, TrialState.COMPLETE]
    assert [each.params for each in found] == [first["params"]] * 3
    assert all(value > 0 for each in found[:2] for value in each.constraints.values())
    frame = read_study(paths).trials
    assert list(frame["param.micro_batches"].fillna(1)) == [1, 2, 4]


def test_a_batch_is_not_cut_for_an_evaluation_that_lacks_memory(tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    def short(*args: Any, **kwargs: Any) -> Any:
        raise torch.OutOfMemoryError(MESSAGE)

    monkeypatch.setattr(trial, "assess", short)
    paths = run(tiny, trials=1)
    assert [event["trained"] for event in of_kind(paths, 0, OUT_OF_MEMORY)] == [True, True]
    (end,) = of_kind(paths, 0, ENDED)
    assert end["fault"] == OUT_OF_MEMORY
    assert "lower evaluation.attack_batch_size" in end["reason"]
    assert len(optuna.load_study(study_name=None, storage=f"sqlite:///{paths.optuna}").trials) == 1


@pytest.mark.slow
def test_a_batch_is_cut_twice_and_no_further(tiny: Tiny, short: Any) -> None:
    short(lambda config, epoch: True)
    paths = run(tiny, trials=4)
    groups = [stored(paths, number)["config"]["optimiser"]["micro_batches"] for number in range(4)]
    assert groups == [1, 2, 4, 1]
    assert "instead_of" not in stored(paths, 3)


@pytest.mark.slow
@pytest.mark.parametrize(("remedies", "tried", "trials"), [([], [False], 1), (["recompute"], [False, True], 1)])
def test_only_what_the_study_allows_is_tried(
    tiny: Tiny, short: Any, remedies: list[str], tried: list[bool], trials: int
) -> None:
    short(lambda config, epoch: True)
    paths = run(tiny, resources={"on_out_of_memory": remedies}, trials=1)
    assert [event["recompute"] for event in of_kind(paths, 0, OUT_OF_MEMORY)] == tried
    found = optuna.load_study(study_name=None, storage=f"sqlite:///{paths.optuna}").trials
    assert len(found) == trials


@pytest.mark.slow
def test_a_retry_is_enqueued_once_though_its_driver_dies(
    tiny: Tiny, short: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    short(lambda config, epoch: config.optimiser.micro_batches == 1)
    tell = Search.tell

    def dies(self: Search, *args: Any) -> None:
        raise OSError("the driver is gone")

    with monkeypatch.context() as patch:
        patch.setattr(Search, "tell", dies)
        with pytest.raises(OSError, match="the driver is gone"):
            run(tiny, trials=2)
    assert Search.tell is tell
    resume("tiny", backend="inline", console=Console(file=io.StringIO()))
    paths = study_paths("tiny")
    assert [of_kind(paths, number, ENDED)[0]["status"] for number in (0, 1)] == ["failed", "finished"]
    found = optuna.load_study(study_name=None, storage=f"sqlite:///{paths.optuna}").trials
    assert [each.user_attrs.get("instead_of") for each in found] == [None, 0]


def test_a_trial_that_is_wrong_is_not_tried_again(tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(self: Pretraining, *batch: Any) -> Any:
        raise RuntimeError("shapes do not match")

    monkeypatch.setattr(Pretraining, "_train_on", wrong)
    paths = run(tiny)
    (end,) = of_kind(paths, 0, ENDED)
    assert end["reason"] == "RuntimeError: shapes do not match"
    assert of_kind(paths, 0, OUT_OF_MEMORY) == []


@pytest.mark.slow
def test_a_network_that_cannot_recompute_fails_at_once(tiny: Tiny, short: Any) -> None:
    short(lambda config, epoch: True)
    settings = {"network.architecture": "vgg11", "network.width": 64, "network.depth": None, "data.image_size": 32}
    paths = run(tiny, settings=settings, resources={"on_out_of_memory": ["recompute"]})
    (end,) = of_kind(paths, 0, ENDED)
    assert end["fault"] == OUT_OF_MEMORY
    assert end["reason"] == f"out of memory, with activations kept: {MESSAGE}"


def test_how_far_a_batch_is_cut(tiny: Tiny) -> None:
    config = tiny({"optimiser.batch_size": 6}).base_configs()["cf_amc_ssl"]
    halved = cut_smaller(config)
    assert halved is not None
    assert halved.optimiser.micro_batches == 2
    assert cut_smaller(halved) is None, "6 images make no 4 equal groups"
    whole = override(config, {"optimiser.batch_size": 64, "optimiser.micro_batches": 4})
    assert cut_smaller(whole) is None
