"""How a study file names another study: by its name, by its folder, or in MLflow; and a trial of it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from analysis.layout import study_paths
from analysis.pages import redact
from study.tracking.uri import TrackingError, resolve_uri
from trainables.recipes import RECIPES

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


def check_source(source: str, key: str = "warm_start") -> str:
    """``source`` with its path absolute; ``ValueError`` for what names no study. ``key``: which holds it."""
    if source.startswith(MLFLOW):
        uri, experiment = address(source)
        if not uri or not experiment or "/" in experiment or experiment in (".", ".."):
            raise ValueError(f"{key} holds {public(source)!r}; {_FORMS}")
        try:
            resolve_uri(uri, study_paths("any"))
        except TrackingError as error:
            raise ValueError(str(error).replace("tracking.uri", f"{key}'s address")) from error
        return source
    if not source.strip() or source in (".", ".."):
        raise ValueError(f"{key} holds {source!r}; {_FORMS}")
    return str(Path(source).absolute()) if "/" in source and not source.startswith("~") else source


def split_trial(source: str) -> tuple[str, int | None]:
    """The study and the number of its trial in ``older/3``, ``/path/to/older/3``, ``mlflow:URI#older/3``; the source
    alone where it ends in no number."""
    study, _, number = source.rpartition("/")
    is_trial = study and number.isdecimal() and (not source.startswith(MLFLOW) or "#" in study)
    return (study, int(number)) if is_trial else (source, None)


def check_start(name: str) -> str:
    """A recipe's name, else a study or a trial of one, its path absolute; an unknown recipe passes, to be told later.

    A relative path is one where it leads to a study. Raises as ``check_source`` does.
    """
    if name in RECIPES:
        return name
    source, number = split_trial(name)
    if _is_relative(source) and not (Path(source) / "study.json").is_file():
        return name
    return check_source(source, "start_from") + ("" if number is None else f"/{number}")


def is_study(name: str) -> bool:
    """Whether what ``check_start`` let pass names a study, or a trial of one, and no recipe, known or unknown."""
    return name not in RECIPES and not _is_relative(split_trial(name)[0])


def _is_relative(source: str) -> bool:
    return "/" in source and not source.startswith(("/", "~", MLFLOW))


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
