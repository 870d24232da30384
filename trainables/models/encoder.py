"""Backbone, ``pre_feature`` and projector (softsys4ai/CF-AMC-SSL at ff36114, model/model.py)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from trainables.config import NetworkConfig
from trainables.models.resnet import backbone


class Encoder(nn.Module):
    """Images to ``features`` (what linear heads read) and on to L2-normalised embeddings (what the loss reads)."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.backbone, width = backbone(config)
        self.features_size = config.pre_feature
        self.pre_feature = _hidden(width, config.pre_feature)
        self.projector = nn.Sequential(
            *_hidden(config.pre_feature, config.projector_hidden),
            nn.Linear(config.projector_hidden, config.embedding),
        )

    def features(self, images: Tensor) -> Tensor:
        """(b, 3, h, w) in [0, 1] -> (b, pre_feature)."""
        features: Tensor = self.pre_feature(self.backbone(images))
        return features

    def forward(self, images: Tensor) -> Tensor:
        """(b, 3, h, w) in [0, 1] -> (b, embedding), rows of length 1."""
        return F.normalize(self.projector(self.features(images)), dim=1)


def _hidden(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(inputs, outputs), nn.BatchNorm1d(outputs), nn.ReLU())


def build(config: NetworkConfig, seed: int) -> Encoder:
    """A fresh encoder on the CPU whose weights depend on ``seed`` alone; the global random state stays untouched."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return Encoder(config)


@contextmanager
def frozen_statistics(model: nn.Module) -> Iterator[None]:
    """Within: BatchNorm normalises by its mode as ever but leaves its running statistics alone."""
    norms = [m for m in model.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm) and m.track_running_stats]
    if not model.training:
        yield
        return
    for norm in norms:
        norm.track_running_stats = False
    try:
        yield
    finally:
        for norm in norms:
            norm.track_running_stats = True
