"""Nearest neighbours on ``pre_feature``: a probe cheap enough for every epoch."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from trainables.data import ImageSet, draw, pixels
from trainables.models import Encoder

BANK, QUERIES, NEIGHBOURS = 1000, 500, 10
"""Training images that vote, images that are classified, and how many votes each gets."""


class Probe:
    """Classifies some evaluation images by the labels of their nearest training images, in cosine similarity."""

    def __init__(self, bank: ImageSet, queries: ImageSet, classes: int, device: torch.device) -> None:
        self._bank, self._queries = draw(bank, BANK).to(device), draw(queries, QUERIES).to(device)
        self._classes = classes

    @torch.no_grad()
    def accuracy(self, encoder: Encoder) -> float:
        """Share of queries whose neighbours vote for the right class; the encoder's mode is left as it was."""
        training = encoder.training
        encoder.eval()
        known, asked = _unit_features(encoder, self._bank.images), _unit_features(encoder, self._queries.images)
        encoder.train(training)
        votes = self._bank.labels[(asked @ known.T).topk(min(NEIGHBOURS, len(known))).indices]
        tally = F.one_hot(votes, self._classes).sum(dim=1)
        return float((tally.argmax(dim=1) == self._queries.labels).float().mean())


def _unit_features(encoder: Encoder, images: Tensor) -> Tensor:
    return F.normalize(torch.cat([encoder.features(pixels(part)) for part in images.split(500)]), dim=1)
