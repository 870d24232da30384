"""The only writer of MLflow: a background sender that mirrors the study's folder, and ``sync``, which repeats it.

The folder is the truth. Nothing a sender meets can fail or delay the study: ``notify`` marks what has changed, a
thread reads it and delivers, and what it could not deliver ``sync`` brings later.
"""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass

from analysis.layout import StudyPaths
from analysis.pages import redact
from analysis.reading.download import StudyNotFoundError
from analysis.reading.manifest import read_manifest
from study.tracking.ledger import Ledger
from study.tracking.mirror import Mirror, UndeliveredError
from study.tracking.store import prepare_client
from study.tracking.uri import TrackingError, check_reachable, in_a_line, redact_message, resolve_uri

__all__ = ["SyncSummary", "Tracker", "TrackingError", "check_tracking", "sync"]

EVERY_S = 1.0
"""MLflow hears of changes at most so often: to tell it costs more than most of them do."""
FIRST_PAUSE_S = 1.0
LONGEST_PAUSE_S = 60.0
_log = logging.getLogger(__name__)


class Tracker:
    """Delivers one study to MLflow from a thread of its own.

    ``problem`` says in one line why the newest delivery failed, without secrets; ``None`` if it did not.
    ``complete``: after ``close``, whether all that the folder says was delivered, the study's end included.
    """

    def __init__(self, paths: StudyPaths, uri: str | None) -> None:
        """Use ``open``. Without ``uri`` nothing is sent."""
        self.problem: str | None = None
        self.complete = False
        self._ledger = Ledger(paths)
        self._mirror = None if uri is None else Mirror(paths, uri, self._ledger)
        self._uri = uri or ""
        self._lock = threading.Lock()
        self._changed: set[int | None] = {None}
        self._wake, self._closed, self._abandoned = threading.Event(), threading.Event(), threading.Event()
        self._given_up = False
        self._thread = threading.Thread(target=self._run, name="tracking", daemon=True)

    @classmethod
    def open(cls, paths: StudyPaths, *, uri: str | None = None, offline: bool = False) -> Tracker:
        """A running sender; ``uri`` as in the study file, ``None`` for the studies folder's own database.

        Raises ``TrackingError`` for an address that cannot be MLflow's; one that does not answer is tried again
        beside the study. ``offline``: sends nothing.
        """
        if offline:
            return cls(paths, None)
        target = resolve_uri(uri, paths)
        prepare_client()
        tracker = cls(paths, target)
        tracker._wake.set()
        tracker._thread.start()
        return tracker

    def notify(self, number: int | None = None) -> None:
        """Something changed in that trial's folder, or for ``None`` in the study's. Returns at once, never raises."""
        with self._lock:
            self._changed.add(number)
        self._wake.set()

    def close(self, timeout_s: float = 30.0) -> int:
        """Deliver what is left, for at most ``timeout_s``; returns how many events MLflow does not have.

        An MLflow that was away before is asked once more and not waited for. Trials without an ``ended`` event stay
        RUNNING there: the study can be resumed.
        """
        self._given_up = self.problem is not None
        self._closed.set()
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join(timeout_s)
        self._abandoned.set()
        return self._ledger.undelivered()

    def _run(self) -> None:
        pause = FIRST_PAUSE_S
        while not self._abandoned.is_set():
            self._wake.wait()
            final = self._closed.is_set()
            self._wake.clear()
            if self._deliver(final):
                pause = FIRST_PAUSE_S
                if final:
                    self.complete = True
                    return
                self._closed.wait(EVERY_S)
            elif final and self._given_up:
                return
            else:
                # close() ends a pause at once; after it only the end of its patience does
                (self._abandoned if final else self._closed).wait(pause)
                pause = min(2 * pause, LONGEST_PAUSE_S)
                self._wake.set()

    def _deliver(self, final: bool) -> bool:
        assert self._mirror is not None
        changed = self._take()
        numbers = None if final or None in changed else {number for number in changed if number is not None}
        try:
            self._mirror.deliver(numbers, live=not final)
        except Exception as error:
            self._put_back(set(error.numbers) if isinstance(error, UndeliveredError) else changed)
            self._remember(redact_message(str(error) or type(error).__name__, self._uri))
            return False
        self.problem = None
        return True

    def _take(self) -> set[int | None]:
        with self._lock:
            changed, self._changed = self._changed, set()
        return changed

    def _put_back(self, changed: set[int | None]) -> None:
        with self._lock:
            self._changed |= changed

    def _remember(self, problem: str) -> None:
        is_new, self.problem = problem != self.problem, problem
        if is_new:
            _log.warning("MLflow at %s: %s; the study goes on, delivery is tried again", redact(self._uri), problem)


def check_tracking(paths: StudyPaths, uri: str | None) -> None:
    """``TrackingError`` within seconds if MLflow does not answer: before a launch another address can be chosen."""
    check_reachable(resolve_uri(uri, paths), "start it, or launch with --offline and run `study sync` later")


@dataclass(frozen=True)
class SyncSummary:
    """What one ``sync`` brought to MLflow; ``uri`` is without secrets."""

    trials: int
    events: int
    uri: str


def sync(paths: StudyPaths, uri: str | None = None) -> SyncSummary:
    """Bring MLflow to what the study's folder says, whatever it held before.

    ``None``: the address that the study was launched with, else the studies folder's own database.
    Raises ``StudyNotFoundError``, and ``TrackingError`` if MLflow fails.
    """
    if not paths.manifest.exists():
        raise StudyNotFoundError.beside(paths)
    launched_with = read_manifest(paths).get("tracking", {}).get("uri")
    target = resolve_uri(uri or launched_with, paths)
    check_reachable(target, "start it and sync again")
    prepare_client()
    ledger = Ledger(paths)
    ledger.forget_deliveries()
    with in_a_line(target, "mend it and sync again"):
        events = Mirror(paths, target, ledger).deliver(None, live=False, artifacts=True)
    return SyncSummary(trials=sum(1 for _ in paths.each_trial()), events=events, uri=redact(target))
