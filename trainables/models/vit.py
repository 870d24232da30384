"""torchvision's VisionTransformer at the sizes of DeiT-Ti and DeiT-S (arXiv 2012.12877), for small images."""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn
from torchvision.models.vision_transformer import VisionTransformer

from trainables.config import NetworkConfig
from trainables.config.checks import require
from trainables.config.network import TransformerName

LAYERS = 12


@dataclass(frozen=True, kw_only=True)
class Size:
    """Of a token, and how many heads share it; the blocks' hidden layers have four times the width."""

    width: int
    heads: int


SIZES: dict[TransformerName, Size] = {"vit_tiny": Size(width=192, heads=3), "vit_small": Size(width=384, heads=6)}


def backbone(config: NetworkConfig, image_size: int) -> tuple[nn.Module, int]:
    """The network, whose output is the class token, and the size of that; ``ConfigError`` if patches do not fit."""
    _check_patches(config.patch_size, image_size)
    size = SIZES[config.architecture]  # type: ignore[index]
    model = VisionTransformer(
        image_size=image_size,
        patch_size=config.patch_size,
        num_layers=LAYERS,
        num_heads=size.heads,
        hidden_dim=size.width,
        mlp_dim=4 * size.width,
        dropout=config.dropout,
    )
    model.heads = nn.Identity()  # type: ignore[assignment]
    return model, size.width


def _check_patches(patch_size: int, image_size: int) -> None:
    fitting = [edge for edge in range(1, image_size + 1) if image_size % edge == 0]
    require(
        patch_size in fitting,
        f"network.patch_size is {patch_size}, which does not divide data.image_size {image_size}; "
        f"choose one of {', '.join(map(str, fitting))}",
    )
