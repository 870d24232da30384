"""Whether a study was measured as the published figures were, so that both may be ranked in one table."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping
from typing import Any

import pandas as pd

from analysis.papers.published import DataSet, PublishedPoint
from analysis.reading.runs import CONFIG, number_or_nan
from trainables.config import DataConfig, EvaluationConfig, TrialConfig, flatten

Protocol = tuple[Hashable, ...]
"""Figures of equal protocols may be ranked together."""
OURS: Protocol = ("this study",)
DATA_SETS: dict[str, DataSet] = {"cifar10": "CIFAR-10", "cifar100": "CIFAR-100"}
NETWORKS = {"resnet18": "ResNet-18", "resnet50": "ResNet-50"}
_HEADS = ("robust", "clean")
"""Of the paper's heads those that are attacked through the image; RobustSSL's read another layer than ours."""
_AS_PUBLISHED = flatten(
    TrialConfig(
        trainable="cf_amc_ssl", data=DataConfig(validation_fraction=0.0), evaluation=EvaluationConfig(split="test")
    )
)
NETWORK_SIZE = ("network.stem", "network.width", "network.depth", "network.pre_feature")
HEAD_TRAINING = (
    *("evaluation.head_images", "evaluation.head_epochs", "evaluation.head_batch_size"),
    *("evaluation.head_learning_rate", "evaluation.head_epsilon", "evaluation.head_attack_steps"),
)
_COMPARED = {
    "other training images": ("data.image_size", "data.train_images", "data.validation_fraction"),
    "another size of network": NETWORK_SIZE,
    "other images to evaluate on": ("evaluation.source", "evaluation.split", "evaluation.images"),
    "a head trained otherwise": HEAD_TRAINING,
    "another attack": ("evaluation.attack_steps", "evaluation.attack_step_size"),
}
"""What must be as the paper has it, or where that is silent as we assume, before figures compare."""


def of_point(point: PublishedPoint) -> Protocol:
    """What was measured how: rows of different tables of one paper agree where these do."""
    return (point.data, point.head_name, point.attack, point.network)


def of_trial(trial: Mapping[Any, Any]) -> Protocol:
    """A published point's, where a trial (a row of ``Study.trials``) was measured so; else ``OURS``."""
    return OURS if departures(trial) else (*_kind(trial)[:2], "PGD-20", _kind(trial)[2])


def departures(trial: Mapping[Any, Any]) -> tuple[str, ...]:
    """Wherein a trial was not trained or measured as published, in words; what is not known counts as such."""
    data, head, network = _kind(trial)
    kinds = {"another data set": data, "another head": head in _HEADS, "another network": network}
    others = tuple(words for words, agrees in kinds.items() if not agrees)
    changed = (words for words, paths in _COMPARED.items() if not all(_same(trial, path) for path in paths))
    return (*others, *changed)


def network(trial: Mapping[Any, Any]) -> str:
    """A trial's in words, as published ones are named where it is one: ``ResNet-18``, ``ResNet-18, width 8``."""
    name = str(trial.get(f"{CONFIG}network.architecture") or "")
    sizes = {key: number_or_nan(trial.get(f"{CONFIG}network.{key}")) for key in ("depth", "width")}
    changed = [f"{key} {size:g}" for key, size in sizes.items() if math.isfinite(size) and (key, size) != ("width", 64)]
    return ", ".join(part for part in (NETWORKS.get(name, name), *changed) if part)


def _kind(trial: Mapping[Any, Any]) -> tuple[DataSet | None, str, str | None]:
    """Data set, head and network, ``None`` where nothing is published."""
    data = DATA_SETS.get(str(trial.get(f"{CONFIG}data.source")))
    network = NETWORKS.get(str(trial.get(f"{CONFIG}network.architecture")))
    return data, str(trial.get(f"{CONFIG}evaluation.head")), network


def _same(trial: Mapping[Any, Any], path: str) -> bool:
    if CONFIG + path not in trial:
        return False
    found, expected = trial[CONFIG + path], _AS_PUBLISHED[path]
    missing = found is None or (pd.api.types.is_scalar(found) and pd.isna(found))
    return expected is None if missing else bool(found == expected)
