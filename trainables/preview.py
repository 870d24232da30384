"""What a configuration trains on, before it trains: a few images, their views, and what its adversary makes of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor

from trainables import catalogue
from trainables.config import TrialConfig, override
from trainables.config.checks import require
from trainables.data import load
from trainables.pretrain import Pretraining
from trainables.trial import resolve_device

_AS_ONE_BATCH = {"optimiser.micro_batches": 1, "compute.compile": False, "data.placement": "host"}
"""A few images are not worth cutting, compiling or moving for."""


@dataclass(frozen=True, kw_only=True)
class Preview:
    """b images and their v views, the last p of them perturbed; all on the CPU."""

    images: Tensor
    """uint8 (b, 3, h, w)"""
    classes: tuple[str, ...]
    """Each image's."""
    views: Tensor
    """(v, b, 3, h, w) in [0, 1]"""
    adversarial: Tensor | None
    """(p, b, 3, h, w) in [0, 1]; ``None`` without an adversary."""
    data: str
    """In words."""

    @property
    def perturbations(self) -> Tensor | None:
        """(p, b, 3, h, w)"""
        return None if self.adversarial is None else self.adversarial - self.views[-len(self.adversarial) :]


def preview(
    config: TrialConfig, images: int, *, epoch: int = 1, weights: Mapping[str, Tensor] | None = None
) -> Preview:
    """The first ``images`` of ``epoch``'s first batch as training sees them; the adversary attacks them as one batch.

    The network is ``config``'s at its beginning, or has ``weights``, which may lack the projector's, as those of an
    ended trial do. Raises as ``trainables.trial.run`` does before it trains.
    """
    catalogue.check(config)
    size = config.optimiser.batch_size
    require(2 <= images <= size, f"{images} images cannot be shown; choose 2 to {size}, which is optimiser.batch_size")
    device, splits = resolve_device(config.device), load(config.data)
    pairing = catalogue.find(config.trainable).pairing(config.faithful_to)
    alone = override(config, _AS_ONE_BATCH)
    pretraining = Pretraining(alone, pairing, splits.train, len(splits.classes), device)
    if weights is not None:
        pretraining.model.take(weights)
    pretraining.epoch = epoch - 1
    seen = pretraining.glimpse(images)
    return Preview(
        images=seen.images.images.cpu(),
        classes=tuple(splits.classes[label] for label in seen.images.labels.tolist()),
        views=seen.views.cpu(),
        adversarial=None if seen.adversarial is None else seen.adversarial.cpu(),
        data=splits.description,
    )
