"""The probe on encoders whose neighbours, and the moves that change them, are known."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from trainables.adversaries import Attack
from trainables.data import ImageSet
from trainables.evaluation import Probe, ProbeAccuracies

CPU = torch.device("cpu")
SIZE = 4


class Direction(nn.Module):
    """Features on the unit circle: an image's mean, from 0 to 1, is the angle, from 0 to a quarter turn."""

    def __init__(self) -> None:
        super().__init__()
        self.modes: list[bool] = []

    def features(self, images: Tensor) -> Tensor:
        self.modes.append(self.training)
        angle = images.mean(dim=(1, 2, 3)) * torch.pi / 2
        return torch.stack([angle.cos(), angle.sin()], dim=1)


def grey(levels: list[int], labels: list[int]) -> ImageSet:
    images = torch.tensor(levels, dtype=torch.uint8)[:, None, None, None].expand(-1, 3, SIZE, SIZE).contiguous()
    return ImageSet(images, torch.tensor(labels))


BANK = grey([20, 220], [0, 1])
"""Voting alone on either side, they part the levels at 120."""


def accuracies(queries: ImageSet, epsilon: float, bank: ImageSet = BANK) -> ProbeAccuracies:
    return Probe(bank, queries, 2, CPU, epsilon=epsilon).accuracies(Direction())


def test_a_class_weighs_the_sum_of_its_neighbours_weights():
    bank = grey([10, 100, 200], [0, 0, 2])
    similarities = torch.tensor([[1.0, 0.5, -1.0], [-1.0, -0.2, 0.9]])
    weights = (similarities / 0.07).exp()
    votes = Probe(bank, BANK, 3, CPU, epsilon=0.1)._votes(similarities)
    torch.testing.assert_close(votes[:, 0], (weights[:, 0] + weights[:, 1]).log())
    torch.testing.assert_close(votes[:, 2], weights[:, 2].log())
    assert (votes[:, 1] < votes[:, [0, 2]].min(dim=1).values).all(), "a class without neighbours has no vote"


def test_queries_take_the_label_of_the_nearer_side():
    assert accuracies(grey([10, 100, 119, 121, 240], [0, 0, 0, 1, 0]), 1e-6) == pytest.approx((0.8, 0.8))


@pytest.mark.parametrize(("levels", "survivors"), [(4, 4), (8, 2), (30, 1), (120, 0)])
def test_pgd_turns_the_images_within_its_radius_of_the_boundary(levels, survivors):
    queries = grey([114, 99, 126, 200], [0, 0, 1, 1])  # 6, 21, 6 and 80 levels from it
    assert accuracies(queries, levels / 255) == (1.0, survivors / 4)


def test_the_attacks_five_steps_go_two_and_a_half_radii():
    attack = Probe(BANK, BANK, 2, CPU, epsilon=0.1)._attack
    assert attack == Attack(epsilon=0.1, step_size=pytest.approx(0.05), steps=5)


def test_what_was_wrong_before_the_attack_does_not_count_after_it():
    class Odd(Direction):
        """Right under perturbation alone."""

        def features(self, images: Tensor) -> Tensor:
            moved = (images * 255 - (images * 255).round()).abs().amax(dim=(1, 2, 3)) > 1e-3
            return torch.where(moved[:, None], super().features(1 - images), super().features(images))

    probe = Probe(BANK, grey([10], [1]), 2, CPU, epsilon=0.5 / 255)
    assert probe.accuracies(Odd()) == (0.0, 0.0)


def test_each_vote_weighs_by_similarity():
    crowd = grey([20, 160, 160, 160, 160, 160], [0, 1, 1, 1, 1, 1])
    assert accuracies(grey([25], [0]), 1e-6, crowd).clean == 1.0
    assert accuracies(grey([88], [0]), 1e-6, crowd).clean == 0.0


def test_the_encoder_is_read_in_evaluation_mode_and_left_in_its_own():
    encoder = Direction().train()
    Probe(BANK, grey([10, 240], [0, 1]), 2, CPU, epsilon=8 / 255).accuracies(encoder)
    assert encoder.training
    assert not any(encoder.modes)


def test_it_leaves_no_gradient_behind():
    class Scaled(Direction):
        def __init__(self) -> None:
            super().__init__()
            self.scale = nn.Parameter(torch.ones(2))

        def features(self, images: Tensor) -> Tensor:
            return super().features(images) * self.scale

    encoder = Scaled()
    Probe(BANK, grey([10, 240], [0, 1]), 2, CPU, epsilon=8 / 255).accuracies(encoder)
    assert encoder.scale.grad is None
