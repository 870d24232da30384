"""Runs trials on Ray Tune. Ray is only the executor: what happened is read from the trials' folders.

Nothing is restored from Ray's own files, so their gaps and their pickles do not matter. A trial whose process or
node is lost is tried again by Ray and continues from its own checkpoint; if Ray Tune itself falls over, it is
started anew with the trials that have not ended.
"""

from __future__ import annotations

import logging
import os
import shutil
import traceback
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager, nullcontext
from typing import Any

import ray
from ray import tune
from ray.exceptions import AuthenticationError
from ray.tune.experiment import Trial
from ray.tune.search import Searcher

from study.interrupts import interruptible
from study.ray_local import hide_secrets, keep_token_private, on_loopback
from study.search import Assignment
from study.session import Session
from study.worker import resources_of, run_on_ray
from trainables.config import UserError

PATIENCE_S = 0.5
"""How long Tune's loop waits for a suggestion; a sampler that thinks longer does so beside the running trials."""

STARTS = 3
_TOO_SLOW = "timed out during startup"

_IN_WORKERS = {
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "1",  # a trial that holds no GPU sees none
    "RAY_CHDIR_TO_TRIAL_DIR": "0",  # relative paths in a study file mean the same in every process
}

_SETTINGS = {
    **_IN_WORKERS,
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
def cluster(address: str | None) -> Iterator[Mapping[str, float]]:
    """Resources of the Ray cluster at ``address`` (``auto`` or HOST:PORT), or of one started here and ended after.

    A process that is already connected stays so.
    """
    if ray.is_initialized():
        yield _resources()
        return
    for name, value in _SETTINGS.items():
        os.environ.setdefault(name, value)
    hide_secrets()
    with on_loopback() if address is None else nullcontext():
        _start(address)
        try:
            yield _resources()
        finally:
            ray.shutdown()


def _start(address: str | None) -> None:
    """Start or join Ray. A machine under load may miss the 30 s that Ray gives its own processes: it gets a few."""
    for _ in range(STARTS):
        try:
            settings = _local() if address is None else _at(address)
            ray.init(log_to_driver=False, logging_level=logging.ERROR, **settings)
            return
        except AuthenticationError as error:
            raise ClusterError(
                f"the Ray cluster at {address!r} wants its token; set RAY_AUTH_MODE=token and RAY_AUTH_TOKEN_PATH to "
                "the file that holds it"
            ) from error
        except (ConnectionError, ValueError) as error:
            raise ClusterError(
                f"no Ray cluster answers at {address!r} ({error}); start one or leave --address out"
            ) from error
        except Exception as error:
            if _TOO_SLOW not in str(error):
                raise
            ray.shutdown()
    raise ClusterError(f"Ray did not start in {STARTS} attempts; the machine may be too busy, try again later")


def _resources() -> Mapping[str, float]:
    found: Mapping[str, float] = ray.cluster_resources()  # type: ignore[no-untyped-call]
    return found


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
    return {"address": address, "runtime_env": {"env_vars": _IN_WORKERS | here}}


def run(session: Session) -> None:
    """Run the study until its budget is spent, its time is up or it is interrupted.

    Raises what ended Tune, if it ends so more than ``resources.max_failures`` times without a trial ending between.
    """
    logging.getLogger("ray.tune").setLevel(logging.CRITICAL)
    failures, ended = 0, _ended(session)
    with interruptible(session.interrupt):
        while not session.over():
            try:
                _fit(session)
                return
            except Exception as error:
                failures = failures + 1 if _ended(session) == ended else 1
                ended = _ended(session)
                if failures > session.config.resources.max_failures:
                    raise
                _note(session, error)
                session.search.reconcile()


def _fit(session: Session) -> None:
    searcher = _Searcher(session)
    try:
        tune.Tuner(
            tune.with_resources(run_on_ray, resources_of),
            tune_config=tune.TuneConfig(
                search_alg=searcher,
                num_samples=-1,
                max_concurrent_trials=session.allotment.concurrent,
                reuse_actors=True,
            ),
            run_config=tune.RunConfig(
                name="ray",
                storage_path=str(session.paths.root),
                stop=_Stopper(session),
                callbacks=[_Callback(session)],
                failure_config=tune.FailureConfig(max_failures=session.config.resources.max_failures),
                verbose=0,
            ),
        ).fit()
    finally:
        searcher.shutdown()
        shutil.rmtree(session.paths.root / "ray", ignore_errors=True)


class _Unpickled:
    """Ray writes what it is given to its own files; these are never read, and a session cannot be written."""

    def __getstate__(self) -> dict[str, Any]:
        return {}


class _Searcher(_Unpickled, Searcher):
    """Hands the session's trials to Tune; slow samplers think in a thread of their own."""

    def __init__(self, session: Session) -> None:
        super().__init__(metric=None, mode=None)
        self._session = session
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="ask")
        self._asked: Future[Assignment | None] | None = None
        self._running: dict[str, str] = {}

    def suggest(self, trial_id: str) -> Any:
        """A trial's config, ``FINISHED``, or ``None`` while the sampler thinks or no trial would find room."""
        if self._asked is None:
            if not self._session.allotment.has_room(self._running.values()):
                return None
            self._asked = self._thread.submit(self._session.next)
        if not wait([self._asked], timeout=PATIENCE_S).done:
            return None
        asked, self._asked = self._asked, None
        assignment = asked.result()
        if assignment is None:
            return Searcher.FINISHED
        self._running[trial_id] = assignment.trainable
        return self._config(assignment)

    def on_trial_complete(self, trial_id: str, result: Any = None, error: bool = False) -> None:  # noqa: ARG002
        """The callback hears the same, and the reason."""
        self._running.pop(trial_id, None)

    def save(self, checkpoint_path: str) -> None:
        """Optuna's storage has it all."""

    def shutdown(self) -> None:
        self._thread.shutdown()

    def _config(self, assignment: Assignment) -> dict[str, Any]:
        share = self._session.allotment.of(assignment.trainable)
        return {
            "root": str(self._session.paths.root),
            "number": assignment.number,
            "cpus": share.cpus,
            "gpus": share.gpus,
            "gpu_share": share.gpu_share,
            "threads": share.threads,
            "recompute": "recompute" in self._session.config.resources.on_out_of_memory,
        }


class _Callback(_Unpickled, tune.Callback):
    """Tells the session what Tune hears."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def on_trial_result(self, trial: Trial, **_info: Any) -> None:  # type: ignore[override]
        self._session.reported(trial.config["number"])

    def on_trial_complete(self, trial: Trial, **_info: Any) -> None:  # type: ignore[override]
        self._session.ended(trial.config["number"], lost="the worker ended without a result")

    def on_trial_error(self, trial: Trial, **_info: Any) -> None:  # type: ignore[override]
        self._session.ended(trial.config["number"], lost=_cause(trial))


class _Stopper(_Unpickled, tune.Stopper):
    """Ends all trials when the session is over, whether or not they report."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:  # noqa: ARG002
        return False

    def stop_all(self) -> bool:
        return self._session.over()


def _cause(trial: Trial) -> str:
    lines = [line.strip() for line in str(trial.get_error() or "").splitlines() if line.strip()]
    return f"lost {trial.run_metadata.num_failures} times: {lines[-1] if lines else 'no cause is known'}"


def _ended(session: Session) -> int:
    return sum(trial.state.is_finished() for trial in session.search.trials())


def _note(session: Session, error: Exception) -> None:
    with open(session.paths.root / "driver-errors.txt", "a") as file:
        file.write(traceback.format_exc() + "\n")
    cause = str(error).strip().splitlines()[-1:] or [type(error).__name__]
    session.say(f"Ray Tune ended ({cause[0]}); starting it again with the unfinished trials")
