"""DynACL's schedule reaches what trains: the views, the loss, and the candidates of a coreset."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from trainables.contract import begun
from trainables.data import generator, make_views
from trainables.selection import Candidates


def test_the_adversarial_half_gains_weight_as_augmentation_weakens(tiny_config: Any) -> None:
    """Of two epochs with a period of one the second has strength 1/2 and so w = 2/3 (1 - 1/2)."""
    training = begun(tiny_config("dynacl"))
    for weight in (0.0, 1 / 3):
        found = training.run_epoch()
        halves = ((1 - weight) * found.terms["clean"] + (1 + weight) * found.terms["adversarial"]) / 2
        assert found.loss == pytest.approx(halves, rel=1e-5)


def test_views_weaken_in_training_and_in_selection(tiny_config: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    config = tiny_config("dynacl")
    training = begun(config)
    training.epoch = 1
    training._begin_epoch()
    images = next(training._batches()).images
    weak, strong = (make_views(images, config.views, generator(config.seed, "views", 2), at) for at in (0.5, 1.0))
    seen, _ = next(training._batches_of_views())
    assert torch.equal(seen.flatten(0, 1), weak)
    assert not torch.equal(weak, strong)
    strengths: list[float] = []
    monkeypatch.setattr(
        "trainables.selection.make_views", lambda *given: strengths.append(given[3]) or make_views(*given)
    )
    Candidates(config, training._losses, training._candidates, torch.arange(80).view(2, 40), 2, training.device)(0)
    assert strengths == [0.5]
