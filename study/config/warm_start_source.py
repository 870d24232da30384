"""How a study file names another study: by its name, by its folder, or in MLflow."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from analysis.layout import study_paths
from analysis.pages import redact
from study.tracking.uri import TrackingError, resolve_uri

MLFLOW = "mlflow:"
_FORMS = "give a study's name, the path of its folder, or mlflow:URI#EXPERIMENT"


def plain_sources(sources: Any) -> Any:
    """YAML reads ``- mlflow: URI#EXPERIMENT`` as a mapping; here it is the text it looks like."""
    if not isinstance(sources, list):
        return sources
    return [
        f"{MLFLOW}{source['mlflow']}" if isinstance(source, Mapping) and source.keys() == {"mlflow"} else source
        for source in sources
    ]


def check_source(source: str) -> str:
    """``source`` with its path absolute; ``ValueError`` for what names no study."""
    if source.startswith(MLFLOW):
        uri, experiment = address(source)
        if not uri or not experiment or "/" in experiment or experiment in (".", ".."):
            raise ValueError(f"warm_start holds {public(source)!r}; {_FORMS}")
        try:
            resolve_uri(uri, study_paths("any"))
        except TrackingError as error:
            raise ValueError(str(error).replace("tracking.uri", "warm_start's address")) from error
        return source
    if not source.strip() or source in (".", ".."):
        raise ValueError(f"warm_start holds {source!r}; {_FORMS}")
    return str(Path(source).absolute()) if "/" in source and not source.startswith("~") else source


def address(source: str) -> tuple[str, str]:
    """MLflow's URI and the experiment in it."""
    uri, _, experiment = source.removeprefix(MLFLOW).strip().rpartition("#")
    return uri, experiment


def public(source: str) -> str:
    """``source`` without the secrets of its address: fit to be printed and stored."""
    if not source.startswith(MLFLOW):
        return source
    uri, experiment = address(source)
    return f"{MLFLOW}{redact(uri)}#{experiment}"
