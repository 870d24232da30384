"""The Optuna study behind a search: opened for one question only."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import optuna
from optuna.exceptions import ExperimentalWarning
from optuna.storages import RDBStorage
from sqlalchemy.exc import DatabaseError, OperationalError

from analysis.layout import finite
from analysis.searched.changes import PARTS
from search_spaces.space import SearchSpace
from study.config import StudyConfig
from study.samplers.by_name import make_sampler
from study.search.exclusions import HeedfulStudy
from trainables.checkpoint import FREE_TO_CHANGE
from trainables.config import TrialConfig, UserError, flatten
from trainables.metrics import direction

SPACE = "space"
"""The study attribute that holds the space as JSON."""


class SearchError(UserError):
    """A search that cannot be opened as its study file asks."""


def open_study(config: StudyConfig, space: SearchSpace, storage: RDBStorage) -> HeedfulStudy:
    """The study named ``config.name``, created if ``storage`` lacks it.

    Raises ``SearchError`` if it was launched with other objectives, another space, other settings or another sampler:
    Optuna itself would let an unrelated search join, and the manifest would go on naming what the study began with.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    directions = [direction(name) for name in config.objectives]
    if config.name not in optuna.get_all_study_names(storage):
        optuna.create_study(storage=storage, study_name=config.name, directions=directions)
    study = HeedfulStudy(config.name, storage)
    _compare(study, _question(config, space) | {"directions": directions}, grows=config.measures is not None)
    trials = len(study.get_trials(deepcopy=False))
    study.sampler = make_sampler(config.sampler.name, config.seed, trials, space, config.sampler.numbers)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        study.set_metric_names(list(config.objectives))
    return study


def open_storage(database: Path) -> RDBStorage:
    """Optuna's storage in the file ``database``; ``SearchError`` where that is something else."""
    try:
        return RDBStorage(f"sqlite:///{database}")
    except OperationalError:  # locked, or its disk is full or away: the database may be whole
        raise
    except DatabaseError as error:
        raise SearchError(f"{database} cannot be read ({error.orig}); put back what the study wrote there") from error


def release(storage: RDBStorage) -> None:
    """Close the database's connections."""
    storage.remove_session()
    storage.engine.dispose()


def _question(config: StudyConfig, space: SearchSpace) -> dict[str, Any]:
    return {
        "objectives": list(config.objectives),
        SPACE: space.to_json(),
        **config.strategy,
        "settings": _settings(config, space),
    }


def _settings(config: StudyConfig, space: SearchSpace) -> list[dict[str, Any]] | dict[str, dict[str, Any]]:
    """Of each trainable, or of networks that are measured by their numbers: more of them may follow."""
    settings = [_fixed(part.base) for part in space.parts]
    if config.measures is None:
        return settings
    return dict(zip(map(str, config.measures.trials), settings, strict=True))


def _fixed(config: TrialConfig) -> dict[str, Any]:
    return {path: value for path, value in flatten(config).items() if path not in FREE_TO_CHANGE}


def _compare(study: optuna.Study, question: dict[str, Any], *, grows: bool) -> None:
    """Write down what is asked, or compare it with what was; where it ``grows``, there may be more of it."""
    for name, value in question.items():
        plain = json.loads(json.dumps(finite(value)))
        known = study.user_attrs.setdefault(name, plain)
        if known != plain and not (grows and _holds(plain, known)):
            extending = f"put it back and change it with `study extend {study.study_name} --set`, or "
            raise SearchError(
                f"study {study.study_name} was launched with other {name}; {extending if name in PARTS else ''}"
                "give the changed study another name"
            )
        study.set_user_attr(name, plain)


def _holds(larger: Any, known: Any) -> bool:
    """Whether all that is ``known`` stands in ``larger`` too."""
    if isinstance(larger, dict) and isinstance(known, dict):
        return all(key in larger and _holds(larger[key], value) for key, value in known.items())
    return bool(larger == known)
