"""Previews: what training sees of its first images, and nothing else, for every trainable."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from trainables import catalogue
from trainables.config import ConfigError, TrialConfig, override
from trainables.data import load
from trainables.pretrain import Pretraining
from trainables.preview import preview

BOTH = pytest.mark.parametrize("faithful_to", ["paper", "released_code"])


def pretraining(config: TrialConfig) -> Pretraining:
    splits = load(config.data)
    pairing = catalogue.find(config.trainable).pairing(config.faithful_to)
    return Pretraining(config, pairing, splits.train, len(splits.classes), torch.device("cpu"))


def trained_on(training: Pretraining, epoch: int, monkeypatch: pytest.MonkeyPatch) -> tuple[Tensor, list[Tensor]]:
    """The views of the first batch of ``epoch``, and the perturbed ones in each of its updates."""
    seen: list[Tensor] = []
    batches: list[Tensor] = []
    trained, on = training._losses.trained, training._descent.on

    def watched(views: Tensor, adversarial: Tensor, labels: Tensor) -> Any:
        seen.append(adversarial.detach().clone())
        return trained(views, adversarial, labels)

    def batch(views: Tensor, *rest: Any) -> Any:
        batches.append(views)
        return on(views, *rest)

    monkeypatch.setattr(training._losses, "trained", watched)
    monkeypatch.setattr(training._descent, "on", batch)
    training.epoch = epoch - 1
    training.rehearse(1)
    return batches[0], seen


@pytest.mark.parametrize(("faithful_to", "epoch"), [("paper", 1), ("released_code", 2)])
def test_views_are_those_of_training_bit_for_bit(trainable, tiny_config, faithful_to, epoch, monkeypatch):
    config = tiny_config(trainable, faithful_to)
    views, _ = trained_on(pretraining(config), epoch, monkeypatch)
    seen = preview(config, 3, epoch=epoch)
    assert torch.equal(seen.views, views[:, :3])
    assert seen.images.shape == (3, 3, 8, 8)
    assert len(seen.classes) == 3


@BOTH
def test_perturbations_are_small_and_leave_images(trainable, tiny_config, faithful_to):
    config = tiny_config(trainable, faithful_to, adversary__epsilon=0.1)
    seen = preview(config, 4)
    assert seen.views.min() >= 0
    assert seen.views.max() <= 1
    if config.adversary.name == "none":
        assert seen.adversarial is None
        assert seen.perturbations is None
        return
    assert seen.adversarial is not None
    assert seen.perturbations is not None
    pairing = catalogue.find(trainable).pairing(faithful_to)
    assert len(seen.adversarial) == len(pairing.perturbed(torch.empty(config.views.number)))
    assert not seen.adversarial.requires_grad
    assert 0 < seen.perturbations.abs().max() <= 0.1 + 1e-6
    assert seen.adversarial.min() >= -1e-6
    assert seen.adversarial.max() <= 1 + 1e-6


@BOTH
def test_the_adversary_of_a_whole_batch_is_trainings_own(trainable, tiny_config, faithful_to, monkeypatch):
    config = tiny_config(trainable, faithful_to)
    training = pretraining(config)
    views, perturbed = trained_on(training, 1, monkeypatch)
    seen = preview(config, config.optimiser.batch_size)
    if config.adversary.name == "pgd":
        assert seen.adversarial is not None
        assert torch.equal(seen.adversarial, perturbed[0])
    elif config.adversary.name == "free":
        delta = training._descent.state_dict()["delta"]
        assert len(perturbed) == config.adversary.replays
        assert seen.adversarial is not None
        assert torch.equal(seen.adversarial, views[-len(delta) :] + delta)
    else:
        assert seen.adversarial is None


def test_how_a_trial_is_run_changes_no_preview(tiny_config):
    config = tiny_config("robust_simclr")
    cut = override(config, {"optimiser.micro_batches": 4, "compute.compile": True, "data.placement": "device"})
    for left, right in zip(vars(preview(config, 6)).values(), vars(preview(cut, 6)).values(), strict=True):
        assert torch.equal(left, right) if isinstance(left, Tensor) else left == right


def test_a_trained_network_is_attacked_and_may_lack_its_projector(tiny_config):
    config = tiny_config("pgd_emp_ssl")
    training = pretraining(config)
    training.run_epoch()
    whole = training.model.state_dict()
    shed = {name: value for name, value in whole.items() if not name.startswith("projector.")}
    found = [preview(config, 4, weights=weights) for weights in (None, whole, shed)]
    assert all(torch.equal(found[0].views, other.views) for other in found[1:])
    works = [seen.adversarial for seen in found if seen.adversarial is not None]
    assert not any(torch.equal(works[one], works[other]) for one, other in ((0, 1), (0, 2), (1, 2)))
    del shed["pre_feature.0.weight"]
    with pytest.raises(RuntimeError, match="Missing key"):
        preview(config, 4, weights=shed)


@pytest.mark.parametrize("images", [1, 41])
def test_a_preview_has_two_images_to_a_batch(tiny_config, images):
    with pytest.raises(ConfigError, match=f"{images} images cannot be shown; choose 2 to 40, which is optimiser"):
        preview(tiny_config("simclr"), images)


def test_the_global_random_state_stays(trainable, tiny_config):
    before = torch.get_rng_state()
    preview(tiny_config(trainable), 2)
    assert torch.equal(torch.get_rng_state(), before)
