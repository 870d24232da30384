"""Runs trials on Ray Tune. Ray is only the executor: what happened is read from the trials' folders.

Nothing is restored from Ray's own files, so their gaps and their pickles do not matter. A trial whose process or
node is lost is tried again by Ray and continues from its own checkpoint; if Ray Tune itself falls over, it is
started anew with the trials that have not ended.
"""

from __future__ import annotations

import logging
import shutil
import time
import traceback
from concurrent.futures import Future, wait
from typing import Any

from ray import get_runtime_context, tune
from ray.tune.experiment import Trial
from ray.tune.search import Searcher

from study.execution.books import Books
from study.execution.interrupts import interruptible
from study.execution.ray_cluster import resources
from study.execution.ray_losses import cause_of, excuse_of, memory_kills_are_losses, out_of_room, read_error
from study.execution.ray_workers import idle_workers_are_kept
from study.execution.session import Session
from study.execution.worker import resources_of, run_on_ray
from study.files.disk import full_disk
from study.search.losses import node_of
from study.search.searcher import LATER, Assignment, Later

IDLE_PATIENCE_S = 0.5
"""How long Tune's loop waits for the sampler while no trial runs: it would sleep longer. Running trials need it."""

LOOK_S = 1.0
"""So often the cluster is asked what it has: nodes come and go."""

_ASKED_AHEAD = 10_000
"""Tune takes as many trials as it is given, whether or not the first has started; the searcher knows when to stop."""


def run(session: Session) -> None:
    """Run the study until its budget is spent, its time is up or it is interrupted.

    Raises what ended Tune, if it ends so more than ``resources.max_failures`` times without a trial ending between.
    """
    logging.getLogger("ray.tune").setLevel(logging.CRITICAL)
    failures, ended = 0, _ended(session)
    with interruptible(session.interrupt), memory_kills_are_losses(), idle_workers_are_kept():
        while not session.over():
            try:
                _fit(session)
                return
            except Exception as error:
                if full_disk(error):
                    raise
                failures = failures + 1 if _ended(session) == ended else 1
                ended = _ended(session)
                if failures > session.config.resources.max_failures:
                    raise
                _note(session, error)
                session.reconcile()


def _fit(session: Session) -> None:
    books = Books()
    try:
        tune.Tuner(
            tune.with_resources(run_on_ray, resources_of),
            tune_config=tune.TuneConfig(
                search_alg=_Searcher(session, books),
                num_samples=-1,
                max_concurrent_trials=_ASKED_AHEAD,
                reuse_actors=True,
            ),
            run_config=tune.RunConfig(
                name="ray",
                storage_path=str(session.paths.root),
                stop=_Stopper(session, books),
                callbacks=[_Callback(session, books)],
                failure_config=tune.FailureConfig(max_failures=-1),  # losses are counted in the trial's folder
                verbose=0,
            ),
        ).fit()
        books.close()
    finally:
        books.shutdown()
        shutil.rmtree(session.paths.root / "ray", ignore_errors=True)


class _Unpickled:
    """Ray writes what it is given to its own files; these are never read, and a session cannot be written."""

    def __getstate__(self) -> dict[str, Any]:
        return {}


class _Searcher(_Unpickled, Searcher):
    """Hands the session's trials to Tune; the sampler thinks beside the running trials."""

    def __init__(self, session: Session, books: Books) -> None:
        super().__init__(metric=None, mode=None)
        self._session, self._books = session, books
        self._asked: Future[Assignment | Later | None] | None = None
        self._ends = 0
        """Of the session's trials, how many when it was asked."""
        self._later_than: int | None = None
        """More than so many must have ended before it is asked again."""
        self._running: dict[str, str] = {}
        self._there, self._look_again = (0.0, 0.0), 0.0

    def suggest(self, trial_id: str) -> Any:
        """A trial's config, ``FINISHED``, or ``None`` while the sampler thinks, or none would find room or budget."""
        if self._asked is None:
            if self._running and self._later_than == self._session.ends:
                return None
            if not self._session.allotment.has_room(self._running.values(), self._cluster()):
                return None
            self._ends, self._asked = self._session.ends, self._books.ask(self._session.next)
        if not wait([self._asked], timeout=0 if self._running else IDLE_PATIENCE_S).done:
            return None
        asked, self._asked = self._asked, None
        assignment = asked.result()
        if assignment is None:
            return Searcher.FINISHED
        if assignment is LATER:
            self._later_than = self._ends
            return None
        self._running[trial_id] = assignment.trainable
        return self._config(assignment)

    def on_trial_complete(self, trial_id: str, result: Any = None, error: bool = False) -> None:  # noqa: ARG002
        """The callback hears the same, and the reason."""
        self._running.pop(trial_id, None)

    def save(self, checkpoint_path: str) -> None:
        """Optuna's storage has it all."""

    def _cluster(self) -> tuple[float, float]:
        """Its cores and GPUs, as they were ``LOOK_S`` ago at most: Tune wants a suggestion after every report."""
        if time.monotonic() >= self._look_again:
            here = resources()
            self._there, self._look_again = (here.get("CPU", 0.0), here.get("GPU", 0.0)), time.monotonic() + LOOK_S
        return self._there

    def _config(self, assignment: Assignment) -> dict[str, Any]:
        share = self._session.allotment.of(assignment.trainable)
        return {
            "root": str(self._session.paths.root),
            "number": assignment.number,
            "cpus": share.cpus,
            "gpus": share.gpus,
            "gpu_share": share.gpu_share,
            "threads": share.threads,
            "processes": share.processes,
            "recompute": "recompute" in self._session.config.resources.on_out_of_memory,
            "storage": self._session.config.storage,
            "driver_node": get_runtime_context().get_node_id(),
            "silence_s": 60 * self._session.config.resources.silence_minutes,
        }


class _Callback(_Unpickled, tune.Callback):
    """Tells the session what Tune hears."""

    def __init__(self, session: Session, books: Books) -> None:
        self._session, self._books = session, books

    def on_trial_result(self, trial: Trial, **_info: Any) -> None:  # type: ignore[override]
        self._session.reported(trial.config["number"])

    def on_trial_complete(self, trial: Trial, **_info: Any) -> None:  # type: ignore[override]
        self._ended(trial, "the worker ended without a result")

    def on_trial_error(self, trial: Trial, **_info: Any) -> None:  # type: ignore[override]
        self._ended(trial, cause_of(read_error(trial)))

    def on_trial_recover(self, trial: Trial, **_info: Any) -> None:  # type: ignore[override]
        number, error = trial.config["number"], read_error(trial)
        if full := out_of_room(error):
            self._session.no_room(full)
            return
        node = node_of(self._session.paths.trial(number))
        if self._session.lost(number, cause_of(error), excuse=excuse_of(error, node)):
            trial.max_failures = 0  # Tune's next attempt finds the end in the folder, or cannot even begin

    def _ended(self, trial: Trial, lost: str) -> None:
        number = trial.config["number"]
        self._books.enter(lambda: self._session.ended(number, lost=lost))


class _Stopper(_Unpickled, tune.Stopper):
    """Ends all trials when the session is over, whether or not they report."""

    def __init__(self, session: Session, books: Books) -> None:
        self._session, self._books = session, books

    def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:  # noqa: ARG002
        return False

    def stop_all(self) -> bool:
        self._books.check()
        return self._session.over()


def _ended(session: Session) -> int:
    return sum(trial.state.is_finished() for trial in session.search.trials())


def _note(session: Session, error: Exception) -> None:
    with open(session.paths.root / "driver-errors.txt", "a") as file:
        file.write(traceback.format_exc() + "\n")
    cause = str(error).strip().splitlines()[-1:] or [type(error).__name__]
    session.say(f"Ray Tune ended ({cause[0]}); starting it again with the unfinished trials")
