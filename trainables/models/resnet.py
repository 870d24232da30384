"""torchvision's ResNet at any width, with a stem for small images.

Parameter names are torchvision's, so that weights move between the two.
"""

from __future__ import annotations

from torch import nn
from torchvision.models.resnet import BasicBlock, Bottleneck, ResNet

from trainables.config import NetworkConfig
from trainables.config.network import ResidualName, Stem

BLOCKS = {10: (1, 1, 1, 1), 18: (2, 2, 2, 2), 34: (3, 4, 6, 3)}
"""Blocks of each stage, by the number of layers they make as basic blocks."""
STAGES: dict[ResidualName, tuple[type[BasicBlock | Bottleneck], tuple[int, ...]]] = {
    "resnet18": (BasicBlock, BLOCKS[18]),
    "resnet34": (BasicBlock, BLOCKS[34]),
    "resnet50": (Bottleneck, (3, 4, 6, 3)),
}


class WidthResNet(ResNet):
    """A ResNet whose stages have width x (1, 2, 4, 8) channels and whose output is pooled features."""

    def __init__(self, block: type[BasicBlock | Bottleneck], blocks: tuple[int, ...], width: int, stem: Stem) -> None:
        super().__init__(block, list(blocks))
        self.inplanes = width
        if stem == "cifar":
            self.conv1 = nn.Conv2d(3, width, kernel_size=3, stride=1, padding=1, bias=False)
            self.maxpool = nn.Identity()  # type: ignore[assignment]
        else:
            self.conv1 = nn.Conv2d(3, width, kernel_size=7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        one, two, three, four = blocks
        self.layer1 = self._make_layer(block, width, one)
        self.layer2 = self._make_layer(block, width * 2, two, stride=2)
        self.layer3 = self._make_layer(block, width * 4, three, stride=2)
        self.layer4 = self._make_layer(block, width * 8, four, stride=2)
        self.fc = nn.Identity()  # type: ignore[assignment]
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")


def backbone(config: NetworkConfig) -> tuple[nn.Module, int]:
    """The network and the size of its output."""
    block, blocks = STAGES[config.architecture]  # type: ignore[index]
    if config.depth is not None:
        blocks = BLOCKS[config.depth]
    return WidthResNet(block, blocks, config.width, config.stem), config.width * 8 * block.expansion
