"""Trials in several processes, on a real Ray: the result of one process, and a lost rank is a lost attempt."""

from __future__ import annotations

import io
import json
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import ray
from rich.console import Console

from analysis.layout import ATTEMPT, ENDED, EPOCH, TrialPaths, read_events, study_paths
from study.config import StudyConfig
from study.execution import ray_cluster
from study.execution.worker import resources_of
from study.launch import launch
from study.resources.allotment import Share
from study.resources.needs import ResourceError, processes_per_trial
from trainables import trial
from trainables.config import ConfigError, from_dict
from trainables.metrics import CLEAN_ACCURACY, FORWARD_EQUIVALENTS, PGD_ACCURACY

Tiny = Callable[..., StudyConfig]
pytestmark = pytest.mark.usefixtures("studies")
RAY = [pytest.mark.slow, pytest.mark.timeout(600)]
PATIENCE_S = 240.0
TWO: dict[str, Any] = {"processes_per_trial": 2, "max_concurrent": 1, "cpus_per_trial": 2}


@pytest.fixture(scope="module")
def cluster() -> Iterator[None]:
    with ray_cluster.cluster(None):
        yield


def quiet() -> Console:
    return Console(file=io.StringIO(), width=200)


def of_kind(folder: TrialPaths, kind: str) -> list[dict[str, Any]]:
    return [event for event in read_events(folder) if event["kind"] == kind]


def other_ranks() -> list[int]:
    """Processes of this cluster's trials that are not the first of theirs."""
    actors = ray._private.state.actors().values()
    return [actor["Pid"] for actor in actors if actor["ActorClassName"] == "OtherRank" and actor["State"] == "ALIVE"]


def wait_for(condition: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        if found := condition():
            return found
        time.sleep(0.05)
    raise AssertionError("it did not happen")


@pytest.mark.parametrize(
    ("asked", "gpus", "given"), [(None, 0, 1), (None, 0.25, 1), (None, 2, 2), (3, 0, 3), (2, 2, 2)]
)
def test_each_whole_gpu_has_a_process(asked: int | None, gpus: float, given: int) -> None:
    assert processes_per_trial(asked, gpus) == given


@pytest.mark.parametrize(("asked", "gpus"), [(2, 0.5), (2, 1), (1, 2)])
def test_processes_do_not_share_a_gpu(asked: int, gpus: float) -> None:
    with pytest.raises(ResourceError, match=rf"processes_per_trial is {asked} on {gpus:g} GPUs"):
        processes_per_trial(asked, gpus)


def test_every_process_has_its_part_of_the_trials_share() -> None:
    share = Share(cpus=6, gpus=2, processes=2)
    config = {"cpus": share.cpus, "gpus": share.gpus, "processes": share.processes}
    assert resources_of(config).bundles == [{"CPU": 3.0, "GPU": 1.0}] * 2
    assert share.threads == 3


def test_a_batch_that_the_processes_cannot_divide_is_refused(tiny: Tiny) -> None:
    resources = {"processes_per_trial": 3, "cpus_per_trial": 0.3}
    with pytest.raises(ConfigError, match=r"optimiser\.batch_size is 64.*3 processes"):
        launch(tiny(resources=resources), backend="inline", console=quiet())
    assert not study_paths("tiny").root.exists()


@pytest.mark.usefixtures("cluster")
class TestOnRay:
    pytestmark = RAY

    @pytest.mark.exhaustive
    def test_two_processes_have_the_result_of_one(self, tiny: Tiny) -> None:
        paths = launch(tiny(settings={"optimiser.epochs": 2}, budget={"trials": 1}, resources=TWO), console=quiet())
        folder = paths.trial(0)
        assert [event["kind"] for event in read_events(folder)] == [ATTEMPT, EPOCH, EPOCH, ENDED]
        (end,) = of_kind(folder, ENDED)
        alone = trial.run(from_dict(json.loads(folder.config.read_text())["config"])).metrics()
        assert end["status"] == "finished"
        assert end["metrics"][FORWARD_EQUIVALENTS] == alone[FORWARD_EQUIVALENTS]
        for name in (CLEAN_ACCURACY, PGD_ACCURACY):
            assert end["metrics"][name] == pytest.approx(alone[name], abs=0.1)
        assert other_ranks() == []

    @pytest.mark.exhaustive
    @pytest.mark.parametrize("which", ["the first", "the other"])
    def test_a_lost_rank_costs_an_attempt_and_no_more(self, tiny: Tiny, which: str) -> None:
        """The next attempt finds the machine's only two cores free, whichever of the processes was killed."""
        folder = study_paths("tiny").trial(0)

        def kill() -> None:
            wait_for(lambda: of_kind(folder, EPOCH))
            first, others = of_kind(folder, ATTEMPT)[0]["pid"], wait_for(other_ranks)
            os.kill(first if which == "the first" else others[0], signal.SIGKILL)

        killer = threading.Thread(target=kill, daemon=True)
        killer.start()
        launch(tiny(settings={"optimiser.epochs": 12}, budget={"trials": 1}, resources=TWO), console=quiet())
        killer.join()
        (end,) = of_kind(folder, ENDED)
        assert end["status"] == "finished"
        first, second = (event["resumed_epoch"] for event in of_kind(folder, ATTEMPT))
        assert (first, second >= 1) == (0, True)
        epochs = [event["epoch"] for event in of_kind(folder, EPOCH)]
        assert epochs == list(range(1, 13))
