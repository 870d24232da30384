"""Backbones and the encoder around them."""

from trainables.models.encoder import Encoder, build, frozen_statistics

__all__ = ["Encoder", "build", "frozen_statistics"]
