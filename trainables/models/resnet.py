"""torchvision's ResNet with basic blocks at any width and depth, with a stem for small images.

Parameter names are torchvision's, so that weights move between the two.
"""

from __future__ import annotations

from torch import nn
from torchvision.models.resnet import BasicBlock, ResNet

from trainables.config import ConfigError, NetworkConfig

BLOCKS = {10: [1, 1, 1, 1], 18: [2, 2, 2, 2], 34: [3, 4, 6, 3]}
ARCHITECTURES = {"resnet18": 18, "resnet34": 34}


class BasicResNet(ResNet):
    """A ResNet of basic blocks whose stages have width x (1, 2, 4, 8) channels and whose output is pooled features."""

    def __init__(self, depth: int, width: int, stem: str) -> None:
        super().__init__(BasicBlock, BLOCKS[depth])
        self.inplanes = width
        if stem == "cifar":
            self.conv1 = nn.Conv2d(3, width, kernel_size=3, stride=1, padding=1, bias=False)
            self.maxpool = nn.Identity()  # type: ignore[assignment]
        else:
            self.conv1 = nn.Conv2d(3, width, kernel_size=7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        one, two, three, four = BLOCKS[depth]
        self.layer1 = self._make_layer(BasicBlock, width, one)
        self.layer2 = self._make_layer(BasicBlock, width * 2, two, stride=2)
        self.layer3 = self._make_layer(BasicBlock, width * 4, three, stride=2)
        self.layer4 = self._make_layer(BasicBlock, width * 8, four, stride=2)
        self.fc = nn.Identity()  # type: ignore[assignment]
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")


def backbone(config: NetworkConfig) -> tuple[nn.Module, int]:
    """The backbone and the size of its output; ``ConfigError`` for an unknown architecture."""
    if config.architecture not in ARCHITECTURES:
        valid = ", ".join(ARCHITECTURES)
        raise ConfigError(f"network.architecture is {config.architecture!r}; choose one of {valid}")
    depth = config.depth or ARCHITECTURES[config.architecture]
    return BasicResNet(depth, config.width, config.stem), config.width * 8
