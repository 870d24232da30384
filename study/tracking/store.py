"""One study's experiment in an MLflow store: runs are found by their tag or created, then brought to their view."""

from __future__ import annotations

import importlib
import logging
import os
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock

from analysis import schema
from analysis.layout import StudyPaths, default_tracking_uri
from analysis.pages import redact
from analysis.reading.manifest import read_manifest
from study.tracking.ledger import Ledger
from study.tracking.uri import TrackingError, is_server
from study.tracking.view import Point, RunView, experiment_tags, other_study

if TYPE_CHECKING:
    from mlflow.entities import Experiment, Run
    from mlflow.tracking import MlflowClient

LOCK_TIMEOUT_S = 60.0
CLIENT_SETTINGS = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",  # MLflow's own retries last minutes, deaf to close(); the sender repeats
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_DISABLE_TELEMETRY": "true",
}


def prepare_client() -> None:
    """Settings that MLflow takes from the environment alone, where what the user has set stays, and MLflow itself.

    To be called before a thread is started: changing the environment beside other threads is not safe, and Tune, which
    imports MLflow, too, would in another thread leave both with half a module for good.
    """
    for name, value in CLIENT_SETTINGS.items():
        os.environ.setdefault(name, value)
    importlib.import_module("mlflow.tracking")


@dataclass
class _Known:
    """What MLflow is known to hold of one run."""

    run_id: str
    tags: dict[str, str]
    params: set[str]
    status: str
    ended_ms: int | None

    @classmethod
    def of(cls, run: Run) -> _Known:
        tags, params = dict(run.data.tags), set(run.data.params)
        return cls(run.info.run_id, tags, params, run.info.status, run.info.end_time)


class Store:
    """The experiment of one study. Every method may be repeated: a second time changes nothing.

    Writers of one study take turns by a lock in its folder, run by run, so that none makes a run twice.

    MLflow's exceptions pass through; after one, open a new ``Store``, since what MLflow holds is uncertain.
    """

    def __init__(self, uri: str, paths: StudyPaths, ledger: Ledger) -> None:
        self._uri, self._paths, self._ledger = uri, paths, ledger
        self._client = _open_client(uri)
        self._known: dict[tuple[str, str], _Known] = {}
        self._lock = FileLock(paths.root / ".tracking.lock", timeout=LOCK_TIMEOUT_S)
        with self._lock:
            experiment = self._find_or_create_experiment()
        self._experiment_id: str = experiment.experiment_id
        self._experiment_tags: dict[str, str] = dict(experiment.tags)
        ledger.point_to(uri, self._experiment_id)
        self._known |= {key: _Known.of(run) for run in self._search("") if (key := _identity(run.data.tags))}

    def ensure_study(self, view: RunView) -> None:
        """The parent run exists; trials need it."""
        with self._lock:
            self._ledger.set_parent(self._find_or_create_run(view).run_id)

    def deliver_study(self, view: RunView) -> None:
        """Bring the parent run, its artifacts and the experiment's tags to what the folder says."""
        with self._lock:
            known = self._find_or_create_run(view)
            self._log(known, view, [])
            self._upload(known, view)
            self._set_status(known, view)
            self._label_experiment()

    def deliver_trial(self, number: int, view: RunView, *, upload: bool) -> int:
        """Bring one child run to ``view``; artifacts on a change of status, or if ``upload``.

        Returns how many events were sent. An event counts as delivered when all that it says is in MLflow.
        """
        with self._lock:
            known = self._find_or_create_run(view)
            self._ledger.set_run(number, known.run_id)
            fresh = view.points[self._ledger.delivered(number) :]
            self._log(known, view, chain.from_iterable(fresh))
            if upload or known.status != view.status:
                self._upload(known, view)
            self._set_status(known, view)
            self._ledger.set_delivered(number, len(view.points))
            return len(fresh)

    def _find_or_create_experiment(self) -> Experiment:
        found = self._client.get_experiment_by_name(self._paths.name)
        if found is not None and self._is_foreign(found):
            self._set_aside(found)
            found = None
        if found is None:
            tags = experiment_tags(self._paths.name, read_manifest(self._paths), [])
            created = self._client.create_experiment(self._paths.name, self._artifact_location(), tags)
            return self._client.get_experiment(created)
        if found.lifecycle_stage != "active":
            raise TrackingError(
                f"experiment {self._paths.name!r} in {redact(self._uri)} was deleted; "
                f"run `mlflow experiments restore -x {found.experiment_id}`, or rename the study"
            )
        return found

    def _is_foreign(self, experiment: Experiment) -> bool:
        ours, theirs = read_manifest(self._paths).get("created"), experiment.tags.get(schema.CREATED)
        return ours is not None and theirs is not None and str(ours) != theirs

    def _set_aside(self, experiment: Experiment) -> None:
        """In the studies folder's own database a namesake's folder is gone, so its experiment may be renamed."""
        created = datetime.fromtimestamp(float(experiment.tags[schema.CREATED]), UTC)
        if self._uri != default_tracking_uri(self._paths.root.parent):
            raise TrackingError(
                f"{redact(self._uri)} has another study named {self._paths.name!r}, created {created:%Y-%m-%d %H:%M} "
                "UTC; rename this study"
            )
        self._client.rename_experiment(experiment.experiment_id, f"{experiment.name} ({created:%Y-%m-%d %H:%M:%S})")

    def _artifact_location(self) -> str | None:
        """A server has its own; a database alone has none, and MLflow would take whatever folder this runs in."""
        if is_server(self._uri):
            return None
        return (self._paths.root.parent / "mlflow-artifacts" / self._paths.name).as_uri()

    def _find_or_create_run(self, view: RunView) -> _Known:
        if view.identity not in self._known:
            key, value = view.identity
            found = next(self._search(f"tags.`{key}` = '{value}'"), None)  # another process may have created it
            self._known[view.identity] = _Known.of(found) if found else self._create_run(view)
        return self._known[view.identity]

    def _create_run(self, view: RunView) -> _Known:
        tags = dict(view.tags)
        if view.identity[0] == schema.TRIAL_ID:
            tags["mlflow.parentRunId"] = self._known[(schema.ROLE, "study")].run_id
        run = self._client.create_run(self._experiment_id, view.span.started_ms, tags, view.name)
        known = _Known.of(run)
        known.status = "NEW"
        return known

    def _search(self, condition: str) -> Iterator[Run]:
        page, token = None, None
        while page is None or token:
            page = self._client.search_runs([self._experiment_id], condition, page_token=token)
            token = page.token
            yield from page

    def _log(self, known: _Known, view: RunView, points: Iterable[Point]) -> None:
        """``points``, tags that differ and parameters that are missing, in one call that MLflow splits by its limits.

        MLflow takes a metric that it has already as the same one, and refuses to change a parameter.
        """
        from mlflow.entities import Metric, Param, RunTag

        tags = {key: value for key, value in view.tags.items() if known.tags.get(key) != value}
        params = {key: value for key, value in view.params.items() if key not in known.params}
        self._client.log_batch(
            known.run_id,
            metrics=[Metric(*point) for point in points],
            params=[Param(*item) for item in params.items()],
            tags=[RunTag(*item) for item in tags.items()],
            synchronous=True,
        )
        known.tags |= tags
        known.params |= params.keys()
        if schema.REASON in known.tags and schema.REASON not in view.tags:
            self._client.delete_tag(known.run_id, schema.REASON)
            del known.tags[schema.REASON]

    def _upload(self, known: _Known, view: RunView) -> None:
        for path in view.files:
            self._client.log_artifact(known.run_id, str(path))
        for name, text in view.texts.items():
            self._client.log_text(known.run_id, text, name)

    def _set_status(self, known: _Known, view: RunView) -> None:
        ended_ms = view.span.ended_ms
        if ended_ms is None and known.status != view.status:
            self._client.update_run(known.run_id, status=view.status)
        elif ended_ms is not None and (known.status, known.ended_ms) != (view.status, ended_ms):
            self._client.set_terminated(known.run_id, view.status, ended_ms)
        known.status, known.ended_ms = view.status, ended_ms

    def _label_experiment(self) -> None:
        params = set().union(*(known.params for known in self._known.values()))
        manifest = read_manifest(self._paths)
        other = self._experiment_of(other_study(manifest))
        parent = self._known[(schema.ROLE, "study")].run_id
        wanted = experiment_tags(self._paths.name, manifest, params, self._experiment_id, other, parent)
        for key, value in wanted.items():
            if self._experiment_tags.get(key) != value:
                self._client.set_experiment_tag(self._experiment_id, key, value)
                self._experiment_tags[key] = value

    def _experiment_of(self, study: str | None) -> str | None:
        found = None if study is None else self._client.get_experiment_by_name(study)
        return None if found is None else str(found.experiment_id)


def _open_client(uri: str) -> MlflowClient:
    from mlflow.tracking import MlflowClient

    for name in ("mlflow", "alembic"):  # their errors are raised, too, and told in a line
        logging.getLogger(name).setLevel(logging.CRITICAL)
    if not uri.startswith("sqlite:///"):
        return MlflowClient(tracking_uri=uri, registry_uri=uri)
    database = Path(uri.removeprefix("sqlite:///"))
    database.parent.mkdir(parents=True, exist_ok=True)
    # processes that create one database at the same time can leave it unusable for ever
    with FileLock(f"{database}.lock", timeout=LOCK_TIMEOUT_S):
        if not database.exists():
            _create(database)
        return MlflowClient(tracking_uri=uri, registry_uri=uri)


def _create(database: Path) -> None:
    """An MLflow database, whole or not at all: a process that is killed while its tables are made leaves half of them,
    which nobody can open or complete."""
    from mlflow.tracking import MlflowClient

    for left in database.parent.glob(f".{database.name}.*"):
        left.unlink()
    making = database.with_name(f".{database.name}.{uuid.uuid4().hex}")  # MLflow remembers every address that it opened
    client = MlflowClient(tracking_uri=f"sqlite:///{making}", registry_uri=f"sqlite:///{making}")
    client._tracking_client.store.engine.dispose()
    making.replace(database)


def _identity(tags: dict[str, str]) -> tuple[str, str] | None:
    for key in (schema.TRIAL_ID, schema.ROLE):
        if key in tags:
            return key, tags[key]
    return None
