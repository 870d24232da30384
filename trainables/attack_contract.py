"""What every attack of a package must keep to, each promise checked on a few digits, a small network and a CPU."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cache

import torch
from torch import Tensor

from trainables import catalogue, packages
from trainables.config import override
from trainables.contract import BrokenError, begun, require, small
from trainables.data import draw, global_stream, load, pixels
from trainables.evaluation import Classifier, train_head
from trainables.evaluation.attack import Attack
from trainables.evaluation.own_attacks import perturbed
from trainables.simulated_device import DEVICE, MixedDevicesError, simulated_device

_IMAGES, _CLASSES = 20, 10
_HEAD = {"evaluation.head_epochs": 20, "evaluation.head_learning_rate": 0.01, "evaluation.head_attack_steps": 1}

Promise = Callable[[Attack], None]
"""Raises ``BrokenError``, or ``PackageError`` for what the attack itself raises or gives."""


def outcomes(attack: Attack) -> Iterator[tuple[str, str | None]]:
    """Each promise in words, and how ``attack`` breaks it; ``None``: it holds."""
    for words, promise in CONTRACT.items():
        try:
            promise(attack)
        except (BrokenError, packages.PackageError) as error:
            yield words, str(error)
        except (Exception, SystemExit) as error:
            yield words, " ".join(f"{type(error).__name__}: {error}".split()) + packages.place(error)
        else:
            yield words, None


def _gives_images(attack: Attack) -> None:
    _attacked(attack)


def _changes_images(attack: Attack) -> None:
    images, _ = _inputs()
    require(not torch.equal(_attacked(attack), images), "it gives all of them back as they were")


def _seeded(attack: Attack) -> None:
    first, again = _attacked(attack), _attacked(attack)
    why = "it draws from another generator than torch's global one, or keeps something from batch to batch"
    require(torch.equal(first, again), f"two runs of one seed differ; {why}")


def _on_a_device(attack: Attack) -> None:
    """Without a network, of which the platform sees to it that it is there."""
    images, labels = _inputs()
    linear = torch.linspace(-1, 1, _CLASSES * images[0].numel()).sin().view(-1, _CLASSES)
    with simulated_device():
        there = linear.to(DEVICE)

        def logits(images: Tensor) -> Tensor:
            return images.flatten(1) @ there

        try:
            attack.perturb(logits, images.to(DEVICE), labels.to(DEVICE))
        except MixedDevicesError as error:
            raise BrokenError(f"{error}; make tensors with device=images.device") from error


CONTRACT: Mapping[str, Promise] = {
    "it gives images of the shape it was given, finite and within [0, 1]": _gives_images,
    "it changes images": _changes_images,
    "equal seeds give equal bits": _seeded,
    "it stays on the device of the images": _on_a_device,
}


def _attacked(attack: Attack) -> Tensor:
    images, labels = _inputs()
    with global_stream(0, "check", device=images.device):
        return perturbed(attack, _classifier(), images, labels)


@cache
def _inputs() -> tuple[Tensor, Tensor]:
    """Images (n, 3, h, w) in [0, 1] and their labels (n,)."""
    config = small(catalogue.default_config("cf_amc_ssl"))
    seen = draw(load(config.data).validation, _IMAGES)
    return pixels(seen.images), seen.labels


@cache
def _classifier() -> Classifier:
    """A robust head on a network at its beginning: what it says depends on the image."""
    config = override(small(catalogue.default_config("cf_amc_ssl")), _HEAD)
    train = load(config.data).train
    return train_head(begun(config).model, "robust", train, _CLASSES, config.evaluation, config.views, config.seed)
