"""What configuration a name means: a trainable's, a trial's, or that of a row of the papers' tables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from analysis.labels import parse_trial
from analysis.layout import read_json
from analysis.reading.written import config_of, find_trial
from study.packages import check_installed
from trainables import catalogue, checkpoint
from trainables.config import ConfigError, TrialConfig, UserError, override
from trainables.recipes import RECIPES


def named(name: str, changes: Mapping[str, Any]) -> TrialConfig:
    """Of the trainable, the trial ``STUDY/NUMBER`` or the row ``TABLE/ROW`` of that name, with ``changes`` by path.

    Raises ``UserError``; also for changes to a trial that would make another of it.
    """
    if "/" not in name:
        return configure(name, changes)
    if parse_trial(name):
        return _of_trial(name, changes)
    if name not in RECIPES:
        raise UserError(
            f"there is no {name!r}; name a trainable, a trial as STUDY/NUMBER, or a row of the papers as TABLE/ROW, "
            "table1/cf_amc_ssl say: `study reproduce --list` names them all"
        )
    if "trainable" in changes:
        raise ConfigError("trainable cannot be set; it is the row's")
    return override(RECIPES[name].config(faithful_to=changes.get("faithful_to", "paper")), changes)


def configure(trainable: str, changes: Mapping[str, Any]) -> TrialConfig:
    """The trainable's defaults, the paper's or those of ``faithful_to``, with ``changes`` by dotted path."""
    if "trainable" in changes:
        raise ConfigError("trainable cannot be set; name it as the command's argument")
    return catalogue.configure(trainable, changes, changes.get("faithful_to", "paper"))


def _of_trial(name: str, changes: Mapping[str, Any]) -> TrialConfig:
    study, paths = find_trial(name)
    check_installed(study)
    for path in changes:
        if path not in checkpoint.FREE_TO_CHANGE:
            raise UserError(
                f"{path} cannot be set, {name} being what it is; set {', '.join(checkpoint.FREE_TO_CHANGE)}, "
                "or name a trainable in its place"
            )
    if not read_json(paths.config).get("config"):
        raise UserError(f"{name} was no valid draw and has no configuration; name another trial")
    return override(config_of(paths), changes)
