"""From whole images to logits: an encoder, and a head on what it makes of them."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from trainables.config import ConfigError
from trainables.models import Encoder


class Classifier(nn.Module):
    """A frozen encoder in evaluation mode under a head on its ``features``; (b, 3, h, w) -> logits (b, classes)."""

    def __init__(self, encoder: Encoder, head: nn.Module) -> None:
        super().__init__()
        self.encoder = encoder.eval().requires_grad_(False)
        self.head = head.to(self.device)

    @property
    def device(self) -> torch.device:
        return next(self.encoder.parameters()).device

    @property
    def learned(self) -> nn.Module:
        """The part that training the head changes, and that a file of the head therefore holds."""
        return self.head

    def represent(self, images: Tensor) -> Tensor:
        """What the head reads, (b, size)."""
        return self.encoder.features(images)

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.head(self.represent(images))
        return logits


class BackboneClassifier(Classifier):
    """The head reads the backbone's output."""

    def represent(self, images: Tensor) -> Tensor:
        output: Tensor = self.encoder.backbone(images)
        return output


class FinetunedClassifier(BackboneClassifier):
    """A copy of the encoder, to be trained with its head; the encoder given stays as it is."""

    def __init__(self, encoder: Encoder, head: nn.Module) -> None:
        super().__init__(copy.deepcopy(encoder), head)

    @property
    def learned(self) -> nn.Module:
        return self


class OwnClassifier(Classifier):
    """A supervised network as its training left it; ``ConfigError`` if the encoder is no classifier."""

    def __init__(self, encoder: Encoder) -> None:
        if encoder.classes is None:
            raise ConfigError("evaluation.heads holds 'own' but this encoder has no classifier; take another head")
        super().__init__(encoder, nn.Identity())

    def represent(self, images: Tensor) -> Tensor:
        logits: Tensor = self.encoder(images)
        return logits
