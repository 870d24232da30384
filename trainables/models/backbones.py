"""From an architecture's name to its network."""

from __future__ import annotations

from torch import nn

from trainables.config import ConfigError, NetworkConfig
from trainables.models import resnet, vit, zoo
from trainables.wording import near


def backbone(config: NetworkConfig, image_size: int) -> tuple[nn.Module, int]:
    """From (b, 3, image_size, image_size) to (b, size), and that size; ``ConfigError`` for an unknown architecture."""
    if config.architecture in resnet.STAGES:
        return resnet.backbone(config)
    if config.architecture in vit.SIZES:
        return vit.backbone(config, image_size)
    if config.architecture in zoo.names():
        return zoo.backbone(config, image_size)
    raise _unknown(config.architecture)


def _unknown(name: str) -> ConfigError:
    ours = [*resnet.STAGES, *vit.SIZES]
    others = [other for other in zoo.names() if other not in ours]
    nearest = near(name, others)
    such_as = f" such as {', '.join(nearest)}" if nearest else ""
    return ConfigError(
        f"network.architecture is {name!r}; choose one of {', '.join(ours)}, or a classifier of torchvision{such_as}"
    )
