"""Mirrors a study's folder into one MLflow store, trial by trial."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass, field
from typing import Any

from analysis.layout import StudyPaths
from analysis.reading.manifest import read_manifest
from analysis.reading.runs import Study, read_study
from analysis.tables.trials import headline_table
from study.tracking.ledger import Ledger
from study.tracking.note import Place, note, on_frontier
from study.tracking.store import Store
from study.tracking.uri import silence
from study.tracking.view import Found, Span, study_view, trial_view

PATIENCE = 3
"""So many trials that fail before any arrives: the fault is not theirs."""


class UndeliveredError(Exception):
    """Trials that cannot be read, or that MLflow does not take as they are; all else has arrived."""

    def __init__(self, causes: Mapping[int, Exception]) -> None:
        self.numbers = frozenset(causes)
        trials = f"{'trial' if len(causes) == 1 else 'trials'} {', '.join(f'{number:04d}' for number in causes)}"
        cause = next(iter(causes.values()))
        said = (str(cause).strip().splitlines() or [""])[0]
        super().__init__(f"{trials} did not arrive ({type(cause).__name__}: {said}), all else did")


@dataclass
class _Done:
    """How far one delivery has come."""

    arrived: int = 0
    events: int = 0
    spans: list[Span] = field(default_factory=list)
    failed: dict[int, Exception] = field(default_factory=dict)


class Mirror:
    """Every call brings MLflow to what the folder says at that time; a call that failed can be repeated."""

    def __init__(self, paths: StudyPaths, uri: str, ledger: Ledger) -> None:
        self._paths, self._uri, self._ledger = paths, uri, ledger
        self._store: Store | None = None
        self._troubled: set[int] = set()

    def deliver(self, numbers: Iterable[int] | None, *, live: bool, artifacts: bool = False) -> int:
        """Deliver some trials, or for ``None`` all of them and the study; returns how many events were sent.

        ``live``: the study is running. ``artifacts``: send also those of trials that MLflow has already.
        Raises ``UndeliveredError`` when all else is done; from then on those trials go last, so they delay no other.
        What MLflow says to every trial passes through at once.
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
        parent = study_view(self._paths, manifest, [], live=True)
        store.ensure_study(parent)
        study, best, unread = self._read() if numbers is None else (None, None, None)
        chosen = [trial.number for trial in self._paths.each_trial()] if numbers is None else numbers
        done = _Done()
        for number in sorted(chosen, key=lambda number: (number in self._troubled, number)):
            try:
                self._deliver_trial(store, number, manifest, best, live, artifacts, done)
                self._troubled.discard(number)
            except Exception as error:
                self._troubled.add(number)
                done.failed[number] = error
                if done.arrived == 0 and len(done.failed) == PATIENCE:
                    raise
                store = self._store = self._open()  # what MLflow holds of that trial is uncertain now
                store.ensure_study(parent)
        if study is not None:
            self._deliver_study(store, study, manifest, done.spans, live)
        if unread is not None:
            raise unread
        if done.failed:
            raise UndeliveredError(done.failed)
        return done.events

    def _read(self) -> tuple[Study | None, Set[int] | None, Exception | None]:
        """The study and its frontier, or why they cannot be known: its trials arrive all the same."""
        try:
            study = read_study(self._paths)
            return study, on_frontier(study), None
        except Exception as error:
            return None, None, error

    def _deliver_trial(
        self,
        store: Store,
        number: int,
        manifest: Mapping[str, Any],
        best: Set[int] | None,
        live: bool,
        artifacts: bool,
        done: _Done,
    ) -> None:
        view = trial_view(self._paths, self._paths.trial(number), manifest, best)
        if view is None:
            return
        done.spans.append(view.span)
        # curves of a trial that stays unfinished are sent when the study stops
        upload = artifacts or (not live and view.span.ended_ms is None)
        done.events += store.deliver_trial(number, view, upload=upload)
        done.arrived += 1

    def _deliver_study(
        self, store: Store, study: Study, manifest: Mapping[str, Any], spans: Iterable[Span], live: bool
    ) -> None:
        place = Place(self._ledger.experiment_id or "", self._ledger.parent or "", self._ledger.runs)
        said = note(study, place, report=self._paths.report.exists())
        found = Found(note=said, frontier=headline_table(study).csv())
        store.deliver_study(study_view(self._paths, manifest, spans, live=live, found=found))
