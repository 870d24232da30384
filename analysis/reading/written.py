"""What a study has written itself, where a command cannot do without."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from analysis import labels
from analysis.layout import StudyPaths, TrialPaths, exclusion_of, parse_object, read_json, study_paths
from analysis.reading.download import StudyNotFoundError
from trainables.config import TrialConfig, UserError, from_dict
from trainables.metrics import Pretrained

PRETRAINED = "pretrained"
"""Key of a trial's ``config.json``: the network that it measures and does not train."""
ALSO_JUDGED = "also_judged"
"""Key of the same: heads beside the trial's own whose figures are objectives, so that its verdict is of them, too."""


def written(path: Path) -> dict[str, Any]:
    """The object in ``path``; ``UserError`` where there is none, caused by an ``OSError`` where it cannot be read."""
    try:
        found = parse_object(path.read_bytes())
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}); put back what the study wrote there") from error
    if not found:
        raise UserError(f"{path} is damaged; put back what the study wrote there")
    return found


def find_trial(trial: str) -> tuple[StudyPaths, TrialPaths]:
    """The folders of ``STUDY/NUMBER``; ``UserError`` where that names no trial that was begun."""
    if (named := labels.parse_trial(trial)) is None:
        raise UserError(f"{trial!r} is no trial; name it STUDY/NUMBER, demo/3 say")
    study, number = named
    paths = study_paths(study)
    if not paths.root.is_dir():
        raise StudyNotFoundError.beside(paths)
    if not paths.trial(number).config.exists():
        raise UserError(f"there is no trial {trial} in {paths.root.parent}; `study status {study}` lists them")
    return paths, paths.trial(number)


def check_counts(paths: StudyPaths, trial: TrialPaths) -> None:
    """``UserError`` for a trial that somebody excluded."""
    if reason := exclusion_of(trial):
        raise UserError(labels.excluded(f"{paths.name}/{trial.number}", reason))


def config_of(trial: TrialPaths) -> TrialConfig:
    """What the trial was to run; ``UserError`` where its file does not say."""
    found = written(trial.config).get("config")
    if not isinstance(found, dict) or not found:
        raise UserError(f"{trial.config} holds no configuration; put back what the study wrote there")
    return from_dict(found)


def also_judged(trial: TrialPaths) -> tuple[str, ...]:
    """Heads of which the trial's verdict is, beside its own."""
    return tuple(read_json(trial.config).get(ALSO_JUDGED, ()))


def searched_of(trial: TrialPaths) -> dict[str, Any]:
    """What the trial has of the dimensions that its study searched, by their names, and its ``trainable``."""
    told = written(trial.config)
    trainable = str(told.get("trainable"))
    own = {str(name).removeprefix(f"{trainable}."): value for name, value in (told.get("params") or {}).items()}
    return own | {"trainable": trainable}


def pretrained_of(trial: TrialPaths) -> Pretrained | None:
    """The network that the trial measures; ``None`` where it trains its own, or has no configuration yet."""
    found = read_json(trial.config).get(PRETRAINED)
    return None if found is None else Pretrained(**found)
