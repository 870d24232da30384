"""Coresets within a pre-training: what trains when, at what cost, and that selecting leaves no trace."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from trainables import catalogue, checkpoint, cost
from trainables.adversaries import Attack
from trainables.catalogue import default_config
from trainables.config import ConfigError, TrialConfig, override
from trainables.data import load
from trainables.optim import cosine_rate
from trainables.pretrain import Pretraining
from trainables.selection import Candidates

CORESET = {
    "data__train_images": 200,
    "coreset__fraction": 0.4,
    "coreset__warmup_epochs": 1,
    "coreset__interval": 2,
    "coreset__validation_fraction": 0.05,
    "coreset__batch_steps": 2,
    "optimiser__epochs": 4,
    "optimiser__batch_size": 19,
}
METHODS = ("cf_amc_ssl", "acl", "supervised_pgd", "emp_ssl")
SLOWLY = [pytest.param(method, marks=pytest.mark.slow) for method in METHODS if method != "acl"]


def pretraining(config: TrialConfig) -> Pretraining:
    splits = load(config.data)
    pairing = catalogue.find(config.trainable).pairing(config.faithful_to)
    return Pretraining(config, pairing, splits.train, len(splits.classes), torch.device("cpu"))


@pytest.mark.parametrize("name", ["rcs", "random"])
def test_epochs_train_on_all_images_and_then_on_the_coreset(tiny_config, name):
    """200 images, 10 of them held out: 10 minibatches of 19, then 4 of them, chosen before epochs 2 and 4."""
    training = pretraining(tiny_config("cf_amc_ssl", coreset__name=name, **CORESET))
    chosen, updates, rates = [], [], []
    for _ in range(4):
        rates.append(training.run_epoch().learning_rate)
        chosen.append(training.state_dict()["chosen"])
        updates.append(training._descent.updates)
    assert updates == [10 * 3, 4 * 3, 4 * 3, 4 * 3]
    assert updates == [3 * cost.batches_in_epoch(training.config, 200, epoch) for epoch in range(1, 5)]
    # The rate follows epochs, not updates: at the end of each, short or long, as far down as without a coreset.
    last = [cosine_rate(epoch + (count - 1) / count, 4, 0.3) for epoch, count in enumerate(updates)]
    assert rates == pytest.approx(last)
    assert chosen[0] is None
    assert torch.equal(chosen[1], chosen[2])
    assert not torch.equal(chosen[2], chosen[3])
    for rows in chosen[1:]:
        assert len(rows.unique()) == len(rows) == 4 * 19
        assert rows.max() < 190


@pytest.mark.parametrize("method", ["acl", *SLOWLY])
def test_resuming_between_selections_is_exact(tiny_config, tmp_path, method):
    config = tiny_config(method, coreset__name="rcs", **CORESET)
    whole = pretraining(config)
    for _ in range(4):
        whole.run_epoch()
    first = pretraining(config)
    for _ in range(2):
        first.run_epoch()
    checkpoint.save(tmp_path / "c.pt", config, first.state_dict())
    second = pretraining(config)
    second.load_state_dict(checkpoint.load(tmp_path / "c.pt", config))
    for _ in range(2):
        second.run_epoch()
    ours, theirs = whole.model.state_dict(), second.model.state_dict()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)


def test_a_candidates_attack_crosses_five_quarters_of_the_radius(tiny_config):
    """2/255 in each of 5 steps within 8/255, from a random start (PGD_contrastive in RCS.py)."""
    config = tiny_config("acl", coreset__name="rcs", **CORESET | {"coreset__batch_steps": 5})
    training = pretraining(config)
    candidates = Candidates(config, training._losses, training._candidates, torch.arange(190).view(10, 19), 2, "cpu")
    assert candidates._attack == Attack(epsilon=8 / 255, step_size=pytest.approx(2 / 255), steps=5, random_start=True)


def test_selecting_moves_nothing_but_the_choice(tiny_config):
    training = pretraining(tiny_config("acl", coreset__name="rcs", **CORESET))
    training.run_epoch()
    before = {name: value.clone() for name, value in training.model.state_dict().items()}
    training.epoch += 1
    training._renew_coreset()
    after = training.model.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert all(parameter.requires_grad and parameter.grad is None for parameter in training.model.parameters())


@pytest.mark.parametrize("method", [*METHODS, "simclr_free"])
def test_a_candidates_loss_costs_what_is_said_and_repeats(tiny_config, method):
    config = tiny_config(method, coreset__name="rcs", **CORESET)
    training = pretraining(config)
    training.model.eval().requires_grad_(False)
    order = torch.arange(190).view(10, 19)
    candidates = Candidates(config, training._losses, training._candidates, order, 2, training.device)
    forwards: list[tuple[int, bool]] = []

    def count(_model: nn.Module, inputs: tuple[Tensor]) -> None:
        forwards.append((len(inputs[0]), inputs[0].requires_grad))

    handle = training.model.register_forward_pre_hook(count)
    losses = [float(candidates(index).detach()) for index in (3, 3, 4)]
    handle.remove()
    assert losses[0] == losses[1] != losses[2]
    work = sum(images * (2 if attacked else 1) for images, attacked in forwards) / 3
    assert work == 19 * cost.candidate_forward_equivalents(config, training._pairing)


def test_cost_of_a_selection_is_in_the_account(tiny_config):
    all_images, random, chosen = (
        catalogue.pretrain_forward_equivalents(tiny_config("cf_amc_ssl", coreset__name=name, **CORESET), 200)
        for name in ("none", "random", "rcs")
    )
    per_image = 3 * 3 * 3  # views, replays, forward and backward
    assert all_images == 4 * 190 * per_image
    assert random == (10 + 3 * 4) * 19 * per_image
    # Twice: 10 + 3 minibatch losses of 3 views under 2 steps, and 4 attacks on 10 held-out images.
    assert chosen - random == 2 * ((10 + 3) * 19 * 3 * (2 * 2 + 1) + 4 * 10 * (1 + 2 * 3 + 1))


@pytest.mark.parametrize("name", ["none", "random", "rcs"])
@pytest.mark.parametrize("interval", [1, 2, 3])
@pytest.mark.parametrize("warmup", [0, 1, 4])
def test_the_work_of_a_pretraining_is_that_of_its_epochs(tiny_config, name, interval, warmup):
    config = tiny_config(
        "cf_amc_ssl", **CORESET | {"coreset__warmup_epochs": warmup, "coreset__interval": interval}, coreset__name=name
    )
    pairing = catalogue.find("cf_amc_ssl").pairing(config.faithful_to)
    each = [cost.epoch_forward_equivalents(config, pairing, 200, epoch) for epoch in range(1, 9)]
    for epochs in range(9):
        assert cost.pretrain_forward_equivalents(config, pairing, 200, epochs) == sum(each[:epochs])


def test_a_held_out_share_of_no_image_is_refused(tiny_config):
    with pytest.raises(ConfigError, match=r"coreset\.validation_fraction is 0\.001 of 80 images"):
        pretraining(tiny_config("cf_amc_ssl", coreset__name="rcs", coreset__validation_fraction=0.001))


@pytest.mark.parametrize("fraction", [0.05, 0.1, 0.2])
@pytest.mark.parametrize("method", ["acl", "dynacl", "robust_simclr", "supervised_pgd"])
def test_selecting_costs_less_than_it_saves_at_the_papers_sizes(method, fraction):
    """49,500 candidates and 500 held-out images, 100 epochs of warm-up, 1000 epochs, a selection every 20."""
    base = override(default_config(method), {"optimiser.epochs": 1000, "optimiser.batch_size": 512})
    everything, blind, chosen = (
        catalogue.pretrain_forward_equivalents(
            override(base, {"coreset.name": name, "coreset.fraction": fraction}), 50_000
        )
        for name in ("none", "random", "rcs")
    )
    assert chosen - blind < (everything - chosen) / 10
    assert chosen < everything * (0.1 + 0.9 * fraction + 0.06)
