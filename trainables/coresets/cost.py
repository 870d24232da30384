"""Work of a selection in forward-equivalents, from its sizes alone, so that it can be known before it is spent."""

from __future__ import annotations

from trainables.config import CoresetConfig
from trainables.coresets.schedule import minibatches


def selection_forward_equivalents(
    config: CoresetConfig, *, images: int, validation_images: int, batch_size: int, image_work: int
) -> int:
    """Work of one ``rcs.select`` among the full minibatches of ``images`` images; 0 unless ``config`` selects so.

    ``image_work``: work of one image within a minibatch's loss, its adversary included. Backward passes to the
    projector alone count 0: they end before the backbone. Every minibatch's gradient is computed once, and once more
    when it is chosen (but for the last, which nothing follows). Every pick costs each validation image a clean
    forward pass, one forward pass and one backward pass to the input a PGD step, and an adversarial forward pass.
    """
    if config.name != "rcs":
        return 0
    budget = minibatches(images, batch_size, config.fraction)
    losses = images // batch_size + budget - 1
    divergence = 1 + 2 * config.validation_steps + 1
    return losses * batch_size * image_work + budget * validation_images * divergence
