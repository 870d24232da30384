"""Evaluation protocols by name: from an encoder to a classifier of whole images."""

from __future__ import annotations

import re

import torch
from torch import nn

from trainables.config import EvaluationConfig, ViewsConfig
from trainables.data import ImageSet
from trainables.evaluation.classifiers import BackboneClassifier, Classifier, FinetunedClassifier, OwnClassifier
from trainables.evaluation.finetune import RECIPES, finetune
from trainables.evaluation.linear import train_clean, train_robust
from trainables.evaluation.n_crops import CropsClassifier, train_crops, train_robust_crops
from trainables.models import Encoder


def train_head(
    encoder: Encoder,
    name: str,
    images: ImageSet,
    classes: int,
    config: EvaluationConfig,
    views: ViewsConfig,
    seed: int,
) -> Classifier:
    """The classifier of the protocol called ``name``, trained on ``images``, frozen and in evaluation mode.

    ``views``: pre-training's, for ``n_crops`` heads. ``encoder`` gets frozen and is never trained. ``ConfigError``
    for ``own`` if it is no classifier.
    """
    classifier = untrained(encoder, name, classes, views, seed)
    if isinstance(classifier, CropsClassifier):
        (train_robust_crops if name.startswith("robust") else train_crops)(classifier, images, config, seed)
    elif name in RECIPES:
        finetune(classifier, name, images, config, seed)
    elif name != "own":
        (train_robust if name == "robust" else train_clean)(classifier, images, config, seed)
    return classifier.eval().requires_grad_(False)


def untrained(encoder: Encoder, name: str, classes: int, views: ViewsConfig, seed: int) -> Classifier:
    """What the protocol called ``name`` begins with, on the encoder's device."""
    if name == "own":
        return OwnClassifier(encoder)
    if name in RECIPES:
        return (FinetunedClassifier if name == "aff" else BackboneClassifier)(encoder, _zero_head(encoder, classes))
    head = _random_head(encoder, classes, seed)
    number = crops_of(name)
    return Classifier(encoder, head) if number is None else CropsClassifier(encoder, head, views, number, seed)


def crops_of(name: str) -> int | None:
    """How many crops the head called ``name`` averages; ``None`` if it reads whole images."""
    found = re.fullmatch(r"(?:robust_)?n_crops_(\d+)", name)
    return None if found is None else int(found[1])


def _random_head(encoder: Encoder, classes: int, seed: int) -> nn.Linear:
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)  # torch.manual_seed would reseed the GPUs too
        return nn.Linear(encoder.features_size, classes)


def _zero_head(encoder: Encoder, classes: int) -> nn.Linear:
    head: nn.Linear = nn.utils.skip_init(nn.Linear, encoder.backbone_size, classes)
    for parameter in head.parameters():
        nn.init.zeros_(parameter)
    return head
