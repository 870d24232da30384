"""What every trainable must keep to, each promise checked in a second on a CPU: a few digits, a small network.

The tests hold the platform's own methods to it, ``python -m trainables --check NAME`` anybody's.
"""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from trainables import adversaries, catalogue, checkpoint, cost, objectives, packages
from trainables.adversaries import Attack
from trainables.config import TrialConfig, override
from trainables.data import load
from trainables.losses import Losses
from trainables.objectives import ObjectiveError
from trainables.pretrain import Pretraining
from trainables.simulated_device import DEVICE, MixedDevicesError, simulated_device

SMALL: Mapping[str, Any] = {
    "data.source": "digits",
    "data.image_size": 8,
    "data.train_images": 80,
    "device": "cpu",
    "network.width": 4,
    "network.depth": 10,
    "network.projector_hidden": 32,
    "network.embedding": 16,
    "optimiser.epochs": 2,
    "optimiser.warmup_epochs": 0,
    "optimiser.batch_size": 40,
    "evaluation.images": 60,
    "evaluation.head_epochs": 1,
    "evaluation.head_attack_steps": 1,
    "evaluation.attack_steps": 2,
    "evaluation.check_images": 0,
}
_MOST_VIEWS = 3
_IMAGES = 20
"""Of a batch, for what is asked of one loss."""


class BrokenError(Exception):
    """A promise that a trainable does not keep; the message says how."""


def require(condition: bool, otherwise: str) -> None:
    """``BrokenError`` that says ``otherwise`` unless ``condition`` holds."""
    if not condition:
        raise BrokenError(otherwise)


Promise = Callable[[TrialConfig], None]
"""Raises ``BrokenError``, or what the trainable itself raises."""


def small(config: TrialConfig) -> TrialConfig:
    """``config`` at a size that trains in about a second."""
    own: dict[str, Any] = {"views.number": min(config.views.number, _MOST_VIEWS)}
    if config.network.pre_feature is not None:
        own["network.pre_feature"] = 32
    if config.views.strength_period is not None:
        own["views.strength_period"] = 1
    return override(config, {**SMALL, **own})


def begun(config: TrialConfig) -> Pretraining:
    """``config`` before its first epoch, on the CPU."""
    pairing = catalogue.find(config.trainable).pairing(config.faithful_to)
    splits = load(config.data)
    return Pretraining(config, pairing, splits.train, len(splits.classes), torch.device("cpu"))


def weights(training: Pretraining) -> dict[str, Tensor]:
    """As they are now."""
    return {name: value.clone() for name, value in training.model.state_dict().items()}


def equal(left: Mapping[str, Tensor], right: Mapping[str, Tensor]) -> bool:
    """To the bit."""
    return left.keys() == right.keys() and all(torch.equal(left[name], right[name]) for name in left)


def outcomes(config: TrialConfig) -> Iterator[tuple[str, str | None]]:
    """Each promise in words, and how ``config``, a ``small`` and valid one, breaks it; ``None``: it holds."""
    for words, promise in CONTRACT.items():
        try:
            promise(config)
        except BrokenError as error:
            yield words, str(error)
        except ObjectiveError as error:
            yield words, str(error) + packages.definition(objectives.find(config.objective.name).loss)
        except Exception as error:
            yield words, " ".join(f"{type(error).__name__}: {error}".split()) + packages.place(error)
        else:
            yield words, None


def _differentiable(config: TrialConfig) -> None:
    losses, views, labels = _one_loss(config)
    views.requires_grad_()
    attacked = config.adversary.name != "none"
    loss = losses.trained(views, losses.pairing.perturbed(views), labels) if attacked else losses.clean(views, labels)
    require(math.isfinite(float(loss.total.detach())), f"it is {float(loss.total.detach())}")
    gradient = torch.autograd.grad(loss.total, views, retain_graph=True)[0]
    require(bool(gradient.isfinite().all()), "its gradient to the pixels is not finite")
    require(bool(gradient.any()), "its gradient to the pixels is zero everywhere")
    loss.total.backward()
    found = [weight.grad for weight in losses.model.parameters() if weight.grad is not None]
    require(all(bool(one.isfinite().all()) for one in found), "its gradient to the weights is not finite")
    require(any(bool(one.any()) for one in found), "its gradient to the weights is zero everywhere")


def _attackable(config: TrialConfig) -> None:
    if config.adversary.name == "none":
        return
    losses, views, labels = _one_loss(config)
    losses.model.train(not losses.pairing.attacks_in_eval)
    epsilon = config.adversary.epsilon
    attack = Attack(epsilon=epsilon, step_size=epsilon / 4, steps=5, random_start=True)
    clean = losses.pairing.perturbed(views)
    start = adversaries.start(clean, attack, torch.Generator().manual_seed(config.seed))
    with torch.no_grad():
        before = float(losses.ascended(losses.pairing.attack(views, clean), labels))
    adversarial = losses.perturb(views, labels, attack, start)
    with torch.no_grad():
        after = float(losses.ascended(losses.pairing.attack(views, adversarial), labels))
    require(after > before, f"5 steps of PGD took it from {before:.4g} to {after:.4g}")


def _weighted(config: TrialConfig) -> None:
    idle = [name for name in config.objective.weights if not _weighs(config, name)]
    require(not idle, f"it is the same whatever {', '.join(idle)} {'is' if len(idle) == 1 else 'are'}")


def _weighs(config: TrialConfig, name: str) -> bool:
    """Whether another value of a weight makes another loss, of what is trained or of what the adversary ascends."""
    value = config.objective.weights[name]
    return any(_at(config, name, other) != _at(config, name, value) for other in (value / 2 or 1.0, value + 1))


def _at(config: TrialConfig, name: str, value: float) -> tuple[float, float]:
    """Both losses with that value of the weight ``name``."""
    losses, views, labels = _one_loss(override(config, {f"objective.weights.{name}": value}))
    clean = losses.pairing.perturbed(views)
    with torch.no_grad():
        trained = losses.trained(views, clean, labels).total
        return float(trained), float(losses.ascended(losses.pairing.attack(views, clean), labels))


def _seeded(config: TrialConfig) -> None:
    runs = [_after_an_epoch(override(config, {"seed": config.seed + more})) for more in (0, 0, 1)]
    why = "it draws from another generator than torch's global one, or keeps something from batch to batch"
    require(equal(runs[0], runs[1]), f"two runs of one seed differ; {why}")
    require(not equal(runs[0], runs[2]), "two seeds give the same weights")


def _resumable(config: TrialConfig) -> None:
    config = override(config, {"optimiser.epochs": 2})
    whole, first, second = begun(config), begun(config), begun(config)
    for _ in range(2):
        whole.run_epoch()
    first.run_epoch()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "checkpoint.pt"
        checkpoint.save(path, config, first.state_dict())
        second.load_state_dict(checkpoint.load(path, config))
    second.run_epoch()
    require(equal(weights(whole), weights(second)), "its weights differ; a loss must keep nothing from batch to batch")
    require(whole.finished and second.finished, "it does not end with its last epoch")


def _counted(config: TrialConfig) -> None:
    training, found = begun(config), 0

    def count(model: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        nonlocal found
        learns = any(weight.requires_grad for weight in model.parameters())
        found += len(inputs[0]) * (cost.FORWARD + (cost.TO_ALL if learns else cost.TO_INPUTS))

    training.model.register_forward_pre_hook(count)
    images = len(load(config.data).train)
    training.rehearse(cost.batches_per_epoch(config, images))
    told = catalogue.pretrain_forward_equivalents(override(config, {"optimiser.epochs": 1}), images)
    require(found == told, f"an epoch costs {told} forward-equivalents, and {found} passed through the network")


def _on_a_device(config: TrialConfig) -> None:
    """Of all that runs in a training, the loss alone is of who brings a method."""
    losses, views, labels = _one_loss(config)
    embeddings = losses.model(views.flatten(0, 1)).detach().view(*views.shape[:2], -1)
    objective = objectives.find(config.objective.name)
    with simulated_device() as waits:
        there, labels_there = embeddings.to(DEVICE).requires_grad_(), labels.to(DEVICE)
        waits.clear()
        try:
            for criterion in (objective.bound(config.objective), objective.bound_attacked(config.objective)):
                criterion(there, labels_there).total.backward()
        except MixedDevicesError as error:
            raise BrokenError(f"{error}; make tensors with device=embeddings.device") from error
    require(not waits, f"the CPU waits for a value at {', '.join(waits)}; a GPU would stall at every batch")


def _in_micro_batches(config: TrialConfig) -> None:
    _after_an_epoch(override(config, {"optimiser.micro_batches": 2}))


def _in_bfloat16(config: TrialConfig) -> None:
    _after_an_epoch(override(config, {"compute.precision": "bfloat16"}))


CONTRACT: Mapping[str, Promise] = {
    "its loss is finite, and differentiable down to weights and pixels": _differentiable,
    "an adversary raises its loss": _attackable,
    "each of its weights weighs in its loss": _weighted,
    "equal seeds give equal bits, others do not": _seeded,
    "killed after an epoch and resumed, it ends with the same bits": _resumable,
    "its cost is what passes through the network": _counted,
    "its loss stays on the device of the embeddings, and waits for no value": _on_a_device,
    "it trains in micro-batches": _in_micro_batches,
    "it trains in bfloat16": _in_bfloat16,
}


def _one_loss(config: TrialConfig) -> tuple[Losses, Tensor, Tensor]:
    """The losses of a network at its beginning; some images' views (v, b, 3, h, w), and labels."""
    seen = begun(config).glimpse(_IMAGES)
    pairing = catalogue.find(config.trainable).pairing(config.faithful_to)
    return Losses(begun(config).model.train(), pairing, config.objective), seen.views, seen.images.labels


def _after_an_epoch(config: TrialConfig) -> dict[str, Tensor]:
    training = begun(config)
    training.run_epoch()
    return weights(training)
