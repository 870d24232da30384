"""What every trainable must keep to: run over the whole catalogue, so a new method is tested from its first day."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from trainables import adversaries, catalogue, checkpoint, cost
from trainables.adversaries import FreePerturbation
from trainables.config import ConfigError, TrialConfig, override
from trainables.contract import CONTRACT, begun, equal, weights
from trainables.losses import Losses
from trainables.objectives import Loss
from trainables.optim import lars
from trainables.pretrain import DivergedError, Pretraining
from trainables.trial import run

BOTH = pytest.mark.parametrize("faithful_to", ["paper", pytest.param("released_code", marks=pytest.mark.exhaustive)])


CLOSER = {"it trains in micro-batches": "test_micro_batches.py", "it trains in bfloat16": "test_compute.py"}
"""What is looked at more closely for every trainable elsewhere."""
PROMISES = [
    pytest.param(promise, id=words, marks=[pytest.mark.exhaustive] if words in CLOSER else [])
    for words, promise in CONTRACT.items()
]


@BOTH
@pytest.mark.parametrize("promise", PROMISES)
def test_it_keeps_to_the_contract(trainable, tiny_config, faithful_to, promise):
    promise(tiny_config(trainable, faithful_to))


@BOTH
def test_loss_falls(trainable, tiny_config, faithful_to):
    losses = losses_of(tiny_config, trainable, faithful_to)
    assert losses[-1] < losses[0]


def test_it_falls_farther_than_up_the_gradient(trainable, tiny_config, monkeypatch):
    """For some it falls whichever way: views become alike where weights become small."""
    losses = losses_of(tiny_config, trainable)
    monkeypatch.setattr(lars, "_gradient", lambda parameter: -parameter.grad)
    assert losses[-1] < losses_of(tiny_config, trainable)[-1]


def losses_of(tiny_config, trainable: str, faithful_to: str = "paper") -> list[float]:
    peak = tiny_config(trainable).optimiser.learning_rate
    training = begun(tiny_config(trainable, faithful_to, optimiser__epochs=4, optimiser__learning_rate=2 * peak))
    return [training.run_epoch().loss for _ in range(4)]


def test_global_random_state_is_neither_read_nor_moved(trainable, tiny_config):
    config = tiny_config(trainable)
    torch.manual_seed(1)
    before = torch.get_rng_state()
    first = run(config)
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(2)
    assert run(config).heads == first.heads


@dataclasses.dataclass
class Passes:
    """Every forward pass of a model: how many images, in which mode, and the range of their pixels."""

    images: list[int] = dataclasses.field(default_factory=list)
    training: list[bool] = dataclasses.field(default_factory=list)
    lowest: float = 0.0
    highest: float = 1.0

    def __call__(self, model: nn.Module, inputs: tuple[Tensor]) -> None:
        images = inputs[0].detach()
        assert len({module.training for module in model.modules()}) == 1, "no part is in another mode than the whole"
        self.images.append(len(images))
        self.training.append(model.training)
        self.lowest = min(self.lowest, float(images.min()))
        self.highest = max(self.highest, float(images.max()))


def watched_epoch(training: Pretraining, monkeypatch: pytest.MonkeyPatch) -> Passes:
    """Run one epoch without its monitor and say what passed through the model."""
    monkeypatch.setattr(training, "_monitor", lambda: (0.0, 0.0, 0.0))
    passes = Passes()
    training.model.register_forward_pre_hook(passes)
    training.run_epoch()
    return passes


def passes_per_batch(config: TrialConfig) -> tuple[int, int]:
    """Forward passes of a batch's attack, and of each of its updates."""
    passes = catalogue.find(config.trainable).pairing(config.faithful_to).passes
    steps = config.adversary.steps if config.adversary.name == "pgd" else 0
    alone = 2 if passes == "alone" else 1
    return steps * alone, 1 if passes == "joint" else 2


def test_every_pass_is_in_the_mode_its_source_has(trainable, tiny_config, monkeypatch):
    """ACL attacks in evaluation mode; all other passes train, and so move the running statistics."""
    config = tiny_config(trainable, optimiser__epochs=1)
    training = begun(config)
    passes = watched_epoch(training, monkeypatch)
    attacked, trained = passes_per_batch(config)
    in_eval = catalogue.find(trainable).pairing("paper").attacks_in_eval
    updates = cost.batches_per_epoch(config, 80) * cost.replays(config.adversary)
    assert passes.training == ([not in_eval] * attacked + [True] * trained) * updates
    assert passes.lowest >= -1e-6
    assert passes.highest <= 1 + 1e-6
    norms = [module for module in training.model.modules() if isinstance(module, nn.BatchNorm2d)]
    moved = {int(norm.num_batches_tracked) for norm in norms}
    assert moved == ({updates} if in_eval else {len(passes.images)})


def test_perturbations_stay_in_the_ball(trainable, tiny_config, monkeypatch):
    config = tiny_config(trainable, optimiser__epochs=1, adversary__epsilon=0.1, adversary__step_size=0.07)
    training = begun(config)
    losses = training._losses
    seen: list[float] = []

    def watched(views: Tensor, adversarial: Tensor, labels: Tensor) -> Loss:
        moved = (adversarial - losses.pairing.perturbed(views)).detach().abs()
        assert float(moved.max()) <= 0.1 + 1e-6
        assert float(adversarial.detach().min()) >= 0
        assert float(adversarial.detach().max()) <= 1
        seen.append(float(moved.max()))
        return Losses.trained(losses, views, adversarial, labels)

    monkeypatch.setattr(losses, "trained", watched)
    training.run_epoch()
    if config.adversary.name == "none":
        assert not seen
    else:
        assert max(seen) > 0.09, "the adversary uses its radius"


def test_monitor_leaves_weights_and_statistics_alone(trainable, tiny_config):
    training = begun(tiny_config(trainable))
    training.run_epoch()
    before = weights(training)
    training._monitor()
    assert equal(weights(training), before)
    assert all(parameter.grad is None for parameter in training.model.parameters())


def test_clean_twin_costs_and_sees_no_attack(trainable, tiny_config, monkeypatch):
    if catalogue.find(trainable).needs_adversary:
        with pytest.raises(ConfigError, match="takes 'pgd'"):
            catalogue.check(tiny_config(trainable, adversary__name="none"))
        return
    config = tiny_config(trainable, adversary__name="none", optimiser__epochs=1)
    training = begun(config)
    passes = watched_epoch(training, monkeypatch)
    assert sum(passes.images) == 80 * config.views.number
    assert training.forward_equivalents == 3 * sum(passes.images)


def test_schedule_ends_at_zero(trainable, tiny_config):
    training = begun(tiny_config(trainable, optimiser__epochs=2, data__train_images=200))
    rates = [training.run_epoch().learning_rate for _ in range(2)]
    peak = training.config.optimiser.learning_rate
    assert rates[0] > peak / 6
    assert rates[1] < peak / 10


def test_released_free_schedule_swings_back(tiny_config):
    """The released cosine counts batches but steps m times a batch: for even m it ends at its peak."""
    config = tiny_config("cf_amc_ssl", "released_code", optimiser__epochs=2, adversary__replays=2)
    training = begun(config)
    rates = [training.run_epoch().learning_rate for _ in range(2)]
    assert rates[1] > 0.25 > rates[0]


def test_released_simclr_passes_each_view_alone(tiny_config, monkeypatch):
    together = begun(tiny_config("robust_simclr", "paper", optimiser__epochs=1))
    alone = begun(tiny_config("robust_simclr", "released_code", optimiser__epochs=1))
    # Text: five attacks on (x1 + d1, x2 + d2), then x1, x2 and both adversaries in one pass.
    assert watched_epoch(together, monkeypatch).images[:6] == [80, 80, 80, 80, 80, 160]
    # Code: five attacks on (x2, x2 + d), then x1 and x2 + d.
    assert watched_epoch(alone, monkeypatch).images[:12] == [40] * 12


def test_an_absurd_rate_is_named_as_divergence(tiny_config):
    training = begun(tiny_config("cf_amc_ssl", optimiser__learning_rate=1e30, optimiser__lars_eta=1e30))
    with pytest.raises(DivergedError, match="learning_rate"):
        training.run_epoch()


def test_trial_reports_each_epoch_after_its_checkpoint(trainable, tiny_config, tmp_path):
    path = tmp_path / "checkpoint.pt"
    seen: list[tuple[int, int]] = []
    config = tiny_config(trainable)

    def report(epoch):
        seen.append((epoch.epoch, checkpoint.load(path, config)["pretraining"]["epoch"]))
        assert all(isinstance(value, float) for value in epoch.metrics().values())

    result = run(config, checkpoint=path, report=report)
    assert seen == [(1, 1), (2, 2)]
    assert result.chosen.clean.images == 60
    assert result.metrics()["forward_equivalents"] == result.cost.pretrain_forward_equivalents
    again = run(config, checkpoint=path, report=report)
    assert seen == [(1, 1), (2, 2), (2, 2)], "resuming repeats the last report and trains nothing again"
    assert again.heads == result.heads


def test_checkpoint_of_another_trial_is_refused(tiny_config, tmp_path):
    config = tiny_config("cf_amc_ssl")
    run(config, checkpoint=tmp_path / "c.pt")
    other = override(config, {"network.width": 8, "adversary.replays": 2, "evaluation.images": 10})
    with pytest.raises(checkpoint.CheckpointError, match=r"adversary\.replays 3 there, 2 here; network\.width 4 there"):
        run(other, checkpoint=tmp_path / "c.pt")


def test_a_checkpoint_runs_no_code(tiny_config, tmp_path):
    class Crafted:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "ran",))

    torch.save({"format": 1, "config": Crafted()}, tmp_path / "c.pt")
    with pytest.raises(checkpoint.CheckpointError, match="no readable checkpoint"):
        run(tiny_config("cf_amc_ssl"), checkpoint=tmp_path / "c.pt")
    assert not (tmp_path / "ran").exists()


def test_checkpoint_is_whole_or_absent(tiny_config, tmp_path):
    class Unsaveable:
        def __reduce__(self):
            raise OSError("no space left")

    config = tiny_config("cf_amc_ssl")
    path = tmp_path / "c.pt"
    checkpoint.save(path, config, {"epoch": 1})
    with pytest.raises(OSError, match="no space"):
        checkpoint.save(path, config, {"epoch": Unsaveable()})
    assert checkpoint.load(path, config) == {"epoch": 1}
    assert [file.name for file in tmp_path.iterdir()] == ["c.pt"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"objective.name": "nt_xent"}, "defined by 'emp_ssl'"),
        ({"adversary.name": "pgd"}, "takes 'free' or none"),
        ({"optimiser.batch_size": 5000}, "only 80 images train"),
        ({"data.validation_fraction": 0.0}, "no images"),
        ({"device": "cuda:7"}, "torch sees"),
        ({"network.architecture": "resnet9000", "network.depth": None}, "resnet9000"),
    ],
)
def test_what_a_trial_refuses(tiny_config, changes, message):
    with pytest.raises(ConfigError, match=message):
        run(override(tiny_config("cf_amc_ssl"), changes))


def test_simclr_pairs_exactly_two_views(tiny_config):
    with pytest.raises(ConfigError, match="exactly 2 views"):
        run(override(tiny_config("robust_simclr"), {"views.number": 3}))


def test_a_network_that_breaks_in_its_last_update_is_named(tiny_config, monkeypatch):
    training = begun(tiny_config("cf_amc_ssl", optimiser__epochs=1))
    monkeypatch.setattr(training, "_monitor", lambda: (float("nan"), 0.0, 0.0))
    with pytest.raises(DivergedError, match="no longer finite"):
        training.run_epoch()


def test_free_perturbation_moves_with_the_training_gradient(tiny_config):
    training = begun(tiny_config("cf_amc_ssl", optimiser__epochs=1))
    training.run_epoch()
    delta = training.state_dict()["delta"]
    assert float(delta.abs().max()) == pytest.approx(8 / 255, abs=1e-6)
    assert float((delta != 0).float().mean()) > 0.3


def test_free_perturbation_is_brought_into_the_range_of_each_new_batch(tiny_config, monkeypatch):
    """After the text: what the last replay of a batch left is where the first of the next begins, within its pixels."""
    training = begun(tiny_config("cf_amc_ssl", optimiser__epochs=1))
    losses, free, left, seen = training._losses, training._descent._free, [], []

    def ascend(*given: Tensor) -> None:
        FreePerturbation.ascend(free, *given)
        left.append(free.delta.clone())

    def trained(views: Tensor, adversarial: Tensor, labels: Tensor) -> Loss:
        seen.append((views, adversarial.detach() - views))
        return Losses.trained(losses, views, adversarial, labels)

    monkeypatch.setattr(free, "ascend", ascend)
    monkeypatch.setattr(losses, "trained", trained)
    training.run_epoch()
    assert len(seen) == 2 * 3
    views, moved = seen[3]
    torch.testing.assert_close(moved, adversaries.project(left[2], views, 8 / 255))
    assert not torch.allclose(moved, left[2]), "some pixels of the new batch leave no room"


def test_recomputing_activations_changes_no_bit(trainable, tiny_config):
    config = tiny_config(trainable, optimiser__epochs=1)
    plain = begun(config)
    recomputing = begun(override(config, {"network.recompute": True}))
    assert plain.run_epoch() == recomputing.run_epoch()
    assert equal(weights(plain), weights(recomputing))
    ours, theirs = plain.state_dict()["delta"], recomputing.state_dict()["delta"]
    assert (ours is None and theirs is None) or torch.equal(ours, theirs)
