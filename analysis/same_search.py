"""Whether studies are runs of one search: nothing in their study files differs but seed, name and means."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from analysis.confirmed import confirms
from analysis.runs import Study
from trainables.config import UserError

_EACH_ITS_OWN = {"name", "seed", "budget", "resources", "tracking", "storage", "confirms"}
"""Keys of a study file that say who a run is, how far it went, and where."""


def check_runs(studies: Sequence[Study]) -> None:
    """``UserError`` unless ``studies``, one or more, can be runs of one search, as far as their files tell.

    Of confirmations: of the searches of one kind, each of another.
    """
    names = ",".join(study.name for study in studies)
    if len({bool(confirms(study)) for study in studies}) > 1:
        raise UserError(f"{names}: a comma joins searches, or confirmations; put the others on a side of their own")
    files = [_file(study) for study in studies]
    if unlike := [key for key in files[0] if key not in _EACH_ITS_OWN and not _agree(key, files)]:
        raise UserError(
            f"{names} are no runs of one search, for their study files differ in {', '.join(unlike)}; "
            "a comma joins those that differ by their seed alone, a space sets others against each other"
        )
    _check_seeds(names, studies)


def seed_of(study: Study) -> object:
    """What tells a run from others of its search; of a confirmation, the study that it confirms."""
    return confirms(study).get("study") or study.manifest.get("seed")


def _check_seeds(names: str, studies: Sequence[Study]) -> None:
    seeds = [seed_of(study) for study in studies]
    if again := [seed for seed in seeds if seed is not None and seeds.count(seed) > 1]:
        what = "confirm the same study" if confirms(studies[0]) else "have the same seed"
        raise UserError(f"{names}: two of them {what}, {again[0]}, and say no more than one of them; leave one out")


def _agree(key: str, files: Sequence[Mapping[str, Any]]) -> bool:
    """Where both have it: an older file lacks what is new since."""
    told = [file[key] for file in files if key in file]
    return all(value == told[0] for value in told)


def _file(study: Study) -> dict[str, Any]:
    """What the study file says; empty where it is lost or damaged."""
    try:
        found = YAML(typ="safe", pure=True).load(study.study_file)
    except YAMLError:
        return {}
    return found if isinstance(found, dict) else {}
