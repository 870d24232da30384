"""Attacks on classifiers so small that the right answer is known, and linear heads on whole images."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from trainables.config import EvaluationConfig, ViewsConfig
from trainables.data import ImageSet, pixels
from trainables.evaluation import measure, train_head
from trainables.evaluation.heads import untrained
from trainables.evaluation.robustness import margin_loss
from trainables.pairing import SECOND_VIEW

ALL = ("pgd", "fgsm", "margin_pgd")


class Threshold(nn.Module):
    """Class 1 where an image's mean exceeds one half: an attack of radius r turns exactly the images within r of it."""

    def __init__(self, steepness: float = 1.0) -> None:
        super().__init__()
        self.steepness = steepness

    def forward(self, images: Tensor) -> Tensor:
        margin = self.steepness * (images.mean(dim=(1, 2, 3)) - 0.5)
        return torch.stack([-margin, margin], dim=1)


def grey(levels: list[int], labels: list[int]) -> ImageSet:
    images = torch.tensor(levels, dtype=torch.uint8)[:, None, None, None].expand(-1, 3, 4, 4).contiguous()
    return ImageSet(images, torch.tensor(labels))


def linear_head(encoder, name, images, config):
    return train_head(encoder, name, images, 3, config, ViewsConfig(), seed=0)


def test_accuracies_under_attack_are_exact():
    images = grey([140, 133, 129, 120, 200], [1, 1, 1, 0, 0])
    config = EvaluationConfig(attacks=ALL, attack_restarts=2, attack_batch_size=2)
    measured = measure(Threshold(), "robust", images, config, seed=0)
    assert (measured.result.clean.correct, measured.result.clean.images) == (4, 5)
    # Distances to the boundary at 127.5: 12.5, 5.5, 1.5 and 7.5; the last image is wrong from the start.
    expected = [[1, 1, 0, 1, 0], [1, 0, 0, 0, 0], [0, 0, 0, 0, 0]]
    for attack, (epsilon, left), survivors in zip(
        measured.result.attacks, measured.survivors.items(), expected, strict=True
    ):
        assert attack.epsilon == epsilon
        assert left.int().tolist() == survivors
        assert attack.zero_start == attack.random_start == attack.fgsm == attack.margin == attack.worst
        assert attack.worst.correct == sum(survivors)


def test_attacks_that_were_not_asked_for_do_not_run():
    attack = measure(Threshold(), "robust", grey([140], [1]), EvaluationConfig(), seed=0).result.attack(8 / 255)
    assert attack.fgsm is None
    assert attack.margin is None


class StartsMatter(nn.Module):
    """Turns an image only if it was moved off its exact pixels before the first step: zero starts see no slope."""

    def forward(self, images: Tensor) -> Tensor:
        moved = (images * 255 - (images * 255).round().detach()).flatten(1).square().sum(1)
        return torch.stack([0.5 - 1e3 * moved, torch.full_like(moved, 0.0)], dim=1)


def test_worst_is_the_image_by_image_worst():
    measured = measure(StartsMatter(), "robust", grey([100, 150, 50], [0, 0, 0]), EvaluationConfig(), seed=0)
    attack = measured.result.attack(8 / 255)
    assert attack.zero_start.correct == 3
    assert attack.random_start.correct == 0
    assert attack.worst.correct == 0


class Shy(nn.Module):
    """Wrong on an image's exact pixels, right wherever an attack, led by a false slope, ends."""

    def forward(self, images: Tensor) -> Tensor:
        moved = (images * 255 - (images * 255).round()).flatten(1).abs().amax(1) > 1e-3
        slope = images.sum(dim=(1, 2, 3))
        return torch.stack([moved.float() - 0.5 + slope - slope.detach(), 0 * slope], dim=1)


def test_an_image_that_is_wrong_unattacked_survives_nothing():
    radius = 7.5 / 255  # no whole pixel, lest an image be moved onto exact pixels again
    config = EvaluationConfig(attack_epsilons=(radius,), epsilon=radius)
    measured = measure(Shy(), "robust", grey([100, 150], [0, 0]), config, seed=0)
    attack = measured.result.attack(radius)
    assert attack.zero_start.correct == attack.random_start.correct == 2
    assert measured.result.clean.correct == attack.worst.correct == 0
    assert not measured.survivors[radius].any()


class Lottery(nn.Module):
    """No slope anywhere; one start in four turns an image."""

    def forward(self, images: Tensor) -> Tensor:
        lucky = images[:, 0, 0, 0] - 0.5 > 4 / 255
        return torch.stack([lucky.logical_not(), lucky], dim=1).float() + 0 * images.sum()


def test_more_restarts_only_break_more():
    images = ImageSet(torch.full((400, 3, 2, 2), 127, dtype=torch.uint8), torch.zeros(400, dtype=torch.int64))
    left = {
        restarts: measure(Lottery(), "robust", images, EvaluationConfig(attack_restarts=restarts), 0).survivors[8 / 255]
        for restarts in (1, 2, 8)
    }
    counts = [int(found.sum()) for found in left.values()]
    assert counts[0] > counts[1] > counts[2]
    assert not (left[8] & ~left[1]).any()
    # Image values start at 127/255, so a start turns an image with probability (8 - 4.5) / 16.
    for restarts, found in left.items():
        assert found.float().mean() == pytest.approx((1 - 3.5 / 16) ** restarts, abs=0.07)


def test_heads_and_random_starts_follow_the_seed(encoder):
    images = ImageSet(torch.full((100, 3, 2, 2), 127, dtype=torch.uint8), torch.zeros(100, dtype=torch.int64))
    for of_seed in (
        lambda seed: untrained(encoder, "clean", 3, ViewsConfig(), seed).head.weight,
        lambda seed: measure(Lottery(), "robust", images, EvaluationConfig(), seed).survivors[8 / 255],
    ):
        first, again, other = map(of_seed, (0, 0, 1))
        assert torch.equal(first, again)
        assert not torch.equal(first, other)


def test_margin_breaks_what_a_saturated_cross_entropy_protects():
    """Logits so far apart that the softmax is exactly 0 or 1 leave the cross-entropy without a slope."""
    images = grey([133, 122], [1, 0])
    config = EvaluationConfig(attacks=ALL)
    attack = measure(Threshold(1e4), "robust", images, config, seed=0).result.attack(8 / 255)
    assert attack.zero_start.correct == attack.random_start.correct == attack.fgsm.correct == 2
    assert attack.margin.correct == attack.worst.correct == 0


def test_margin_is_the_lead_of_the_best_wrong_logit():
    logits = torch.tensor([[3.0, 1.0, 2.0], [0.0, -1.0, 4.0]], requires_grad=True)
    loss = margin_loss(logits, torch.tensor([0, 1]))
    assert loss.item() == pytest.approx(((2 - 3) + (4 + 1)) / 2)
    assert torch.autograd.grad(loss, logits)[0].tolist() == [[-0.5, 0.0, 0.5], [0.0, -0.5, 0.5]]


def test_worst_is_below_every_attack(encoder, noise):
    config = EvaluationConfig(
        attacks=ALL, attack_steps=3, attack_epsilons=(1 / 255, 8 / 255), head_epochs=100, head_learning_rate=0.05
    )
    measured = measure(linear_head(encoder, "clean", noise(60), config), "clean", noise(60), config, seed=0)
    assert measured.result.clean.correct > 30
    for attack in measured.result.attacks:
        each = (attack.zero_start, attack.random_start, attack.fgsm, attack.margin, measured.result.clean)
        assert attack.worst.correct <= min(found.correct for found in each)
        assert attack.worst.correct == int(measured.survivors[attack.epsilon].sum())


def test_a_network_that_is_no_number_classifies_nothing():
    class Broken(nn.Module):
        def forward(self, images: Tensor) -> Tensor:
            return images.sum(dim=(1, 2, 3))[:, None] * torch.tensor([[float("nan"), 1.0]])

    config = EvaluationConfig(attacks=ALL, attack_steps=1)
    result = measure(Broken(), "clean", grey([10, 20], [0, 0]), config, seed=0).result
    assert result.clean.correct == 0
    assert all(attack.worst.correct == 0 for attack in result.attacks)


@pytest.mark.parametrize("name", ["clean", "robust", "n_crops_2", "robust_n_crops_2", "slf", "alf"])
def test_encoder_is_frozen_and_in_evaluation_mode(name, encoder, noise):
    before = {key: value.clone() for key, value in encoder.state_dict().items()}
    modes = []
    encoder.backbone.register_forward_hook(lambda *_: modes.append(encoder.training))
    config = EvaluationConfig(head_epochs=2, crops_epochs=2, finetune_epochs=2, attack_steps=2)
    classifier = linear_head(encoder.train(), name, noise(30), config)
    measure(classifier, name, noise(9), config, seed=0)
    assert modes
    assert not any(modes)
    assert not any(parameter.requires_grad for parameter in classifier.parameters())
    assert all(torch.equal(before[key], value) for key, value in encoder.state_dict().items())


@pytest.mark.parametrize("pair", [("clean", "robust"), ("n_crops_2", "robust_n_crops_2"), ("slf", "alf")])
def test_heads_differ_in_what_they_train_on(pair, encoder, noise):
    config = EvaluationConfig(
        head_epochs=3, crops_epochs=3, finetune_epochs=3, head_epsilon=32 / 255, head_learning_rate=0.05
    )
    before = torch.get_rng_state()
    clean, robust, again = (linear_head(encoder, name, noise(30), config).head.weight for name in (*pair, pair[1]))
    assert torch.equal(robust, again)
    assert not torch.allclose(clean, robust)
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize("name", ["robust", "robust_n_crops_2", "alf", "aff"])
def test_attacked_heads_learn_from_the_attacked_images(name, encoder, noise):
    """Nothing but the attack depends on the radius."""

    def weight(epsilon: float) -> Tensor:
        config = EvaluationConfig(head_epsilon=epsilon, head_epochs=2, finetune_epochs=4)
        return linear_head(encoder, name, noise(30), config).head.weight

    assert not torch.allclose(weight(1 / 255), weight(32 / 255), rtol=1e-3)


def test_clean_head_reads_the_features_of_whole_images(encoder, noise):
    images = noise(12)
    config = EvaluationConfig(head_epochs=300, head_learning_rate=0.05)
    classifier = linear_head(encoder, "clean", images, config)
    assert (classifier(pixels(images.images)).argmax(1) == images.labels).float().mean() > 0.9


def test_released_simclr_pairs_what_the_code_pairs():
    """The attack sees (x2, x2 + d), training (x1, x2 + d): main_simclr_adv.py at ff36114."""
    views = torch.tensor([1.0, 2.0]).view(2, 1, 1)
    adversarial = SECOND_VIEW.perturbed(views) + 10
    assert adversarial.flatten().tolist() == [12.0]
    assert SECOND_VIEW.attack(views, adversarial).flatten().tolist() == [2.0, 12.0]
    assert SECOND_VIEW.train(views, adversarial).flatten().tolist() == [1.0, 12.0]
