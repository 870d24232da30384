"""BatchNorm over the images of all ranks, on any device: statistics and their gradients are those of the whole batch.

c: channels; statistics are over all other dimensions and all ranks, which hold equally many values.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from trainables.parallel import World

_WORLD = "world"


@contextmanager
def shared_norms(model: nn.Module, world: World) -> Iterator[None]:
    """Within: every BatchNorm of ``model`` in training mode normalises by the statistics of all ranks' inputs."""
    norms = [] if world.alone else [module for module in model.modules() if isinstance(module, _BatchNorm)]
    kinds = [type(norm) for norm in norms]
    for norm, kind in zip(norms, kinds, strict=True):
        norm.__class__ = type(f"Shared{kind.__name__}", (_Shared, kind), {})
        setattr(norm, _WORLD, world)
    try:
        yield
    finally:
        for norm, kind in zip(norms, kinds, strict=True):
            norm.__class__ = kind
            delattr(norm, _WORLD)


class _Shared(_BatchNorm):
    """Before a norm's class, it takes over that class's passes in training mode."""

    world: World

    def forward(self, inputs: Tensor) -> Tensor:
        if not self.training:
            return super().forward(inputs)
        mean, variance = _statistics(inputs, self.world)
        if self.track_running_stats:
            self._follow(mean, variance, inputs.numel() // len(mean) * self.world.size)
        outputs: Tensor = _Normalise.apply(inputs, self.weight, self.bias, mean, variance, self.eps, self.world)
        return outputs

    @torch.no_grad()
    def _follow(self, mean: Tensor, variance: Tensor, count: int) -> None:
        """Move the running statistics; the variance that they follow is the unbiased one."""
        assert self.num_batches_tracked is not None
        assert self.running_mean is not None
        assert self.running_var is not None
        self.num_batches_tracked.add_(1)
        share = 1 / float(self.num_batches_tracked) if self.momentum is None else self.momentum
        self.running_mean.mul_(1 - share).add_(mean, alpha=share)
        self.running_var.mul_(1 - share).add_(variance, alpha=share * count / (count - 1))


@torch.no_grad()
def _statistics(inputs: Tensor, world: World) -> tuple[Tensor, Tensor]:
    """Mean and biased variance over all ranks; (b, c, ...) -> (c,), (c,)."""
    variance, mean = torch.var_mean(inputs, _all_but_channels(inputs), correction=0)
    means, variances = torch.stack(world.each(torch.stack([mean, variance]))).unbind(1)
    whole = means.mean(0)
    return whole, (variances + (means - whole) ** 2).mean(0)


class _Normalise(torch.autograd.Function):
    """``F.batch_norm`` whose statistics depend on every rank's inputs.

    The gradients of ``weight`` and ``bias`` are this rank's part, as all weights' are.
    """

    @staticmethod
    def forward(
        ctx: Any, inputs: Tensor, weight: Tensor, bias: Tensor, mean: Tensor, variance: Tensor, eps: float, world: World
    ) -> Tensor:
        ctx.save_for_backward(inputs, weight, mean, (variance + eps).rsqrt())
        ctx.world = world
        return F.batch_norm(inputs, mean, variance, weight, bias, training=False, eps=eps)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        inputs, weight, mean, inverse = ctx.saved_tensors
        over = _all_but_channels(inputs)
        normalised = (inputs - _of_channels(mean, inputs)) * _of_channels(inverse, inputs)
        to_bias, to_weight = gradient.sum(over), (gradient * normalised).sum(over)
        sums = torch.stack([to_bias, to_weight])
        ctx.world.add_up([sums])
        constant, slope = sums / (inputs.numel() // len(mean) * ctx.world.size)
        through = gradient - _of_channels(constant, inputs) - normalised * _of_channels(slope, inputs)
        to_inputs = through * _of_channels(weight * inverse, inputs)
        return to_inputs, to_weight, to_bias, None, None, None, None


def _all_but_channels(inputs: Tensor) -> list[int]:
    return [dim for dim in range(inputs.ndim) if dim != 1]


def _of_channels(values: Tensor, inputs: Tensor) -> Tensor:
    """(c,) -> one that broadcasts over ``inputs``, (b, c, ...)."""
    return values.view(-1, *(1 for _ in range(inputs.ndim - 2)))
