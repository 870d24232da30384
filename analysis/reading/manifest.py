"""A study's manifest as readers take it: what lacks the form it should have is as good as absent."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from analysis.layout import StudyPaths, read_json
from trainables.metrics import CLEAN_ACCURACY, PGD_ACCURACY, Direction, direction, is_objective

PACKAGES = "packages"
"""Key of manifests and of attempts: what ``packages.Origin`` says of each method and attack; absent where all are the
platform's."""
REPLAYED = "replayed"
"""The same: the file of recorded trials, where a study trained none of its own."""

_LATEST = 1e11
"""Unix seconds that a calendar still has."""


def read_manifest(paths: StudyPaths) -> dict[str, Any]:
    """``study.json``; empty if it cannot be read.

    Where they are there at all, ``evaluation``, ``environment`` and ``tracking`` are mappings, a radius is a number and
    an address text, ``trainables`` is a list, ``created`` a time, and ``confirms`` and ``measures`` have a ``study``,
    ``seeds`` and ``configurations``, each with its number ``trial``, its ``params`` and its ``figures``, and
    ``best_cases``, each with its ``trial`` and its ``values``, where all of them have, and ``lost``, each with its
    ``trial``. ``objectives`` are for the function of that name. All else is as it stands.
    """
    found = read_json(paths.manifest)
    formed = {
        "environment": _mapping(found.get("environment")),
        "evaluation": _mapping(found.get("evaluation"), epsilon=_is_number),
        "tracking": _mapping(found.get("tracking"), uri=lambda uri: isinstance(uri, str)),
        "trainables": _list(found.get("trainables")),
        "created": _time(found.get("created")),
        "confirms": _listed(found.get("confirms")),
        "measures": _listed(found.get("measures")),
    }
    return {key: value for key, value in (found | formed).items() if key not in formed or value is not None}


def is_reseeding(manifest: Mapping[str, Any]) -> bool:
    """Whether chosen configurations were trained again on the images that they were searched on, and not confirmed."""
    evaluation = _mapping(manifest.get("evaluation")) or {}
    return bool(manifest.get("confirms")) and evaluation.get("split") == "validation"


def is_replay(manifest: Mapping[str, Any]) -> bool:
    """Whether recorded trials were replayed, and nothing was trained."""
    return REPLAYED in manifest


def objectives(manifest: Mapping[str, Any]) -> dict[str, Direction]:
    """What the study optimises; clean and PGD accuracy where the manifest does not tell."""
    return told_objectives(manifest) or {name: direction(name) for name in (CLEAN_ACCURACY, PGD_ACCURACY)}


def told_objectives(manifest: Mapping[str, Any]) -> dict[str, Direction]:
    """Those that the manifest tells; empty where it is missing or damaged."""
    names = [item.get("metric") for item in records(manifest.get("objectives"))]
    return {name: direction(name) for name in map(str, names) if is_objective(name)}


def own_attacks(told: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """By name what is recorded there of the attacks that packages bring."""
    return {str(one.get("name")): one for one in records(told.get(PACKAGES)) if one.get("kind") == "attack"}


def records(found: object) -> list[dict[str, Any]]:
    """The mappings of a list of them; empty where there is no list."""
    return [one for one in _list(found) or () if isinstance(one, dict)]


def _time(found: object) -> object | None:
    return found if _is_number(found) and 0 <= float(str(found)) < _LATEST else None


def _listed(found: object) -> dict[str, Any] | None:
    told = _mapping(found)
    if not told:
        return None
    configurations = records(told.get("configurations"))
    return told | {
        "study": str(told.get("study") or "unknown"),
        "seeds": _list(told.get("seeds")) or [],
        "configurations": [
            one | {"params": _mapping(one.get("params")) or {}, "figures": _numbers(one.get("figures"))}
            for one in configurations
            if isinstance(one.get("trial"), int)
        ],
        "best_cases": _best_cases(told.get("best_cases")),
        "lost": [one for one in records(told.get("lost")) if isinstance(one.get("trial"), int)],
    }


def _numbers(found: object) -> dict[str, Any]:
    return {name: value for name, value in (_mapping(found) or {}).items() if _is_number(value)}


def _best_cases(found: object) -> list[dict[str, Any]]:
    """None where one is damaged: it could be the one that matters."""
    told = _list(found) or []
    sound = records(told)
    formed = [isinstance(one.get("trial"), int) and isinstance(one.get("values"), dict) for one in sound]
    return sound if all(formed) and len(sound) == len(told) else []


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _mapping(value: object, **sound: Callable[[object], bool]) -> dict[str, Any] | None:
    """Without the keys whose values are not ``sound``."""
    if not isinstance(value, dict):
        return None
    return {key: one for key, one in value.items() if key not in sound or sound[key](one)}


def _list(value: object) -> list[Any] | None:
    return value if isinstance(value, list) else None
