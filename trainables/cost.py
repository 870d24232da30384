"""Work of a trial in forward-equivalents, from its config alone, so that it can be known before it is spent.

A forward pass of one view counts 1, a backward pass to inputs alone 1 more, to inputs and weights 2 more.
"""

from __future__ import annotations

from trainables.adversaries import leaks_weight_gradients
from trainables.config import AdversaryConfig, ConfigError, TrialConfig
from trainables.coresets import minibatches, selection_forward_equivalents, selects
from trainables.pairing import Pairing

FORWARD, TO_INPUTS, TO_ALL = 1, 1, 2


def batches_per_epoch(config: TrialConfig, train_images: int) -> int:
    """Full batches of an epoch on all images; the rest is dropped, as the released code does.

    ``ConfigError`` if there is none.
    """
    images = candidates(config, train_images)
    batches = images // config.optimiser.batch_size
    if batches == 0:
        raise ConfigError(
            f"{config.trainable}: optimiser.batch_size is {config.optimiser.batch_size} but only {images} images "
            "train; make it smaller or use more images"
        )
    return batches


def candidates(config: TrialConfig, train_images: int) -> int:
    """Training images left when coreset selection has taken its own share."""
    if config.coreset.name == "none":
        return train_images
    return train_images - selection_images(config, train_images)


def selection_images(config: TrialConfig, train_images: int) -> int:
    """Training images that coreset selection alone sees."""
    return round(config.coreset.validation_fraction * train_images)


def batches_in_epoch(config: TrialConfig, train_images: int, epoch: int) -> int:
    """Batches of epoch ``epoch``, from 1: all of them, or the coreset's."""
    full = batches_per_epoch(config, train_images)
    coreset = config.coreset
    if coreset.name == "none" or epoch <= coreset.warmup_epochs:
        return full
    return minibatches(candidates(config, train_images), config.optimiser.batch_size, coreset.fraction)


def replays(adversary: AdversaryConfig) -> int:
    """Optimiser updates a batch."""
    return adversary.replays if adversary.name == "free" else 1


def image_forward_equivalents(config: TrialConfig, pairing: Pairing) -> int:
    """Work of one image in a batch: its views, their attack, and the updates."""
    views = config.views.number
    attacked, trained = pairing.counts(views)
    if config.adversary.name == "none":
        return views * (FORWARD + TO_ALL)
    train = trained * (FORWARD + TO_ALL) * replays(config.adversary)
    if config.adversary.name == "free":
        return train
    leaks = leaks_weight_gradients(config.adversary, config.objective.name, config.faithful_to)
    step = attacked * (FORWARD + (TO_ALL if leaks else TO_INPUTS))
    return train + step * config.adversary.steps


def candidate_forward_equivalents(config: TrialConfig, pairing: Pairing) -> int:
    """Work of one image in a minibatch that a coreset might take: its views, their attack and the loss."""
    attacked, trained = pairing.counts(config.views.number)
    if config.adversary.name == "none":
        return config.views.number * FORWARD
    step = attacked * (FORWARD + TO_INPUTS)
    return config.coreset.batch_steps * step + trained * FORWARD


def epoch_forward_equivalents(config: TrialConfig, pairing: Pairing, train_images: int, epoch: int) -> int:
    """Work of epoch ``epoch``, from 1: one pass over its batches, and the selection before it if one is due."""
    images = batches_in_epoch(config, train_images, epoch) * config.optimiser.batch_size
    selection = 0
    if config.coreset.name == "rcs" and selects(config.coreset, epoch):
        selection = selection_forward_equivalents(
            config.coreset,
            images=candidates(config, train_images),
            validation_images=selection_images(config, train_images),
            batch_size=config.optimiser.batch_size,
            image_work=candidate_forward_equivalents(config, pairing),
        )
    return images * image_forward_equivalents(config, pairing) + selection


def pretrain_forward_equivalents(
    config: TrialConfig, pairing: Pairing, train_images: int, epochs: int | None = None
) -> int:
    """Work of the first ``epochs`` epochs; ``None``: of the whole pre-training."""
    last = config.optimiser.epochs if epochs is None else epochs
    coreset = config.coreset

    def work(epoch: int) -> int:
        return epoch_forward_equivalents(config, pairing, train_images, epoch)

    alike = last if coreset.name == "none" else min(last, coreset.warmup_epochs)
    after = last - alike
    if not after:
        return alike * work(1)
    selecting = -(-after // coreset.interval)
    return alike * work(1) + selecting * work(alike + 1) + (after - selecting) * work(alike + 2)
