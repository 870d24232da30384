"""The encoder's parts and their sizes."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Literal, get_args

from trainables.config.checks import at_least, at_most, one_of, require

Stem = Literal["cifar", "imagenet"]
BasicName = Literal["resnet18", "resnet34"]
ResidualName = Literal[BasicName, "resnet50"]
TransformerName = Literal["vit_tiny", "vit_small"]
_OWNERS: dict[str, tuple[str, ...]] = {
    "depth": get_args(BasicName),
    "width": get_args(ResidualName),
    "stem": get_args(ResidualName),
    "patch_size": get_args(TransformerName),
}
"""The architectures that have a setting, where not all do."""


def has_setting(architecture: str, name: str) -> bool:
    """Whether ``name`` of ``NetworkConfig`` means anything to networks of that architecture."""
    return architecture in _OWNERS.get(name, (architecture,))


@dataclass(frozen=True, kw_only=True)
class NetworkConfig:
    """Backbone, ``pre_feature`` layer (what the linear heads read) and projector.

    A setting that the architecture does not have must keep its default.
    """

    architecture: str = "resnet18"
    """``resnet18``, ``resnet34``, ``resnet50``, ``vit_tiny``, ``vit_small``, or any other classifier of torchvision by
    name, built as it stands there."""
    stem: Stem = "cifar"
    """``cifar``: 3x3 stride-1 convolution without max-pool [C]. Of ``resnet18``, ``resnet34`` and ``resnet50``."""
    width: int = 64
    """Channels of the first stage of a ``resnet18``, ``resnet34`` or ``resnet50`` (whose blocks put out four times as
    many); the later stages have 2, 4 and 8 times as many."""
    depth: int | None = None
    """Layers of a ``resnet18`` or ``resnet34``, to override the architecture's: 10 (one block a stage), 18 or 34."""
    patch_size: int = 4
    """Edge in pixels of a ``vit_tiny``'s or ``vit_small``'s patches; must divide ``data.image_size``."""
    dropout: float = 0.0
    """Of a vision transformer, after embeddings and in its blocks; of torchvision's other classifiers, wherever they
    have dropout."""
    dual_batch_norm: bool = False
    """A second set of BatchNorms for adversarial views, which evaluation then uses (arXiv 2010.13337)."""
    pre_feature: int | None = 4096
    """Size of the layer that heads read; ``None``: no such layer, heads read the backbone's output."""
    projector_hidden: int = 4096
    """Size of the projector's layers but the last."""
    projector_layers: int = 2
    """Linear layers of the projector, BatchNorm and ReLU between them."""
    embedding: int = 1024
    """Size of the projector's output, which the objective reads."""
    recompute: bool = False
    """Residual and transformer blocks keep their inputs alone and run again in a backward pass: less memory, about a
    third more time. Never changes what is computed, nor the cost in forward-equivalents."""

    def __post_init__(self) -> None:
        one_of("network.stem", self.stem, Stem)
        require(self.depth in (None, 10, 18, 34), f"network.depth is {self.depth}; choose 10, 18 or 34")
        require(0 <= self.dropout < 1, f"network.dropout is {self.dropout}; it must lie in [0, 1)")
        sizes = ("width", "patch_size", "pre_feature", "projector_hidden", "projector_layers", "embedding")
        at_least(self, "network", 1, *sizes)
        at_most(self, "network", 1024, "there a ResNet-18 has three thousand million weights", "width")
        layers = ("pre_feature", "projector_hidden", "embedding")
        at_most(self, "network", 65536, "two such layers are joined by 16 GiB of weights", *layers)
        at_most(self, "network", 64, "a deeper projector than the network itself learns nothing", "projector_layers")
        for name, owners in _OWNERS.items():
            self._only(name, owners)
        if self.architecture in get_args(ResidualName):
            self._only("dropout", get_args(TransformerName))

    def words(self) -> str:
        """``resnet18, cifar stem, width 64``; of another architecture its name."""
        residual = f", {self.stem} stem, width {self.width}" if self.architecture in get_args(ResidualName) else ""
        depth = f", {self.depth} layers" if self.depth else ""
        return f"{self.architecture}{residual}{depth}"

    def _only(self, name: str, owners: tuple[str, ...]) -> None:
        """``ConfigError`` if ``name`` is not at its default though the architecture is none of ``owners``."""
        value, default = getattr(self, name), {field.name: field.default for field in dataclasses.fields(self)}[name]
        kept = "null" if default is None else repr(default)  # as a study file has it
        require(
            value == default or self.architecture in owners,
            f"network.{name} is {value!r}, which {self.architecture!r} does not have; "
            f"leave it at {kept} or set network.architecture to one of {', '.join(owners)}",
        )
