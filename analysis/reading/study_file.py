"""What a study's file says, as far as it can be read."""

from __future__ import annotations

from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from analysis.reading.runs import Study


def written(study: Study) -> dict[str, Any]:
    """The keys of the study's file; empty where it is lost or damaged."""
    try:
        found = YAML(typ="safe", pure=True).load(study.study_file)
    except YAMLError:
        return {}
    return found if isinstance(found, dict) else {}


def learned_from(study: Study) -> list[str] | None:
    """The names of the studies that a search was to learn from; ``None`` where that is not known."""
    sources = written(study).get("warm_start")
    return [_name(str(source)) for source in sources] if isinstance(sources, list) else None


def _name(source: str) -> str:
    """Of ``older``, ``/path/to/older`` and ``mlflow:http://host:5000#older``."""
    return source.rpartition("#")[2].rstrip("/").rpartition("/")[2]
