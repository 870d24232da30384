"""The encoder's parts and their sizes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from trainables.config.checks import at_least, one_of, require

Stem = Literal["cifar", "imagenet"]


@dataclass(frozen=True, kw_only=True)
class NetworkConfig:
    """Backbone, ``pre_feature`` layer (what the linear heads read) and projector."""

    architecture: str = "resnet18"
    """``resnet18``, ``resnet34``, ``resnet50``, ``vit_tiny``, ``vit_small``, or any classifier of torchvision by name."""
    stem: Stem = "cifar"
    """``cifar``: 3x3 stride-1 convolution without max-pool [C]. Of residual networks alone."""
    width: int = 64
    """Channels of a residual network's first stage; the later stages have 2, 4 and 8 times as many."""
    depth: int | None = None
    """Layers of a residual network of basic blocks, to override the architecture's: 10 (one block a stage), 18 or 34."""
    patch_size: int = 4
    """Edge in pixels of a vision transformer's patches."""
    dropout: float = 0.0
    """Of a vision transformer, after embeddings and in its blocks."""
    dual_batch_norm: bool = False
    """A second set of BatchNorms for adversarial views, which evaluation then uses (arXiv 2010.13337)."""
    pre_feature: int | None = 4096
    """Size of the layer that heads read; ``None``: no such layer, heads read the backbone's output."""
    projector_hidden: int = 4096
    projector_layers: int = 2
    """Linear layers of the projector, BatchNorm and ReLU between them."""
    embedding: int = 1024

    def __post_init__(self) -> None:
        one_of("network.stem", self.stem, Stem)
        require(self.depth in (None, 10, 18, 34), f"network.depth is {self.depth}; choose 10, 18 or 34")
        require(0 <= self.dropout < 1, f"network.dropout is {self.dropout}; it must lie in [0, 1)")
        sizes = ("width", "patch_size", "pre_feature", "projector_hidden", "projector_layers", "embedding")
        at_least(self, "network", 1, *sizes)
