"""``clean`` and ``robust`` linear heads (arXiv 2501.03507, section 3.1 and Table 3; constants from evaluate_empssl.py).

Images are whole and not augmented.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from trainables import adversaries
from trainables.adversaries import Attack
from trainables.config import EvaluationConfig
from trainables.data import ImageSet, generator, in_order, pixels, stream
from trainables.evaluation.classifiers import Classifier
from trainables.evaluation.descent import descend
from trainables.precision import in_precision

STEP_SIZE = 1e-2
"""Of the attack on a robust head's training batches [C]."""


def train_clean(classifier: Classifier, images: ImageSet, config: EvaluationConfig, seed: int) -> None:
    """Adam on the features of clean images, computed once."""
    features, labels = _features(classifier, images, config.attack_batch_size), images.labels.to(classifier.device)
    descend(
        lambda rows: F.cross_entropy(classifier.head(features[rows]), labels[rows]),
        lambda parts: parts,
        len(images),
        torch.optim.Adam(classifier.head.parameters(), lr=config.head_learning_rate),
        epochs=config.head_epochs,
        batch_size=config.head_batch_size,
        random=generator(seed, "head", device=classifier.device),
    )


def train_robust(classifier: Classifier, images: ImageSet, config: EvaluationConfig, seed: int) -> None:
    """Adam on batches each replaced by PGD against encoder and head (r-LE)."""
    attack = Attack(epsilon=config.head_epsilon, step_size=STEP_SIZE, steps=config.head_attack_steps)

    attacked = in_precision(classifier, config.attack_precision)

    def loss(batch: ImageSet) -> Tensor:
        clean = pixels(batch.images)
        delta = adversaries.pgd(lambda moved: F.cross_entropy(attacked(moved), batch.labels), clean, attack)
        with torch.no_grad():
            features = classifier.represent(clean + delta)
        return F.cross_entropy(classifier.head(features), batch.labels)

    descend(
        loss,
        lambda parts: stream(images, parts, classifier.device),
        len(images),
        torch.optim.Adam(classifier.head.parameters(), lr=config.head_learning_rate),
        epochs=config.head_epochs,
        batch_size=config.head_batch_size,
        random=generator(seed, "head", device=classifier.device),
    )


@torch.no_grad()
def _features(classifier: Classifier, images: ImageSet, batch_size: int) -> Tensor:
    batches = in_order(images, batch_size, classifier.device)
    return torch.cat([classifier.represent(pixels(batch.images)) for batch in batches])
