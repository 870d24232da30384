"""The closed form is what is counted."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from trainables.adversaries import Attack, pgd
from trainables.config import CoresetConfig
from trainables.coresets import selection_forward_equivalents
from trainables.models import Encoder

VIEWS, STEPS = 2, 3


class Counter:
    """Images that pass the backbone, forward and, where a gradient reaches its output, backward."""

    def __init__(self, model: Encoder) -> None:
        self.forward = self.backward = 0
        model.backbone.register_forward_hook(self._passed)

    def _passed(self, _module: object, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        self.forward += len(inputs[0])
        if output.requires_grad:
            assert inputs[0].requires_grad, "the backbone's weights take gradients"
            output.register_hook(self._returned)

    def _returned(self, gradient: Tensor) -> None:
        self.backward += len(gradient)


@pytest.mark.parametrize(("fraction", "validation_steps", "budget"), [(0.5, 3, 3), (0.9, 1, 5), (0.01, 2, 1)])
def test_counted(problem, fraction, validation_steps, budget):
    counter = Counter(problem.model)

    def loss(index: int) -> Tensor:
        images = problem.batches[index][:4]
        random = torch.Generator().manual_seed(index)
        attack = Attack(epsilon=8 / 255, step_size=2 / 255, steps=STEPS, random_start=True)
        delta = pgd(lambda perturbed: problem.loss_on(problem.model, perturbed), images, attack, random)
        return problem.loss_on(problem.model, images + delta)

    problem.select(loss, count=6, budget=budget, fraction=fraction, validation_steps=validation_steps)
    expected = selection_forward_equivalents(
        CoresetConfig(name="rcs", fraction=fraction, validation_steps=validation_steps),
        images=6 * 4 + 1,
        validation_images=len(problem.validation),
        batch_size=4,
        image_work=VIEWS * (2 * STEPS + 1),
    )
    assert counter.forward + counter.backward == expected
    assert counter.backward > 0


@pytest.mark.parametrize("name", ["none", "random"])
def test_blind_selection_is_free(name):
    config = CoresetConfig(name=name)
    sizes = {"images": 100, "validation_images": 10, "batch_size": 5, "image_work": 7}
    assert selection_forward_equivalents(config, **sizes) == 0
