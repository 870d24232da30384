"""Recipes at other sizes. ``tiny`` runs any row on the digits in seconds on a CPU, and keeps what tells rows apart."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Literal

from trainables.config import EvaluationConfig, TrialConfig, override

Scale = Literal["full", "tiny"]
EPSILON = 16 / 255
"""Digits are strokes of full contrast: 8/255 hardly moves them."""


def tiny(config: TrialConfig) -> TrialConfig:
    """``config`` on some 600 digits of 8 x 8 pixels with a narrow network and few epochs.

    Objective, adversary, kind of views, replays, steps, heads, coreset and family of networks stay. Views, crops a head
    and epochs shrink, but more remain more. Radii double, and AutoAttack sees a handful of images.
    """
    return override(
        config,
        {
            "data.source": "digits",
            "data.image_size": 8,
            "data.train_images": 600 if _basic(config) else 300,
            "views.number": _root(config.views.number),
            **_network(config),
            **_training(config),
            **_coreset(config),
            **_evaluation(config.evaluation),
        },
    )


def full(config: TrialConfig) -> TrialConfig:
    """``config`` as its source has it."""
    return config


SCALES: Mapping[Scale, Callable[[TrialConfig], TrialConfig]] = MappingProxyType({"full": full, "tiny": tiny})


def _root(number: int) -> int:
    """4 -> 2, 8 -> 3, 16 -> 4, 40 -> 6, 64 -> 8; 1 and 2 stay."""
    return number if number <= 2 else round(math.sqrt(number))


def _few(epochs: int) -> int:
    """10 -> 2, 30 -> 2, 167 -> 4, 500 -> 4, 1000 -> 5."""
    return max(1, round(math.log2(epochs) / 2))


def _basic(config: TrialConfig) -> bool:
    return config.network.architecture in ("resnet18", "resnet34")


def _network(config: TrialConfig) -> dict[str, Any]:
    return {
        "network.width": 8,
        "network.depth": 10 if _basic(config) else None,
        "network.pre_feature": None if config.network.pre_feature is None else 128,
        "network.projector_hidden": 128,
        "network.embedding": 64,
    }


def _training(config: TrialConfig) -> dict[str, Any]:
    """PGD's step is a quarter of the radius, as in ACL; the free adversary's stays what the source says."""
    settings: dict[str, Any] = {
        "optimiser.epochs": _few(config.optimiser.epochs),
        "optimiser.warmup_epochs": min(config.optimiser.warmup_epochs, 1),
        "optimiser.batch_size": _batch_size(config),
        "adversary.epsilon": EPSILON,
    }
    if config.adversary.name == "pgd":
        settings["adversary.step_size"] = EPSILON / 4
    if config.objective.name == "nt_xent":
        settings["objective.temperature"] = 0.2
    if config.views.strength_period is not None:
        settings["views.strength_period"] = 2
    return settings


def _batch_size(config: TrialConfig) -> int:
    """Small for ACL, whose coresets are whole minibatches; large for deep networks, which pay by the step on a CPU."""
    if config.objective.name == "acl":
        return 25
    return 50 if _basic(config) else 100


def _coreset(config: TrialConfig) -> dict[str, Any]:
    if config.coreset.name == "none":
        return {}
    return {"coreset.warmup_epochs": 2, "coreset.interval": 2}


def _evaluation(evaluation: EvaluationConfig) -> dict[str, Any]:
    """Finetuning takes one step an epoch: its batches hold 512 images."""
    finetuned = {"slf", "alf", "aff"} & set(evaluation.heads)
    return {
        "evaluation.heads": [_head(name) for name in evaluation.heads],
        "evaluation.head": _head(evaluation.head),
        "evaluation.head_images": 100 if finetuned else 400,
        "evaluation.head_epochs": 5,
        "evaluation.head_learning_rate": 0.01,
        "evaluation.head_epsilon": EPSILON,
        "evaluation.crops_epochs": 20,
        "evaluation.finetune_epochs": 40,
        "evaluation.images": 100,
        "evaluation.attack_epsilons": [8 / 255, EPSILON],
        "evaluation.epsilon": EPSILON,
        "evaluation.attack_steps": 5,
        "evaluation.attack_step_size": EPSILON / 2,
        "evaluation.auto_attack_images": 2,
        "evaluation.check_images": 0,
    }


def _head(name: str) -> str:
    """``n_crops_32`` -> ``n_crops_6``: a head's crops shrink as views do."""
    return re.sub(r"\d+$", lambda number: str(_root(int(number.group()))), name)
