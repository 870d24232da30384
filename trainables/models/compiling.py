"""A model's passes through ``torch.compile``: soon begun where its cache is warm, and as fast on a CPU as elsewhere."""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from trainables.models.convolutions import convolve


def compile_passes(model: nn.Module) -> None:
    """Compile the passes of ``model`` from now on, in place: its parameters and their names stay."""
    torch.compiler.reset()  # a process may compile only so much of one function, and may have run other models
    for function in (convolve, normalise):
        _read_as_one(function)
    for module in model.modules():
        if type(module) is nn.BatchNorm2d:
            module.__class__ = CompiledBatchNorm
    model.compile(dynamic=False)  # an adversary may see other numbers of views than training: each has code of its own


class CompiledBatchNorm(nn.BatchNorm2d):
    """``nn.BatchNorm2d``; compiled for a CPU, in training mode, with its statistics from one sum over the batch.

    The compiler makes of PyTorch's own a pass of Welford's formula for every 32 channels, and keeps the statistics for
    the backward pass in the inputs' precision, bfloat16 say.
    """

    def forward(self, inputs: Tensor) -> Tensor:
        sums = self.training and torch.compiler.is_compiling() and inputs.device.type == "cpu"
        if not sums or not self.affine or self.momentum is None:
            return super().forward(inputs)
        running_mean = running_variance = None
        if self.track_running_stats and self.num_batches_tracked is not None:
            self.num_batches_tracked.add_(1)
            running_mean, running_variance = self.running_mean, self.running_var
        return normalise(inputs, self.weight, self.bias, running_mean, running_variance, self.momentum, self.eps)


def normalise(
    inputs: Tensor,
    weight: Tensor,
    bias: Tensor,
    running_mean: Tensor | None,
    running_variance: Tensor | None,
    momentum: float,
    eps: float,
) -> Tensor:
    """(b, c, h, w) normalised by the batch's statistics, which the running ones follow; the rest of them (c,).

    Sums are in float32 and about each channel's first pixel, so that little cancels between them.
    """
    values = inputs.float()
    moved = values - values[:1, :, :1, :1].detach()
    mean = moved.mean((0, 2, 3))
    variance = moved.square().mean((0, 2, 3)) - mean.square()
    if running_mean is not None and running_variance is not None:
        count = inputs.numel() // len(mean)
        with torch.no_grad():
            running_mean.lerp_(mean + values[0, :, 0, 0], momentum)
            running_variance.lerp_(variance * (count / (count - 1)), momentum)
    scale = weight * (variance + eps).rsqrt()
    outputs = moved * scale[:, None, None] + (bias - mean * scale)[:, None, None]
    return outputs.to(inputs.dtype)


def _read_as_one(function: Callable[..., Any]) -> None:
    """Let the compiler take ``function`` as one operation, which it reads in a third of the time.

    Its cache keeps nothing with an operation that is not torch's, but where it is told what that depends on: here
    the text of the function's file.
    """
    from torch._inductor import config

    file = inspect.getsourcefile(function)
    assert file is not None
    torch.compiler.allow_in_graph(function)
    config.unsafe_marked_cacheable_functions = {
        **config.unsafe_marked_cacheable_functions,
        f"{function.__module__}.{function.__name__}": hashlib.sha256(Path(file).read_bytes()).hexdigest(),
    }
