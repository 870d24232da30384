"""Mirrors a study's folder into one MLflow store, trial by trial."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from analysis.layout import StudyPaths
from study.tracking.ledger import Ledger
from study.tracking.store import Store
from study.tracking.uri import silence
from study.tracking.view import Span, read_manifest, study_view, trial_view


class Mirror:
    """Every call brings MLflow to what the folder says at that time; a call that failed can be repeated."""

    def __init__(self, paths: StudyPaths, uri: str, ledger: Ledger) -> None:
        self._paths, self._uri, self._ledger = paths, uri, ledger
        self._store: Store | None = None
        self._troubled: set[int] = set()

    def deliver(self, numbers: Iterable[int] | None, *, live: bool, artifacts: bool = False) -> int:
        """Deliver some trials, or for ``None`` all of them and the study; returns how many events were sent.

        ``live``: the study is running. ``artifacts``: send also those of trials that MLflow has already.
        The first failure passes through; the trial behind it goes last from then on, so it delays no other.
        """
        try:
            self._store = self._store or self._open()
            return self._deliver(self._store, numbers, live, artifacts)
        except BaseException:
            self._store = None  # what MLflow holds is uncertain now: it is asked again
            raise
        finally:
            self._ledger.save()

    def _open(self) -> Store:
        if (cause := silence(self._uri)) is not None:  # MLflow itself would try a database again for minutes
            raise ConnectionError(f"it does not answer, {cause}")
        return Store(self._uri, self._paths, self._ledger)

    def _deliver(self, store: Store, numbers: Iterable[int] | None, live: bool, artifacts: bool) -> int:
        manifest = read_manifest(self._paths)
        store.ensure_study(study_view(self._paths, manifest, [], live=True))
        everything = numbers is None
        chosen = [trial.number for trial in self._paths.each_trial()] if numbers is None else numbers
        events, spans = 0, []
        for number in sorted(chosen, key=lambda number: (number in self._troubled, number)):
            sent, span = self._deliver_trial(store, number, manifest, live, artifacts)
            events += sent
            spans += span
        if everything:
            store.deliver_study(study_view(self._paths, manifest, spans, live=live))
        return events

    def _deliver_trial(
        self, store: Store, number: int, manifest: dict[str, Any], live: bool, artifacts: bool
    ) -> tuple[int, list[Span]]:
        self._troubled.add(number)
        view = trial_view(self._paths, self._paths.trial(number), manifest)
        # curves of a trial that stays unfinished are sent when the study stops
        upload = artifacts or (not live and view is not None and view.span.ended_ms is None)
        sent = 0 if view is None else store.deliver_trial(number, view, upload=upload)
        self._troubled.discard(number)
        return sent, [] if view is None else [view.span]
