"""SGD with momentum under layer-wise adaptive rates, clipped or not, and the cosine schedule.

LARS: arXiv 1708.03888; the clipped form and its constants as in softsys4ai/CF-AMC-SSL at ff36114, lars.py; the scaled
form as in GodXuxilie/Efficient_ACL_via_RCS at 6fc9aef, optimizer/lars.py, but for momentum, which here carries
gradients and there steps, so that the two part where the rate changes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any, overload

import torch
from torch import Tensor, nn

from trainables.config import LarsForm

STABILITY = 1e-8


class Lars(torch.optim.Optimizer):
    """SGD whose weights take an adaptive rate on g + wd p, with a = eta |p| / (|g| + wd |p| + 1e-8).

    ``clipped``: the rate is min(a, lr); parameters of one dimension (biases, norms) take the plain rate and no weight
    decay. ``scaled``: the rate is a lr, for all parameters. In both, a parameter whose norm or whose gradient's norm
    is 0 takes the plain rate. All arithmetic is fused over parameters and stays on the device.
    """

    def __init__(
        self,
        parameters: Iterable[nn.Parameter],
        *,
        learning_rate: float,
        momentum: float,
        weight_decay: float,
        eta: float,
        form: LarsForm = "clipped",
        nesterov: bool = True,
    ) -> None:
        defaults = {"lr": learning_rate, "momentum": momentum, "weight_decay": weight_decay, "eta": eta}
        super().__init__(list(parameters), defaults)
        self._clips, self._nesterov = form == "clipped", nesterov

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
        gradients = _adapted(parameters, group, clips=self._clips)
        fresh = [p for p in parameters if "momentum_buffer" not in self.state[p]]
        for p in fresh:
            self.state[p]["momentum_buffer"] = torch.zeros_like(p)
        buffers = [self.state[p]["momentum_buffer"] for p in parameters]
        torch._foreach_mul_(buffers, group["momentum"])
        torch._foreach_add_(buffers, gradients)
        if self._nesterov:
            torch._foreach_add_(gradients, buffers, alpha=group["momentum"])
        torch._foreach_add_(parameters, gradients if self._nesterov else buffers, alpha=-group["lr"])


def _adapted(parameters: list[Tensor], group: dict[str, Any], *, clips: bool) -> list[Tensor]:
    """Copies of the gradients, decayed and scaled; those of one-dimensional parameters as they are where it clips."""
    gradients = [_gradient(p).clone() for p in parameters]
    weights = [i for i, p in enumerate(parameters) if p.ndim != 1 or not clips]
    if not weights:
        return gradients
    values, slopes = [parameters[i] for i in weights], [gradients[i] for i in weights]
    value_norms, slope_norms = (torch.stack(torch._foreach_norm(of)) for of in (values, slopes))
    adapts = (value_norms != 0) & (slope_norms != 0)
    rates = group["eta"] * value_norms / (slope_norms + value_norms * group["weight_decay"] + STABILITY)
    scales = (rates / group["lr"]).clamp(max=1.0) if clips else rates
    scales = torch.where(adapts, scales, 1.0)
    decays = torch.where(adapts, group["weight_decay"] * scales, 0.0)
    torch._foreach_mul_(slopes, list(scales.unbind()))
    torch._foreach_add_(slopes, torch._foreach_mul(values, list(decays.unbind())))
    return gradients


def _gradient(parameter: Tensor) -> Tensor:
    assert parameter.grad is not None
    return parameter.grad


def cosine_rate(step: float, total_steps: int, peak: float, warmup_steps: int = 0) -> float:
    """Learning rate of gradient step ``step`` (from 0): a climb to ``peak``, then a cosine to 0 at ``total_steps``.

    Beyond ``total_steps`` it rises again, as torch's CosineAnnealingLR does.
    """
    if step < warmup_steps:
        return peak * (step + 1) / warmup_steps
    return peak * 0.5 * (1 + math.cos(math.pi * (step - warmup_steps) / (total_steps - warmup_steps)))
