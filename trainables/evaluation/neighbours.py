"""Nearest neighbours on ``pre_feature``: a probe cheap enough for every epoch, of accuracy clean and under attack."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from trainables import adversaries
from trainables.adversaries import Attack
from trainables.data import ImageSet, draw, pixels
from trainables.models import Encoder

BANK, QUERIES = 1000, 500
"""Training images that vote, and images that are classified, clean and attacked."""
TEMPERATURE = 0.07
"""Of the votes, as in arXiv 1805.01978, section 3.4: a neighbour weighs exp(cosine similarity / temperature)."""
STEPS = 5
"""Of PGD, from the image itself; together they go 2.5 times the radius."""
_AT_ONCE = 500


class ProbeAccuracies(NamedTuple):
    """Shares of the queries in [0, 1]."""

    clean: float
    pgd: float
    """Right before the attack and after."""


class Probe:
    """Classifies some evaluation images by the votes of training images, weighted by similarity of features.

    ``epsilon``: radius of its attack, in pixel units of [0, 1].
    """

    def __init__(
        self, bank: ImageSet, queries: ImageSet, classes: int, device: torch.device, *, epsilon: float
    ) -> None:
        self._bank, self._queries = draw(bank, BANK).to(device), draw(queries, QUERIES).to(device)
        self._classes = classes
        self._attack = Attack(epsilon=epsilon, step_size=2.5 * epsilon / STEPS, steps=STEPS)

    def accuracies(self, encoder: Encoder) -> ProbeAccuracies:
        """How ``encoder`` does now; its mode is left as it was."""
        with _evaluating(encoder):
            with torch.no_grad():
                known = _unit_features(encoder, self._bank.images)
                clean = self._right(_unit_features(encoder, self._queries.images) @ known.T, self._queries.labels)
            return ProbeAccuracies(float(clean.float().mean()), float(self._survives(encoder, known).float().mean()))

    def _survives(self, encoder: Encoder, known: Tensor) -> Tensor:
        images, labels = pixels(self._queries.images), self._queries.labels

        def similarities(perturbed: Tensor) -> Tensor:
            return F.normalize(encoder.features(perturbed), dim=1) @ known.T

        delta = adversaries.pgd(
            lambda perturbed: F.cross_entropy(self._votes(similarities(perturbed)), labels), images, self._attack
        )
        with torch.no_grad():
            before, after = (self._right(similarities(seen), labels) for seen in (images, images + delta))
        return before & after

    def _right(self, similarities: Tensor, labels: Tensor) -> Tensor:
        return self._votes(similarities).argmax(dim=1) == labels

    def _votes(self, similarities: Tensor) -> Tensor:
        """Logarithm of each class's weight; (queries, bank) -> (queries, classes)."""
        of_class = F.one_hot(self._bank.labels, self._classes).to(similarities)
        weights = (similarities / TEMPERATURE).exp() @ of_class  # cosines: nothing overflows
        return weights.clamp_min(torch.finfo(weights.dtype).tiny).log()


@contextmanager
def _evaluating(encoder: Encoder) -> Iterator[None]:
    training = encoder.training
    encoder.eval()
    try:
        yield
    finally:
        encoder.train(training)


def _unit_features(encoder: Encoder, images: Tensor) -> Tensor:
    return F.normalize(torch.cat([encoder.features(pixels(part)) for part in images.split(_AT_ONCE)]), dim=1)
