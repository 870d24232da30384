"""Joining a Ray cluster, or starting one on this machine for a study's time."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from typing import Any

import ray
from ray.exceptions import AuthenticationError

from study.execution.ray_local import keep_token_private, on_loopback
from trainables.config import UserError

PATIENCE_S = 3600.0
"""How long the driver of a study that was running waits for a cluster whose head is away."""
_RECONNECT_S = 5.0

STARTS = 3
_TOO_SLOW = "timed out during startup"

IN_WORKERS = {
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "1",  # a trial that holds no GPU sees none
    "RAY_CHDIR_TO_TRIAL_DIR": "0",  # relative paths in a study file mean the same in every process
}

_SETTINGS = {
    **IN_WORKERS,
    "RAY_AIR_NEW_OUTPUT": "0",  # no tables of Tune's
    "RAY_USAGE_STATS_ENABLED": "0",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_DISABLE_SIGINT_HANDLER": "1",  # ours ends the study in order
    "TUNE_PRINT_ALL_TRIAL_ERRORS": "0",
    "TUNE_RESULT_BUFFER_LENGTH": "1",  # a trial waits after each report until the session has heard of it
}


class ClusterError(UserError):
    """The Ray cluster cannot be reached."""


@contextmanager
def cluster(address: str | None, *, patience_s: float = 0.0) -> Iterator[Mapping[str, float]]:
    """Resources of the Ray cluster at ``address`` (``auto`` or HOST:PORT), or of one started here and ended after.

    A process that is already connected stays so. A cluster that does not answer is tried for ``patience_s``.
    """
    if ray.is_initialized():
        yield resources()
        return
    for name, value in _SETTINGS.items():
        os.environ.setdefault(name, value)
    with nullcontext() if address else on_loopback():
        if address:
            _join(address, time.monotonic() + patience_s)
        else:
            _start()
        try:
            yield resources()
        finally:
            ray.shutdown()


def _start() -> None:
    """A machine under load may miss the 30 s that Ray gives its own processes: it gets a few."""
    for _ in range(STARTS):
        try:
            _init(**_local())
            return
        except Exception as error:
            if _TOO_SLOW not in str(error):
                raise
            ray.shutdown()
    raise ClusterError(f"Ray did not start in {STARTS} attempts; the machine may be too busy, try again later")


def _join(address: str, deadline: float) -> None:
    while True:
        try:
            _init(**_at(address))
            return
        except AuthenticationError as error:
            raise ClusterError(
                f"the Ray cluster at {address!r} wants its token; set RAY_AUTH_MODE=token and RAY_AUTH_TOKEN_PATH to "
                "the file that holds it"
            ) from error
        except (ConnectionError, ValueError) as error:
            if time.monotonic() >= deadline:
                raise ClusterError(
                    f"no Ray cluster answers at {address!r} ({error}); start one or leave --address out"
                ) from error
        time.sleep(_RECONNECT_S)


def _init(**settings: Any) -> None:
    ray.init(log_to_driver=False, logging_level=logging.ERROR, **settings)


def _local() -> dict[str, Any]:
    """The kernel, not Ray, ends the process that needs too much memory: Tune survives the loss of an actor only."""
    keep_token_private()
    return {
        "address": "local",
        "include_dashboard": False,
        "_system_config": {"memory_monitor_refresh_ms": 0},
    }


def _at(address: str) -> dict[str, Any]:
    here = {name: os.environ[name] for name in ("ROBUST_SSL_DATA",) if name in os.environ}
    return {"address": address, "runtime_env": {"env_vars": IN_WORKERS | here}}


def resources() -> Mapping[str, float]:
    """What the nodes that are there now have altogether."""
    found: Mapping[str, float] = ray.cluster_resources()  # type: ignore[no-untyped-call]
    return found
