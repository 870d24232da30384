"""Linear heads on ``pre_feature`` (arXiv 2501.03507, section 3.1 and Table 3; constants from evaluate_empssl.py).

The encoder is frozen and in evaluation mode, images are whole and not augmented.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from trainables import adversaries
from trainables.adversaries import Attack
from trainables.config import EvaluationConfig
from trainables.data import ImageSet, generator
from trainables.models import Encoder

STEP_SIZE = 1e-2
"""Of the attack on the robust head's training batches [C]."""


class Classifier(nn.Module):
    """A frozen encoder under a linear head; (b, 3, h, w) in [0, 1] -> logits (b, classes)."""

    def __init__(self, encoder: Encoder, classes: int, seed: int) -> None:
        super().__init__()
        self.encoder = encoder
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            head = nn.Linear(encoder.features_size, classes)
        self.head = head.to(next(encoder.parameters()).device)
        encoder.eval().requires_grad_(False)

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.head(self.encoder.features(images))
        return logits


def pixels(images: Tensor) -> Tensor:
    """uint8 -> float32 in [0, 1]."""
    return images.float() / 255


def train_head(
    encoder: Encoder, name: str, images: ImageSet, classes: int, config: EvaluationConfig, seed: int
) -> Classifier:
    """``clean``: Adam on features computed once. ``robust`` (r-LE): each batch replaced by PGD on encoder and head."""
    classifier = Classifier(encoder, classes, seed)
    if name == "clean":
        _train(classifier, _features(encoder, images, config), images.labels, config, seed, attacked=False)
    else:
        _train(classifier, images.images, images.labels, config, seed, attacked=True)
    return classifier.eval()


@torch.no_grad()
def _features(encoder: Encoder, images: ImageSet, config: EvaluationConfig) -> Tensor:
    return torch.cat([encoder.features(pixels(part)) for part in images.images.split(config.attack_batch_size)])


def _train(
    classifier: Classifier, inputs: Tensor, labels: Tensor, config: EvaluationConfig, seed: int, *, attacked: bool
) -> None:
    """Fit the head to ``inputs``: images (uint8), attacked batch by batch, or features as they are."""
    optimiser = torch.optim.Adam(classifier.head.parameters(), lr=config.head_learning_rate)
    attack = Attack(epsilon=config.head_epsilon, step_size=STEP_SIZE, steps=config.head_attack_steps)
    randomness = generator(seed, "head", device=inputs.device)
    for _ in range(config.head_epochs):
        order = torch.randperm(len(inputs), generator=randomness, device=inputs.device)
        for batch in order.split(config.head_batch_size):
            features = inputs[batch]
            if attacked:
                features = _adversarial_features(classifier, inputs[batch], labels[batch], attack)
            loss = F.cross_entropy(classifier.head(features), labels[batch])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()


def _adversarial_features(classifier: Classifier, images: Tensor, labels: Tensor, attack: Attack) -> Tensor:
    clean = pixels(images)
    delta = adversaries.pgd(lambda x: F.cross_entropy(classifier(x), labels), clean, attack)
    with torch.no_grad():
        return classifier.encoder.features(clean + delta)
