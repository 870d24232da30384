"""Heads and attacks on networks so small that the right answer is known."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from trainables.config import EvaluationConfig, NetworkConfig
from trainables.data import ImageSet
from trainables.evaluation import measure, train_head
from trainables.evaluation.heads import pixels
from trainables.models import build
from trainables.pairing import SECOND_VIEW

NETWORK = NetworkConfig(width=4, depth=10, pre_feature=16, projector_hidden=16, embedding=8)


class Threshold(nn.Module):
    """Class 1 where an image's mean exceeds one half: an attack of radius r turns exactly the images within r of it."""

    def forward(self, images: Tensor) -> Tensor:
        margin = images.mean(dim=(1, 2, 3)) - 0.5
        return torch.stack([-margin, margin], dim=1)


def grey(levels: list[int], labels: list[int]) -> ImageSet:
    images = torch.tensor(levels, dtype=torch.uint8)[:, None, None, None].expand(-1, 3, 4, 4).contiguous()
    return ImageSet(images, torch.tensor(labels))


def noise(count: int) -> ImageSet:
    random = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (count, 3, 8, 8), generator=random, dtype=torch.uint8)
    return ImageSet(images, torch.arange(count) % 3)


def test_accuracies_under_attack_are_exact():
    images = grey([140, 133, 129, 120, 200], [1, 1, 1, 0, 0])
    config = EvaluationConfig(attack_epsilons=(4 / 255, 8 / 255, 16 / 255), attack_batch_size=2)
    result = measure(Threshold(), "robust", images, config, seed=0)
    assert (result.clean.correct, result.clean.images) == (4, 5)
    # Distances to the boundary at 127.5: 12.5, 5.5, 1.5 and 7.5; the last image is wrong from the start.
    for attack, expected in zip(result.attacks, (3, 1, 0), strict=True):
        assert attack.zero_start.correct == attack.random_start.correct == attack.worst.correct == expected


class StartsMatter(nn.Module):
    """Turns an image only if it was moved off its exact pixels before the first step: zero starts see no slope."""

    def forward(self, images: Tensor) -> Tensor:
        moved = (images * 255 - (images * 255).round().detach()).flatten(1).square().sum(1)
        return torch.stack([0.5 - 1e3 * moved, torch.full_like(moved, 0.0)], dim=1)


def test_worst_is_the_image_by_image_worst():
    result = measure(StartsMatter(), "robust", grey([100, 150, 50], [0, 0, 0]), EvaluationConfig(), seed=0)
    attack = result.attack(8 / 255)
    assert attack.zero_start.correct == 3
    assert attack.random_start.correct == 0
    assert attack.worst.correct == 0


def test_a_network_that_is_no_number_classifies_nothing():
    class Broken(nn.Module):
        def forward(self, images: Tensor) -> Tensor:
            return images.sum(dim=(1, 2, 3))[:, None] * torch.tensor([[float("nan"), 1.0]])

    result = measure(Broken(), "clean", grey([10, 20], [0, 0]), EvaluationConfig(attack_steps=1), seed=0)
    assert result.clean.correct == 0
    assert all(attack.worst.correct == 0 for attack in result.attacks)


@pytest.mark.parametrize("name", ["clean", "robust"])
def test_encoder_is_frozen_and_in_evaluation_mode(name):
    encoder = build(NETWORK, seed=0)
    before = {key: value.clone() for key, value in encoder.state_dict().items()}
    modes = []
    encoder.pre_feature.register_forward_hook(lambda *_: modes.append(encoder.training))
    classifier = train_head(encoder.train(), name, noise(30), 3, EvaluationConfig(head_epochs=2), seed=0)
    measure(classifier, name, noise(9), EvaluationConfig(attack_steps=2), seed=0)
    assert modes
    assert not any(modes)
    assert all(torch.equal(before[key], value) for key, value in encoder.state_dict().items())


def test_heads_differ_in_what_they_train_on():
    config = EvaluationConfig(head_epochs=3, head_epsilon=32 / 255, head_learning_rate=0.05)
    clean, robust, again = (
        train_head(build(NETWORK, seed=0), name, noise(30), 3, config, seed=0).head.weight
        for name in ("clean", "robust", "robust")
    )
    assert torch.equal(robust, again)
    assert not torch.allclose(clean, robust)


def test_clean_head_reads_the_features_of_whole_images():
    encoder = build(NETWORK, seed=0)
    images = noise(12)
    config = EvaluationConfig(head_epochs=300, head_learning_rate=0.05)
    classifier = train_head(encoder, "clean", images, 3, config, seed=0)
    with torch.no_grad():
        assert (classifier(pixels(images.images)).argmax(1) == images.labels).float().mean() > 0.9


def test_released_simclr_pairs_what_the_code_pairs():
    """The attack sees (x2, x2 + d), training (x1, x2 + d): main_simclr_adv.py at ff36114."""
    views = torch.tensor([1.0, 2.0]).view(2, 1, 1)
    adversarial = SECOND_VIEW.perturbed(views) + 10
    assert adversarial.flatten().tolist() == [12.0]
    assert SECOND_VIEW.attack(views, adversarial).flatten().tolist() == [2.0, 12.0]
    assert SECOND_VIEW.train(views, adversarial).flatten().tolist() == [1.0, 12.0]
