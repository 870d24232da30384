"""What a study has written itself, where a command cannot do without."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from analysis.layout import TrialPaths, parse_object
from trainables.config import TrialConfig, UserError, from_dict


def written(path: Path) -> dict[str, Any]:
    """The object in ``path``; ``UserError`` where there is none, caused by an ``OSError`` where it cannot be read."""
    try:
        found = parse_object(path.read_bytes())
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}); put back what the study wrote there") from error
    if not found:
        raise UserError(f"{path} is damaged; put back what the study wrote there")
    return found


def config_of(trial: TrialPaths) -> TrialConfig:
    """What the trial was to run; ``UserError`` where its file does not say."""
    found = written(trial.config).get("config")
    if not isinstance(found, dict) or not found:
        raise UserError(f"{trial.config} holds no configuration; put back what the study wrote there")
    return from_dict(found)
