"""Brings a study's files from MLflow into a folder of the layout they were written from."""

from __future__ import annotations

import json
import math
import os
import socket
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Self
from urllib.parse import urlsplit

from analysis import schema
from analysis.layout import (
    ENDED,
    StudyPaths,
    TrialPaths,
    append_event,
    append_exclusion,
    append_note,
    studies_in,
    write_json,
)
from analysis.pages import redact, run_page
from trainables.config import UserError

if TYPE_CHECKING:  # importing mlflow takes seconds, and reading a folder does not need it
    from mlflow import MlflowClient
    from mlflow.entities import Experiment, Run
    from mlflow.store.artifact.artifact_repo import ArtifactRepository

_STUDY_FILES = (schema.MANIFEST_ARTIFACT, schema.STUDY_FILE_ARTIFACT)
_TRIAL_FILES = (schema.CONFIG_ARTIFACT, schema.CURVES_ARTIFACT)
_STATUSES = {told: status for status, told in schema.MLFLOW_STATUS.items() if status is not schema.TrialStatus.RUNNING}
"""Of trials that have ended, by MLflow's words."""
_CONNECT_SECONDS = 5.0
_CLIENT_SETTINGS = {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false"}


class StudyNotFoundError(UserError):
    """There is no study of that name; the message lists those that there are."""

    def __init__(self, name: str, place: str, known: Sequence[str]) -> None:
        there = f"there: {', '.join(sorted(known))}" if known else "there is none yet; start one with study launch FILE"
        super().__init__(f"no study named {name!r} in {place}; {there}")

    @classmethod
    def beside(cls, paths: StudyPaths) -> Self:
        """Of a study that should be in its folder."""
        folder = paths.root.parent
        return cls(paths.name, str(folder), [other.name for other in studies_in(folder) if other != paths])


class RunLink(NamedTuple):
    """Where a trial stands in MLflow; ``url`` is "" unless its pages are on a server or served by ``study ui``."""

    run_id: str
    url: str


def run_link(tracking_uri: str, experiment_id: str, run_id: str, pages: str | None = None) -> RunLink:
    """``pages``: where MLflow's pages are served, if not where the store's address tells."""
    served = pages.rstrip("/") if pages else _pages(tracking_uri)
    return RunLink(run_id, f"{served}/{run_page(experiment_id, run_id)}" if run_id and served else "")


def _pages(tracking_uri: str) -> str:
    scheme = urlsplit(tracking_uri).scheme
    if scheme == "sqlite":
        return schema.UI_ADDRESS
    return redact(tracking_uri) if scheme in ("http", "https") else ""


def download_study(tracking_uri: str, name: str, paths: StudyPaths, pages: str | None = None) -> dict[int, RunLink]:
    """Fill ``paths`` with the files of study ``name``; the trials' runs by number, linked to under ``pages``.

    Asks for runs in pages and for two artifacts a run, never for the history of a metric.
    Raises ``StudyNotFoundError``, or ``UserError`` if there is nothing at ``tracking_uri``.
    """
    _require_reachable(tracking_uri)
    for setting, value in _CLIENT_SETTINGS.items():
        os.environ.setdefault(setting, value)
    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri)
    experiment = _experiment(client, tracking_uri, name)
    trials: dict[int, Run] = {}
    paths.root.mkdir(parents=True)
    for run in _runs(client, experiment):
        role, number = run.data.tags.get(schema.ROLE), run.data.tags.get(schema.TRIAL_NUMBER, "")
        if role == "study":
            _download(tracking_uri, run, _STUDY_FILES, paths.root)
        elif role == "trial" and number.isdecimal():
            trials[int(number)] = run
    with ThreadPoolExecutor(max_workers=8) as pool:
        jobs = [pool.submit(_download_trial, tracking_uri, run, paths.trial(number)) for number, run in trials.items()]
        for job in jobs:
            job.result()
    place = experiment.experiment_id
    return {number: run_link(tracking_uri, place, run.info.run_id, pages) for number, run in trials.items()}


def _require_reachable(tracking_uri: str) -> None:
    """MLflow itself would retry an absent server for minutes and create an absent database."""
    parts = urlsplit(tracking_uri)
    if parts.scheme == "sqlite" and not Path(parts.path.removeprefix("/")).exists():
        raise UserError(
            f"no MLflow database at {redact(tracking_uri)}; check the address, or rebuild it with study sync NAME"
        )
    if parts.scheme in ("http", "https") and parts.hostname:
        port = parts.port or (443 if parts.scheme == "https" else 80)
        try:
            socket.create_connection((parts.hostname, port), timeout=_CONNECT_SECONDS).close()
        except OSError as error:
            raise UserError(
                f"no MLflow server answers at {parts.hostname}:{port} ({error}); start it, or read the study's folder"
            ) from error


def _experiment(client: MlflowClient, tracking_uri: str, name: str) -> Experiment:
    experiment = client.get_experiment_by_name(name)
    if experiment is None or experiment.lifecycle_stage != "active":
        known = [other.name for other in client.search_experiments() if other.name != "Default"]
        raise StudyNotFoundError(name, f"MLflow at {redact(tracking_uri)}", known)
    return experiment


def _runs(client: MlflowClient, experiment: Experiment) -> Iterator[Run]:
    """Oldest first, so that of two runs of one trial the newer counts."""
    token: str | None = None
    while True:
        page = client.search_runs(
            [experiment.experiment_id], order_by=["attributes.start_time ASC"], max_results=1000, page_token=token
        )
        yield from page
        token = page.token
        if not token:
            return


def _download(tracking_uri: str, run: Run, wanted: tuple[str, ...], folder: Path) -> None:
    """A request a file, and a listing before them unless the run has finished and so should have all; the client's own
    method asks for the run and lists anew for each file."""
    from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

    folder.mkdir(parents=True, exist_ok=True)
    repository = get_artifact_repository(run.info.artifact_uri, tracking_uri)
    if run.info.status == "FINISHED" and run.data.tags.get(schema.ROLE) == "trial":
        with suppress(Exception):  # each kind of store has its own for a file that is not there
            _fetch(repository, wanted, folder)
            return
    there = [artifact.path for artifact in repository.list_artifacts()]
    _fetch(repository, [name for name in wanted if name in there], folder)


def _fetch(repository: ArtifactRepository, names: Iterable[str], folder: Path) -> None:
    for name in names:
        repository._download_file(name, str(folder / name))  # type: ignore[no-untyped-call]


def _download_trial(tracking_uri: str, run: Run, trial: TrialPaths) -> None:
    """The trial's files; where they are not there, as while it runs, what else the run says of it must do."""
    _download(tracking_uri, run, _TRIAL_FILES, trial.root)
    if (verdict := run.data.tags.get(schema.VERDICT)) is not None:  # all of the result that is not in the events
        write_json(trial.result, {"verdict": verdict})
    if note := run.data.tags.get(schema.NOTE):
        append_note(trial, note)
    if reason := run.data.tags.get(schema.EXCLUDED):
        append_exclusion(trial, reason)
    if not trial.config.exists():
        params = {name: _parsed(value) for name, value in run.data.params.items()}
        seed = params.pop("seed", None)
        trainable = run.data.tags.get(schema.TRAINABLE) or params.get("trainable")
        write_json(trial.config, {"trainable": trainable, "params": params, "config": {"seed": seed}})
    if not trial.events.exists() and (status := _STATUSES.get(run.info.status)) is not None:
        reason, ended = run.data.tags.get(schema.REASON, ""), (run.info.end_time or math.nan) / 1000
        append_event(trial, ENDED, 1, time=ended, status=status, reason=reason, metrics=run.data.metrics)


def _parsed(value: str) -> object:
    """MLflow keeps parameters as text."""
    try:
        return json.loads(value)
    except ValueError:
        return value
