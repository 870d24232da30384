"""Work of a trial in forward-equivalents, from its config alone, so that it can be known before it is spent.

A forward pass of one view counts 1, a backward pass to inputs alone 1 more, to inputs and weights 2 more.
"""

from __future__ import annotations

from trainables.config import AdversaryConfig, ConfigError, EvaluationConfig, TrialConfig
from trainables.pairing import Pairing

FORWARD, TO_INPUTS, TO_ALL = 1, 1, 2


def batches_per_epoch(config: TrialConfig, train_images: int) -> int:
    """Full batches of an epoch; the rest is dropped, as the released code does. ``ConfigError`` if there is none."""
    batches = train_images // config.optimiser.batch_size
    if batches == 0:
        raise ConfigError(
            f"optimiser.batch_size is {config.optimiser.batch_size} but only {train_images} images train; "
            "make it smaller or use more images"
        )
    return batches


def gradient_steps(config: TrialConfig, train_images: int) -> int:
    """Optimiser updates of the whole schedule."""
    return batches_per_epoch(config, train_images) * config.optimiser.epochs * replays(config.adversary)


def replays(adversary: AdversaryConfig) -> int:
    """Optimiser updates a batch."""
    return adversary.replays if adversary.name == "free" else 1


def epoch_forward_equivalents(config: TrialConfig, pairing: Pairing, train_images: int) -> int:
    """Work of one pass over the data loader."""
    images = batches_per_epoch(config, train_images) * config.optimiser.batch_size
    views = config.views.number
    perturbed, attacked, trained = pairing.counts(views)
    if config.adversary.name == "none":
        return images * views * (FORWARD + TO_ALL)
    train = trained * (FORWARD + TO_ALL) * replays(config.adversary)
    if config.adversary.name == "free":
        return images * train
    leaks = config.faithful_to == "released_code"
    step = attacked * (FORWARD + TO_ALL) if leaks else attacked * FORWARD + perturbed * TO_INPUTS
    return images * (train + step * config.adversary.steps)


def pretrain_forward_equivalents(config: TrialConfig, pairing: Pairing, train_images: int) -> int:
    """Work of the whole pre-training."""
    return config.optimiser.epochs * epoch_forward_equivalents(config, pairing, train_images)


def attack_forward_equivalents(images: int, steps: int) -> int:
    """Work of ``steps`` PGD steps on ``images`` images."""
    return images * steps * (FORWARD + TO_INPUTS)


def head_forward_equivalents(evaluation: EvaluationConfig, name: str, images: int) -> int:
    """Work of training one head: features once, or an attack on every batch of every epoch."""
    if name == "clean":
        return images * FORWARD
    attack = attack_forward_equivalents(images, evaluation.head_attack_steps)
    return evaluation.head_epochs * (attack + images * FORWARD)
