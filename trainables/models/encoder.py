"""Backbone, ``pre_feature`` and projector (softsys4ai/CF-AMC-SSL at ff36114, model/model.py)."""

from __future__ import annotations

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from trainables.config import ConfigError, NetworkConfig
from trainables.models.backbones import backbone
from trainables.models.convolutions import multiply_small_maps
from trainables.models.norms import double_norms
from trainables.models.recompute import recompute_blocks


class Encoder(nn.Module):
    """Images to ``features`` (what linear heads read) and on to embeddings (what the loss reads).

    Embeddings are L2-normalised unless ``normalised`` is false. Given ``classes``, one linear layer stands in the
    projector's place and the output is its logits.
    """

    def __init__(
        self, config: NetworkConfig, *, image_size: int = 32, classes: int | None = None, normalised: bool = True
    ) -> None:
        super().__init__()
        self.classes = classes
        self._normalises = normalised and classes is None
        self.backbone, self.backbone_size = backbone(config, image_size)
        self.features_size = config.pre_feature or self.backbone_size
        self.pre_feature = _hidden(self.backbone_size, config.pre_feature) if config.pre_feature else nn.Identity()
        self.projector = (
            _projector(config, self.features_size) if classes is None else nn.Linear(self.features_size, classes)
        )
        if config.dual_batch_norm and not double_norms(self):
            raise ConfigError(
                f"network.dual_batch_norm is true, but this {config.architecture} has no BatchNorm; set it to false"
            )
        if config.recompute and not recompute_blocks(self.backbone):
            raise ConfigError(
                f"network.recompute is true, but {config.architecture} has no residual or transformer blocks; "
                "set it to false"
            )

    def take(self, weights: Mapping[str, Tensor]) -> None:
        """Have ``weights``, which may lack the projector's, as those of an ended trial do: it stays as it was drawn."""
        begun = {name: value for name, value in self.state_dict().items() if name.startswith("projector.")}
        self.load_state_dict(begun | dict(weights))

    def features(self, images: Tensor) -> Tensor:
        """(b, 3, h, w) in [0, 1] -> (b, features_size)."""
        features: Tensor = self.pre_feature(self.backbone(images))
        return features

    def project(self, images: Tensor) -> Tensor:
        """(b, 3, h, w) in [0, 1] -> (b, embedding or classes), as the projector's last layer leaves them.

        Not in less than float32, under autocast either: the losses begin here.
        """
        projected: Tensor = self.projector(self.features(images))
        return projected.to(torch.promote_types(projected.dtype, torch.float32))

    def forward(self, images: Tensor) -> Tensor:
        """(b, 3, h, w) in [0, 1] -> (b, embedding), rows of length 1 if ``normalised``; or (b, classes) logits."""
        projected = self.project(images)
        return F.normalize(projected, dim=1) if self._normalises else projected


def _projector(config: NetworkConfig, inputs: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for _ in range(config.projector_layers - 1):
        layers += _hidden(inputs, config.projector_hidden)
        inputs = config.projector_hidden
    return nn.Sequential(*layers, nn.Linear(inputs, config.embedding))


def _hidden(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(inputs, outputs), nn.BatchNorm1d(outputs), nn.ReLU())


def build(
    config: NetworkConfig, seed: int, *, image_size: int = 32, classes: int | None = None, normalised: bool = True
) -> Encoder:
    """A fresh encoder on the CPU whose weights depend on the arguments alone; the global random state stays untouched.

    Its weights lie channels last, in which convolutions and norms are fastest, and draw the images after them.
    ``image_size`` in pixels; ``classes``: how many logits, for a supervised encoder; ``normalised``: as ``Encoder``
    has it. ``ConfigError`` for an unknown architecture, or for one that cannot take such images.
    """
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)  # torch.manual_seed would reseed the GPUs too
        encoder = Encoder(config, image_size=image_size, classes=classes, normalised=normalised)
        multiply_small_maps(encoder)
        return encoder.to(memory_format=torch.channels_last)
