"""Mirrors a study's folder into one MLflow store, trial by trial."""

from __future__ import annotations

from collections.abc import Iterable

from analysis.layout import StudyPaths
from analysis.runs import read_study
from analysis.tables import headline_table
from study.tracking.ledger import Ledger
from study.tracking.note import Place, note, on_frontier
from study.tracking.store import Store
from study.tracking.uri import silence
from study.tracking.view import Found, RunView, read_manifest, study_view, trial_view


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
        study = read_study(self._paths) if numbers is None else None
        best = on_frontier(study) if study is not None else None
        chosen = [trial.number for trial in self._paths.each_trial()] if numbers is None else numbers
        events, spans = 0, []
        for number in sorted(chosen, key=lambda number: (number in self._troubled, number)):
            self._troubled.add(number)
            view = trial_view(self._paths, self._paths.trial(number), manifest, best)
            if view is not None:
                events += self._deliver_trial(store, number, view, live, artifacts)
                spans.append(view.span)
            self._troubled.discard(number)
        if study is not None:
            place = Place(self._ledger.experiment_id or "", self._ledger.parent or "", self._ledger.runs)
            said = note(study, place, report=self._paths.report.exists())
            found = Found(note=said, frontier=headline_table(study).csv())
            store.deliver_study(study_view(self._paths, manifest, spans, live=live, found=found))
        return events

    def _deliver_trial(self, store: Store, number: int, view: RunView, live: bool, artifacts: bool) -> int:
        # curves of a trial that stays unfinished are sent when the study stops
        upload = artifacts or (not live and view.span.ended_ms is None)
        return store.deliver_trial(number, view, upload=upload)
