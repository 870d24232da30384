"""Linear heads trained by hand, as evaluate_empssl.py and func.py (softsys4ai/CF-AMC-SSL at ff36114) train them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from trainables.config import EvaluationConfig, ViewsConfig
from trainables.config.documented import meanings
from trainables.data import generator, make_views, pixels
from trainables.evaluation import train_head
from trainables.evaluation.heads import untrained

VIEWS, SEED = ViewsConfig(number=2), 3


def batches(count: int, epochs: int, size: int) -> Iterator[Tensor]:
    """Rows of each batch; the last of an epoch holds what is left."""
    random = generator(SEED, "head")
    for _ in range(epochs):
        yield from torch.randperm(count, generator=random).split(size)


def stepped(loss: Tensor, optimiser: torch.optim.Optimizer) -> None:
    optimiser.zero_grad()
    loss.backward()
    optimiser.step()


def attacked(classifier: nn.Module, images: Tensor, labels: Tensor, epsilon: float) -> Tensor:
    """Five steps of 1e-2 from the image, within the radius and [0, 1]."""
    moved = images
    for _ in range(5):
        moved = moved.detach().requires_grad_()
        (slope,) = torch.autograd.grad(F.cross_entropy(classifier(moved), labels), moved)
        moved = (moved.detach() + 1e-2 * slope.sign()).clamp(images - epsilon, images + epsilon).clamp(0, 1)
    return moved


@pytest.mark.parametrize(("name", "epsilon"), [("clean", 8 / 255), ("robust", 8 / 255), ("robust", 2 / 255)])
def test_adam_descends_clean_or_attacked_features(name: str, epsilon: float, encoder: Any, noise: Any) -> None:
    """Adam at 3e-4 on batches of 256, the encoder at rest; r-LE attacks encoder and head as they stand."""
    given = noise(300)
    by_hand = untrained(encoder, name, 3, VIEWS, seed=SEED).eval()
    optimiser = torch.optim.Adam(by_hand.head.parameters(), lr=3e-4)
    for rows in batches(300, epochs=2, size=256):
        images, labels = pixels(given.images[rows]), given.labels[rows]
        seen = attacked(by_hand, images, labels, epsilon) if name == "robust" else images
        stepped(F.cross_entropy(by_hand.head(encoder.features(seen).detach()), labels), optimiser)
    found = train_head(encoder, name, given, 3, EvaluationConfig(head_epochs=2, head_epsilon=epsilon), VIEWS, seed=SEED)
    torch.testing.assert_close(found.head.weight, by_hand.head.weight, rtol=0, atol=2e-6)
    torch.testing.assert_close(found.head.bias, by_hand.head.bias, rtol=0, atol=2e-6)


def test_sgd_descends_mean_features_under_a_cosine_by_epochs(encoder: Any, noise: Any) -> None:
    """SGD at 0.03 with momentum 0.9 and decay 5e-5 on batches of 100; each image's views are drawn once."""
    given, random = noise(130), generator(SEED, "head_views")
    by_hand = untrained(encoder.eval(), "n_crops_4", 3, VIEWS, seed=SEED)
    views = [make_views(part, ViewsConfig(number=4), random).unflatten(0, (4, -1)) for part in given.images.split(32)]
    features = encoder.features(torch.cat(views, dim=1).flatten(0, 1)).unflatten(0, (4, -1)).mean(0).detach()
    optimiser = torch.optim.SGD(by_hand.head.parameters(), lr=0.03, momentum=0.9, weight_decay=5e-5)
    for number, rows in enumerate(batches(130, epochs=3, size=100)):
        optimiser.param_groups[0]["lr"] = (0.03, 0.0225, 0.0075)[number // 2]  # (1 + cos(pi epoch / 3)) / 2
        stepped(F.cross_entropy(by_hand.head(features[rows]), given.labels[rows]), optimiser)
    found = train_head(encoder, "n_crops_4", given, 3, EvaluationConfig(crops_epochs=3), VIEWS, seed=SEED)
    torch.testing.assert_close(found.head.weight, by_hand.head.weight, rtol=0, atol=2e-6)


SETTINGS = {
    "clean": {"head_epochs", "head_batch_size", "head_learning_rate"},
    "robust": {"head_epochs", "head_batch_size", "head_learning_rate", "head_epsilon", "head_attack_steps"},
    "n_crops_2": {"crops_epochs"},
    "robust_n_crops_2": {"head_epochs", "head_epsilon", "head_attack_steps"},
    "slf": {"finetune_epochs"},
    "alf": {"finetune_epochs", "head_epsilon"},
}
WORDS = re.compile(r"\w+")
OTHER = EvaluationConfig(head_epochs=1, crops_epochs=1, finetune_epochs=1, attack_batch_size=8)


@pytest.mark.parametrize("name", SETTINGS)
def test_a_head_is_trained_by_the_settings_that_say_so(name: str, encoder: Any, noise: Any) -> None:
    """And by no other: what a setting is of is what its meaning names."""
    changes = {
        "head_epochs": 2,
        "head_batch_size": 5,
        "head_learning_rate": 0.1,
        "head_epsilon": 1 / 255,
        "head_attack_steps": 2,
        "crops_epochs": 2,
        "finetune_epochs": 2,
    }

    def weight(**changed: Any) -> Tensor:
        return train_head(encoder, name, noise(12), 3, replace(OTHER, **changed), VIEWS, seed=SEED).head.weight

    begun = weight()
    heeded = {setting for setting, value in changes.items() if not torch.equal(weight(**{setting: value}), begun)}
    assert heeded == SETTINGS[name]
    kind = re.sub(r"_\d+$", "", name)
    named = {setting for setting in changes if kind in WORDS.findall(meanings()[f"evaluation.{setting}"])}
    assert named == heeded
