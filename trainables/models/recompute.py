"""Activation recomputation (arXiv 1604.06174): memory for time, and nothing else changes.

A block keeps its input alone and runs again in the backward pass. The second run sees what the first one saw: the same
random draws, the same mode and branch of every norm. Running statistics move in the first run only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.checkpoint import checkpoint
from torchvision.models import (
    convnext,
    efficientnet,
    maxvit,
    mobilenetv2,
    mobilenetv3,
    regnet,
    resnet,
    shufflenetv2,
    swin_transformer,
    vision_transformer,
)

from trainables.models.norms import DualBatchNorm

BLOCKS: tuple[type[nn.Module], ...] = (
    convnext.CNBlock,
    efficientnet.FusedMBConv,
    efficientnet.MBConv,
    maxvit.MaxVitLayer,
    mobilenetv2.InvertedResidual,
    mobilenetv3.InvertedResidual,
    regnet.ResBottleneckBlock,
    resnet.BasicBlock,
    resnet.Bottleneck,
    shufflenetv2.InvertedResidual,
    swin_transformer.SwinTransformerBlock,
    vision_transformer.EncoderBlock,
)
"""What is recomputed as a whole: torchvision's residual and transformer blocks."""

Setting = tuple[nn.Module, str, Any]
"""(part, attribute, value)"""

_STATISTICS = ("running_mean", "running_var", "num_batches_tracked")


def recompute_blocks(model: nn.Module) -> int:
    """Let every block within ``model`` recompute its activations; how many there are. The model's keys stay."""
    blocks = [module for module in model.modules() if isinstance(module, BLOCKS)]
    for block in blocks:
        block.__class__ = _recomputing(type(block))  # in place of a wrapper, which would rename the weights
    return len(blocks)


class _Recomputing(nn.Module):
    """Before a block's class, it wraps that class's forward pass."""

    def forward(self, *inputs: Tensor) -> Tensor:
        run: Callable[..., Tensor] = super().forward
        if not torch.is_grad_enabled():
            return run(*inputs)
        outputs: Tensor = checkpoint(run, *inputs, use_reentrant=False, context_fn=lambda: _contexts(self))
        return outputs


def _recomputing(block: type[nn.Module]) -> type[nn.Module]:
    return type(f"Recomputing{block.__name__}", (_Recomputing, block), {})


def _contexts(block: nn.Module) -> tuple[AbstractContextManager[None], AbstractContextManager[None]]:
    """Of the first run, and of the second, which begins where this call finds the block."""
    return nullcontext(), _again(block, _modes(block))


def _modes(block: nn.Module) -> list[Setting]:
    """What decides how the parts of ``block`` compute, besides weights and inputs."""
    found: list[Setting] = []
    for module in block.modules():
        found.append((module, "training", module.training))
        if isinstance(module, DualBatchNorm):
            found.append((module, "active", module.active))
        if isinstance(module, _BatchNorm):
            found.append((module, "track_running_stats", module.track_running_stats))
    return found


@contextmanager
def _again(block: nn.Module, modes: list[Setting]) -> Iterator[None]:
    """Within: the block's parts are in these ``modes`` and move copies of their statistics."""
    norms = [module for module in block.modules() if isinstance(module, _BatchNorm)]
    statistics: list[Setting] = [(norm, name, getattr(norm, name)) for norm in norms for name in _STATISTICS]
    here = [(module, name, getattr(module, name)) for module, name, _ in modes] + statistics
    copies: list[Setting] = [(norm, name, None if value is None else value.clone()) for norm, name, value in statistics]
    _set(modes + copies)
    try:
        yield
    finally:
        _set(here)


def _set(values: list[Setting]) -> None:
    for module, name, value in values:
        setattr(module, name, value)
