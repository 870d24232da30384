"""Two local Ray nodes with two stand-ins for GPUs each: where trials are placed, and how much of a GPU they hold."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from itertools import combinations
from typing import Any

import pytest
from ray.cluster_utils import Cluster
from rich.console import Console

from analysis.layout import ATTEMPT, ENDED, StudyPaths, read_events, study_paths
from study.config import StudyConfig
from study.execution import ray_cluster
from study.launch import launch, resume

Tiny = Callable[..., StudyConfig]
pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("studies")]

TWO = {"trainables": ["cf_amc_ssl", "robust_simclr"], "space": {"unlisted": "fixed", "learning_rate": [0.1, 0.2, 0.3]}}
SETTINGS = {"device": "auto", "optimiser.epochs": 3}


@pytest.fixture(scope="module")
def nodes() -> Iterator[set[str]]:
    """Ids of the nodes of a cluster that this process is connected to, each with two cores and two GPUs."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in ray_cluster.IN_WORKERS.items():
            patch.setenv(name, value)
        cluster = Cluster()
        try:
            each = {"num_cpus": 2, "num_gpus": 2, "include_dashboard": False, "object_store_memory": 10**8}
            started = [cluster.add_node(**each) for _ in range(2)]
            cluster.wait_for_nodes()
            with ray_cluster.cluster(cluster.address):
                yield {node.node_id for node in started}
        finally:
            cluster.shutdown()


def console() -> Console:
    return Console(file=io.StringIO())


def held(paths: StudyPaths) -> list[dict[str, Any]]:
    """Of each trial: what its one attempt held, where, from when to when."""
    found = []
    for folder in paths.each_trial():
        events = read_events(folder)
        (attempt,) = (event for event in events if event["kind"] == ATTEMPT)
        (end,) = (event for event in events if event["kind"] == ENDED)
        assert end["status"] == "finished"
        trainable = json.loads(folder.config.read_text())["trainable"]
        found.append({**attempt, "trainable": trainable, "until": end["time"]})
    return found


def most_in_use(attempts: list[dict[str, Any]]) -> dict[tuple[str, str], float]:
    """The largest share of each GPU that was held at once."""
    found: dict[tuple[str, str], float] = {}
    for moment in (attempt["time"] for attempt in attempts):
        now: dict[tuple[str, str], float] = {}
        for attempt in attempts:
            if attempt["time"] <= moment < attempt["until"]:
                for place in ((attempt["node"], gpu) for gpu in attempt["gpus"]):
                    now[place] = now.get(place, 0.0) + attempt["gpu_share"]
        found |= {place: max(share, found.get(place, 0.0)) for place, share in now.items()}
    return found


@pytest.mark.exhaustive
def test_each_trainable_holds_its_own_share(tiny: Tiny, nodes: set[str]) -> None:
    gpus = {"cf_amc_ssl": 0.5, "robust_simclr": 1}
    resources = {"gpus_per_trial": gpus, "cpus_per_trial": 0.5}
    paths = launch(tiny(SETTINGS, resources=resources, budget={"trials": 5}, **TWO), console=console())
    attempts = held(paths)
    assert {attempt["trainable"] for attempt in attempts} == gpus.keys()
    assert all(attempt["gpu_share"] == gpus[attempt["trainable"]] for attempt in attempts)
    assert all(len(attempt["gpus"]) == 1 for attempt in attempts)
    assert {attempt["node"] for attempt in attempts} <= nodes
    assert max(most_in_use(attempts).values()) <= 1.0
    beside = [
        (one, other)
        for one, other in combinations(attempts, 2)
        if one["time"] < other["until"] and other["time"] < one["until"]
    ]
    assert beside, "trials ran side by side"


@pytest.mark.exhaustive
def test_auto_places_trials_as_it_has_measured(tiny: Tiny, nodes: set[str]) -> None:
    resources = {"gpus_per_trial": "auto", "cpus_per_trial": 0.5}
    paths = launch(tiny(SETTINGS, resources=resources, budget={"trials": 3}), console=console())
    decided = json.loads(paths.manifest.read_text())["resources"]["trainables"]["cf_amc_ssl"]
    measured = json.loads(paths.probe.read_text())["trainables"]["cf_amc_ssl"]
    assert measured["memory_gib"] is None
    assert set(measured["throughput"]) == {"1", "2"}, "one core a GPU, half of it each"
    assert decided["gpus"] == measured["fraction"] in (0.5, 1.0)
    assert decided["why"].startswith("auto: measured: memory unknown on the CPU")
    assert {attempt["gpu_share"] for attempt in held(paths)} == {measured["fraction"]}
    assert max(most_in_use(held(paths)).values()) <= 1.0
    before = paths.probe.stat().st_mtime_ns
    resume("tiny", trials=4, console=console())
    assert len(held(study_paths("tiny"))) == 4
    assert paths.probe.stat().st_mtime_ns == before, "a resumed study does not measure again"
