"""Any classifier of torchvision, its last layer taken off.

Of what torchvision draws at random in training, dropout follows ``network.dropout`` and stochastic depth is off.
"""

from __future__ import annotations

from contextlib import nullcontext
from functools import cache
from typing import Any

import torch
from torch import nn
from torchvision import models
from torchvision.ops import StochasticDepth

from trainables.config import ConfigError, NetworkConfig
from trainables.config.checks import require


@cache
def names() -> frozenset[str]:
    """Classifiers alone: detection, segmentation, video and quantised networks live in other modules."""
    return frozenset(models.list_models(module=models))  # type: ignore[attr-defined]


def backbone(config: NetworkConfig, image_size: int) -> tuple[nn.Module, int]:
    """The network and the size of its output; ``ConfigError`` if it cannot take images of ``image_size`` pixels."""
    name = config.architecture
    try:
        # Also where shapes alone are asked for, on ``meta``: a RegNet reads numbers while it is built.
        with torch.device("cpu") if name.startswith("regnet") else nullcontext():
            model = models.get_model(name, weights=None, **_options(name, image_size))  # type: ignore[attr-defined]
            size = _behead(model)
            with torch.no_grad():
                model.eval()(torch.zeros(1, 3, image_size, image_size))
    except (AssertionError, RuntimeError, ValueError) as error:
        reason = str(error).partition("\n")[0]
        raise ConfigError(
            f"network.architecture is {name!r}, which cannot take images of {image_size} pixels ({reason}); "
            "choose another, or raise data.image_size (most are made for 224)"
        ) from error
    _set_dropout(model, config)
    return model.train(), size


def _options(name: str, image_size: int) -> dict[str, Any]:
    if name.startswith("vit_"):
        return {"image_size": image_size}
    if name.startswith("maxvit_"):
        return {"input_size": (image_size, image_size)}
    if name in ("googlenet", "inception_v3"):
        return {"aux_logits": False, "init_weights": True}
    return {}


def _behead(model: nn.Module) -> int:
    """Replace the last layer by nothing; the size of what it read."""
    name, layer = [
        (name, module) for name, module in model.named_modules() if isinstance(module, nn.Linear | nn.Conv2d)
    ][-1]
    model.set_submodule(name, nn.Identity())
    return layer.in_features if isinstance(layer, nn.Linear) else layer.in_channels


def _set_dropout(model: nn.Module, config: NetworkConfig) -> None:
    dropouts = [module for module in model.modules() if isinstance(module, nn.Dropout)]
    require(
        bool(dropouts) or config.dropout == 0,
        f"network.dropout is {config.dropout}, but {config.architecture} has no dropout; set it to 0",
    )
    for dropout in dropouts:
        dropout.p = config.dropout
    for module in model.modules():
        if isinstance(module, StochasticDepth):
            module.p = 0.0
