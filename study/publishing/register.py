"""Exported models in MLflow's registry."""

from __future__ import annotations

from pathlib import Path

from mlflow import MlflowClient
from mlflow.exceptions import MlflowException, RestException
from mlflow.store.artifact.runs_artifact_repo import RunsArtifactRepository

from analysis.layout import StudyPaths
from study.config.stored import load_stored
from study.tracking.ledger import Ledger
from study.tracking.uri import TrackingError, check_reachable, redact_message, resolve_uri

MODEL = "model"
"""Folder of the exported files among the run's artifacts."""


def find_run(paths: StudyPaths, number: int) -> str:
    """The trial's run in MLflow; ``TrackingError`` if it has none yet."""
    run = Ledger(paths).run(number)
    if run is None:
        raise TrackingError(f"trial {paths.trial_id(number)} is not in MLflow yet; run `study sync {paths.name}` first")
    return run


def register(paths: StudyPaths, number: int, folder: Path, name: str) -> str:
    """Make the export in ``folder`` a new version of the registered model ``name``; the version.

    It hangs on the trial's own run, which ``study sync`` makes. ``TrackingError`` if there is none or MLflow refuses.
    """
    uri = resolve_uri(load_stored(paths).tracking.uri, paths)
    run = find_run(paths, number)
    check_reachable(uri, "start it and export again")
    client = MlflowClient(uri, uri)
    try:
        client.log_artifacts(run, str(folder), MODEL)
        _ensure_model(client, name)
        source = RunsArtifactRepository.get_underlying_uri(f"runs:/{run}/{MODEL}", uri)
        tags = {"trial.id": paths.trial_id(number)}
        return str(client.create_model_version(name, source, run, tags=tags).version)
    except MlflowException as error:
        raise TrackingError(f"MLflow refuses to register {name!r}: {redact_message(str(error), uri)}") from error


def _ensure_model(client: MlflowClient, name: str) -> None:
    try:
        client.get_registered_model(name)
    except (MlflowException, RestException):
        client.create_registered_model(name, tags={"library": "robust-ssl-study"})
