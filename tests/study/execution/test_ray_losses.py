"""What Ray tells of a lost attempt, from Ray's own messages; lost nodes themselves are in ``test_cluster_faults``."""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterator
from typing import Any

import pytest
import ray
from ray.core.generated.common_pb2 import ActorDiedErrorContext, NodeDeathInfo
from ray.exceptions import ActorDiedError, ActorUnavailableError, RayTaskError

from study.execution import ray_losses
from study.execution.ray_losses import cause_of, excuse_of, out_of_room
from study.files.disk import full_disk

NODE = "4cca1921023117c7837fdf07cd2966ef01137cb6643c0957dbd02063"


@pytest.fixture
def manager() -> Iterator[socket.socket]:
    """What takes calls for Ray on every node."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening


@pytest.fixture
def nodes(monkeypatch: pytest.MonkeyPatch, manager: socket.socket) -> list[dict[str, Any]]:
    """The nodes that Ray lists."""
    host, port = manager.getsockname()
    there = {"Alive": True, "NodeManagerAddress": host, "NodeManagerPort": port}
    listed = [{"NodeID": "head"} | there, {"NodeID": NODE} | there]
    monkeypatch.setattr(ray, "nodes", lambda: listed)
    monkeypatch.setattr(ray_losses, "NODE_PATIENCE_S", 0.0)
    return listed


def died(message: str, reason: int = NodeDeathInfo.UNSPECIFIED) -> ActorDiedError:
    info = NodeDeathInfo(reason=reason)
    return ActorDiedError(ActorDiedErrorContext(error_message=message, node_death_info=info, actor_id=bytes(16)))


def test_a_preempted_node_is_an_excuse() -> None:
    assert excuse_of(died("drained", NodeDeathInfo.AUTOSCALER_DRAIN_PREEMPTED), NODE) == "its node was preempted"


def test_a_dead_node_is_an_excuse_whoever_names_it(nodes: list[dict[str, Any]]) -> None:
    worker, node = died("its worker process has died"), died(f"its node has died. Node Id: {NODE}")
    assert excuse_of(worker, NODE) is None
    assert excuse_of(node, None) is None
    nodes[1]["Alive"] = False
    assert excuse_of(worker, NODE) == excuse_of(node, None) == "its node was lost"
    assert excuse_of(ActorUnavailableError("no answer", bytes(16)), NODE) == "its node was lost"
    assert excuse_of(worker, "head") is None


def test_the_death_of_a_node_may_be_heard_of_a_moment_later(
    nodes: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ray_losses, "NODE_PATIENCE_S", 60.0)
    monkeypatch.setattr("study.execution.ray_losses.time.sleep", lambda _: nodes[1].update(Alive=False))
    assert excuse_of(died("its worker process has died"), NODE) == "its node was lost"


def test_a_node_that_takes_no_calls_is_lost_before_the_cluster_says_so(
    nodes: list[dict[str, Any]], manager: socket.socket
) -> None:
    assert excuse_of(died("its worker process has died"), NODE) is None
    manager.close()
    assert excuse_of(died("its worker process has died"), NODE) == "its node was lost"
    assert all(item["Alive"] for item in nodes)


def test_a_trials_own_error_has_no_excuse() -> None:
    assert excuse_of(RayTaskError("train", "Traceback", OSError("lost mount")), NODE) is None
    assert excuse_of(None, NODE) is None


def test_a_full_disk_is_told_from_other_errors() -> None:
    assert out_of_room(RayTaskError("train", "Traceback", OSError(errno.ENOSPC, "No space left"))) is not None
    assert out_of_room(RayTaskError("train", "Traceback", OSError(errno.EIO, "lost mount"))) is None
    assert out_of_room(died("its worker process has died")) is None


def test_the_cause_is_the_last_line() -> None:
    assert cause_of(died("its worker process has died")) == "its worker process has died"
    assert cause_of(None) == "no cause is known"


def test_a_chain_of_causes_that_ends_in_itself_is_followed_once() -> None:
    first, second = RuntimeError("one"), OSError(errno.EIO, "two")
    first.__cause__, second.__cause__ = second, first
    assert full_disk(first) is None
