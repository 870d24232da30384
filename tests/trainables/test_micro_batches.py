"""A batch cut into groups: the same work, less memory, and another method wherever images of a batch meet."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor

from trainables import adversaries, catalogue
from trainables.config import ConfigError, OptimiserConfig, TrialConfig, override
from trainables.data import load
from trainables.losses import Losses
from trainables.pretrain import Pretraining

METHODS = [
    ("emp_ssl", "paper"),
    ("cf_amc_ssl", "paper"),
    ("pgd_emp_ssl", "paper"),
    ("pgd_emp_ssl", "released_code"),
    ("robust_simclr", "paper"),
    ("robust_simclr", "released_code"),
    ("acl", "paper"),
]


def pretraining(config: TrialConfig) -> Pretraining:
    pairing = catalogue.find(config.trainable).pairing(config.faithful_to)
    splits = load(config.data)
    return Pretraining(config, pairing, splits.train, len(splits.classes), torch.device("cpu"))


def first_update(training: Pretraining, views: Tensor, labels: Tensor) -> tuple[list[Tensor], float]:
    """Gradients of the first optimiser step on a batch, and the loss that is told of it."""
    found: list[list[Tensor]] = []

    def keep(*_ignored: object) -> None:
        found.append([p.grad.clone() for p in training.model.parameters() if p.grad is not None])

    training._descent.optimiser.register_step_pre_hook(keep)
    training._begin_epoch()
    training.model.train()
    losses = training._train_on(views, labels, torch.Generator().manual_seed(0))
    return found[0], float(losses[0].total)


def by_hand(training: Pretraining, views: Tensor, labels: Tensor) -> tuple[list[Tensor], float]:
    """Means over two halves of the batch, a copy of the network taking one after the other as a batch of its own."""
    losses = Losses(copy.deepcopy(training.model).train(), training._pairing, training.config.objective)
    attack, random = training._descent.attack, torch.Generator().manual_seed(0)
    starts = adversaries.start(training._pairing.perturbed(views), attack, random)
    gradients, totals = [], []
    for half in range(2):
        losses.model.zero_grad()
        part, start, names = views.chunk(2, 1)[half], starts.chunk(2, 1)[half], labels.chunk(2)[half]
        if training.config.adversary.name == "none":
            total = losses.clean(part, names).total
        elif training.config.adversary.name == "pgd":
            total = losses.trained(part, losses.perturb(part, names, attack, start), names).total
        else:
            total = losses.trained(part, training._pairing.perturbed(part), names).total
        total.backward()
        gradients.append([p.grad.clone() for p in losses.model.parameters() if p.grad is not None])
        totals.append(float(total.detach()))
    return [torch.stack(pair).mean(0) for pair in zip(*gradients, strict=True)], sum(totals) / 2


@pytest.mark.parametrize(("name", "faithful_to"), METHODS)
def test_a_step_follows_the_mean_of_the_groups_and_not_the_whole_batch(tiny_config, name, faithful_to):
    config = tiny_config(name, faithful_to, optimiser__epochs=1)
    views = torch.rand(config.views.number, 8, 3, 8, 8)
    labels = torch.arange(8)
    cut = pretraining(override(config, {"optimiser.micro_batches": 2}))
    expected, mean = by_hand(cut, views, labels)
    gradients, loss = first_update(cut, views, labels)
    assert loss == pytest.approx(mean, rel=1e-6)
    for ours, theirs in zip(gradients, expected, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)
    _, whole = first_update(pretraining(config), views, labels)
    assert abs(whole - mean) > 1e-3 * abs(mean), "statistics, TCR or negatives of half a batch are others"


@pytest.mark.parametrize("name", ["supervised_pgd", "supervised_free"])
def test_where_images_do_not_meet_the_groups_are_the_batch(tiny_config, name, monkeypatch):
    """Cross-entropy of a network without BatchNorm is a mean over images, attacks included."""
    monkeypatch.setattr("trainables.models.vit.LAYERS", 2)
    network = {"network.architecture": "vit_tiny", "network.pre_feature": None, "network.width": 64}
    config = override(tiny_config(name, optimiser__epochs=1, network__depth=None, data__train_images=80), network)
    whole, cut = pretraining(config), pretraining(override(config, {"optimiser.micro_batches": 4}))
    ours, theirs = cut.run_epoch(), whole.run_epoch()
    assert ours.loss == pytest.approx(theirs.loss, rel=1e-4)
    for key, value in whole.model.state_dict().items():
        torch.testing.assert_close(cut.model.state_dict()[key], value, rtol=1e-3, atol=1e-5)
    assert cut.forward_equivalents == whole.forward_equivalents


def test_every_group_passes_the_network_alone(trainable, tiny_config):
    config = tiny_config(trainable)
    views, seen = torch.rand(config.views.number, 8, 3, 8, 8), {}
    for groups in (1, 4):
        training = pretraining(override(config, {"optimiser.micro_batches": groups}))
        sizes: list[int] = []
        training.model.register_forward_pre_hook(lambda _, inputs, sizes=sizes: sizes.append(len(inputs[0])))
        first_update(training, views, torch.arange(8))
        seen[groups] = sizes
    assert max(seen[4]) == max(seen[1]) // 4
    assert sum(seen[4]) == sum(seen[1])


def test_a_coreset_weighs_minibatches_by_the_loss_that_trains(tiny_config):
    """With groups of a minibatch's own as well, so that the memory is saved there too."""
    coreset = {"coreset.name": "rcs", "coreset.warmup_epochs": 1, "coreset.fraction": 0.5, "coreset.interval": 1}
    changes = coreset | {"coreset.validation_fraction": 0.1, "optimiser.micro_batches": 4}
    config = override(tiny_config("robust_simclr", optimiser__epochs=2, data__train_images=120), changes)
    training = pretraining(config)
    training.run_epoch()
    seen: list[int] = []
    training.model.register_forward_pre_hook(lambda _, inputs: seen.append(len(inputs[0])))
    training._renew_coreset()
    training.epoch = 2
    training._renew_coreset()
    assert max(seen) <= 4 * 10


@pytest.mark.parametrize(("groups", "batch"), [(0, 8), (3, 8), (8, 8)])
def test_groups_must_be_equal_and_hold_two_images(groups, batch):
    with pytest.raises(ConfigError, match=rf"optimiser\.micro_batches is {groups}"):
        OptimiserConfig(batch_size=batch, micro_batches=groups)
