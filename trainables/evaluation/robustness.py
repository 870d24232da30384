"""Clean and PGD accuracy of a classifier, per-image worst case included (arXiv 2501.03507, section 3.1)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from trainables import adversaries
from trainables.adversaries import Attack
from trainables.config import EvaluationConfig
from trainables.data import ImageSet, generator
from trainables.evaluation.heads import pixels
from trainables.metrics import Accuracy, AttackResult, HeadResult


def measure(classifier: nn.Module, name: str, images: ImageSet, config: EvaluationConfig, seed: int) -> HeadResult:
    """The head's figures on ``images``: clean, and PGD at every radius from zero and from a random start."""
    clean = torch.cat([_correct(classifier, x, y) for x, y in _batches(images, config)])
    attacks = tuple(
        _measure_attack(classifier, images, clean, epsilon, config, seed) for epsilon in config.attack_epsilons
    )
    return HeadResult(name=name, clean=_accuracy(clean), attacks=attacks)


def _measure_attack(
    classifier: nn.Module, images: ImageSet, clean: Tensor, epsilon: float, config: EvaluationConfig, seed: int
) -> AttackResult:
    survived = {
        random_start: _survivors(classifier, images, epsilon, config, seed, random_start=random_start)
        for random_start in (False, True)
    }
    return AttackResult(
        epsilon=epsilon,
        steps=config.attack_steps,
        zero_start=_accuracy(survived[False]),
        random_start=_accuracy(survived[True]),
        worst=_accuracy(clean & survived[False] & survived[True]),
    )


def _survivors(
    classifier: nn.Module, images: ImageSet, epsilon: float, config: EvaluationConfig, seed: int, *, random_start: bool
) -> Tensor:
    """Which images are still classified right after the attack; bool (n,)."""
    attack = Attack(
        epsilon=epsilon, step_size=config.attack_step_size, steps=config.attack_steps, random_start=random_start
    )
    randomness = generator(seed, "attack", f"{epsilon:.6f}", device=images.images.device)
    verdicts = []
    for clean, labels in _batches(images, config):
        delta = adversaries.pgd(_cross_entropy(classifier, labels), clean, attack, randomness)
        verdicts.append(_correct(classifier, clean + delta, labels))
    return torch.cat(verdicts)


def _cross_entropy(classifier: nn.Module, labels: Tensor) -> adversaries.LossOfImages:
    return lambda images: F.cross_entropy(classifier(images), labels)


def _batches(images: ImageSet, config: EvaluationConfig) -> list[tuple[Tensor, Tensor]]:
    size = config.attack_batch_size
    parts = zip(images.images.split(size), images.labels.split(size), strict=True)
    return [(pixels(part), labels) for part, labels in parts]


@torch.no_grad()
def _correct(classifier: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
    """Logits that are no numbers classify nothing: argmax would call them class 0."""
    logits = classifier(images)
    verdict: Tensor = (logits.argmax(dim=1) == labels) & logits.isfinite().all(dim=1)
    return verdict


def _accuracy(correct: Tensor) -> Accuracy:
    return Accuracy(correct=int(correct.sum()), images=len(correct))
