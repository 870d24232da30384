"""Which packages a study's own methods and attacks are of: recorded with it, and compared when it goes on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from typing import Any

from analysis.layout import StudyPaths, read_json
from analysis.reading.manifest import PACKAGES, records
from trainables import packages
from trainables.config import TrialConfig, UserError


def missing(told: Mapping[str, Any]) -> list[str]:
    """Of the methods that are recorded there, which no package brings here, and which one did."""
    return [f"{_method(one)} of {_package(one)}" for one in records(told.get(PACKAGES)) if not _installed(one)]


def check_installed(paths: StudyPaths) -> None:
    """``UserError`` that names the packages which the study in ``paths`` needs and which are not installed."""
    if lacking := missing(read_json(paths.manifest)):
        remedy = "install what is missing, on a cluster on every node, and try again"
        raise UserError(f"study {paths.name} needs {', '.join(lacking)}; {remedy}")


def recorded(configs: Iterable[TrialConfig]) -> dict[str, Any]:
    """The packages of these configurations' methods under ``PACKAGES``; empty where all are the platform's own."""
    found = dict.fromkeys(origin for config in configs for origin in _origins(config))
    return {PACKAGES: [asdict(origin) for origin in found]} if found else {}


def versions(told: Mapping[str, Any]) -> dict[str, str]:
    """Of each package that is ``recorded`` there."""
    return {str(one.get("distribution")): str(one.get("version")) for one in records(told.get(PACKAGES))}


def changed(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """In lines, how the code of methods is another ``now`` than what was recorded ``before``."""
    known = {_method(one): one for one in records(before.get(PACKAGES))}
    told = ((one, known.get(_method(one), one)) for one in records(now.get(PACKAGES)))
    return [_difference(old, new) for new, old in told if new != old]


def _difference(old: Mapping[str, Any], new: Mapping[str, Any]) -> str:
    source = "with other source" if old.get("sha256") != new.get("sha256") else "its module the same"
    outcome = "trials that are trained from here on may differ from those before"
    return f"{_method(new)} was of {_package(old)} and is of {_package(new)}, {source}; {outcome}"


def _origins(config: TrialConfig) -> Iterator[packages.Origin]:
    named: tuple[tuple[packages.Kind, str], ...] = (
        ("trainable", config.trainable),
        ("objective", config.objective.name),
        *(("attack", name) for name in config.evaluation.own_attacks),
    )
    for kind, name in named:
        if (origin := packages.origin(kind, name)) is not None:
            yield origin


def _installed(one: Mapping[str, Any]) -> bool:
    kind = next((known for known in packages.GROUPS if known == one.get("kind")), None)
    return kind is None or one.get("name") in packages.brought(kind)


def _method(one: Mapping[str, Any]) -> str:
    return f"{one.get('kind')} {one.get('name')}"


def _package(one: Mapping[str, Any]) -> str:
    return f"{one.get('distribution')} {one.get('version')}"
