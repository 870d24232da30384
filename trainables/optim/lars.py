"""SGD with Nesterov momentum under layer-wise adaptive rates with clipping, and the cosine schedule.

LARS: arXiv 1708.03888; the clipped form and its constants as in softsys4ai/CF-AMC-SSL at ff36114, lars.py.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any, overload

import torch
from torch import Tensor, nn

STABILITY = 1e-8


class Lars(torch.optim.Optimizer):
    """SGD whose weight matrices take the rate min(eta |p| / (|g| + wd |p| + 1e-8), lr) on g + wd p.

    Parameters of one dimension (biases, norms) take the plain rate and no weight decay, as do those whose norm or
    whose gradient's norm is 0. All arithmetic is fused over parameters and stays on the device.
    """

    def __init__(
        self,
        parameters: Iterable[nn.Parameter],
        *,
        learning_rate: float,
        momentum: float,
        weight_decay: float,
        eta: float,
    ) -> None:
        defaults = {"lr": learning_rate, "momentum": momentum, "weight_decay": weight_decay, "eta": eta}
        super().__init__(list(parameters), defaults)

    @overload
    def step(self, closure: None = None) -> None: ...
    @overload
    def step(self, closure: Callable[[], float]) -> float: ...
    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:
        """One update from the gradients at hand; a closure is refused, the loop computes gradients itself."""
        if closure is not None:
            raise ValueError("Lars takes no closure")
        for group in self.param_groups:
            parameters: list[Tensor] = [p for p in group["params"] if p.grad is not None]
            if parameters:
                self._update(parameters, group)
        return None

    def _update(self, parameters: list[Tensor], group: dict[str, Any]) -> None:
        gradients = _adapted(parameters, group)
        fresh = [p for p in parameters if "momentum_buffer" not in self.state[p]]
        for p in fresh:
            self.state[p]["momentum_buffer"] = torch.zeros_like(p)
        buffers = [self.state[p]["momentum_buffer"] for p in parameters]
        torch._foreach_mul_(buffers, group["momentum"])
        torch._foreach_add_(buffers, gradients)
        torch._foreach_add_(gradients, buffers, alpha=group["momentum"])
        torch._foreach_add_(parameters, gradients, alpha=-group["lr"])


def _adapted(parameters: list[Tensor], group: dict[str, Any]) -> list[Tensor]:
    """Copies of the gradients: decayed and scaled for weights, as they are for one-dimensional parameters."""
    gradients = [_gradient(p).clone() for p in parameters]
    weights = [i for i, p in enumerate(parameters) if p.ndim != 1]
    if not weights:
        return gradients
    values, slopes = [parameters[i] for i in weights], [gradients[i] for i in weights]
    value_norms, slope_norms = torch._foreach_norm(values), torch._foreach_norm(slopes)
    for value, slope, p_norm, g_norm in zip(values, slopes, value_norms, slope_norms, strict=True):
        adapts = (p_norm != 0) & (g_norm != 0)
        rate = group["eta"] * p_norm / (g_norm + p_norm * group["weight_decay"] + STABILITY)
        scale = torch.where(adapts, (rate / group["lr"]).clamp(max=1.0), torch.ones_like(rate))
        decay = torch.where(adapts, group["weight_decay"] * scale, torch.zeros_like(rate))
        slope.mul_(scale).add_(value * decay)
    return gradients


def _gradient(parameter: Tensor) -> Tensor:
    assert parameter.grad is not None
    return parameter.grad


def cosine_rate(step: int, total_steps: int, peak: float) -> float:
    """Learning rate of gradient step ``step`` (from 0): a cosine from ``peak`` to 0 at ``total_steps``.

    Beyond ``total_steps`` it rises again, as torch's CosineAnnealingLR does.
    """
    return peak * 0.5 * (1 + math.cos(math.pi * step / total_steps))
