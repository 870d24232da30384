"""Leaving a model exactly as it was found."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn


@contextmanager
def untouched(model: nn.Module) -> Iterator[None]:
    """Within, anything may happen to the model; afterwards, also after an exception, nothing has.

    Restores weights, buffers, gradients, ``requires_grad``, modes and the global random state, bit for bit.
    Within, gradients begin empty.
    """
    parameters, modules = list(model.parameters()), list(model.modules())
    tensors = [*parameters, *model.buffers()]
    values = [tensor.detach().clone() for tensor in tensors]
    flags = [(parameter.requires_grad, parameter.grad) for parameter in parameters]
    modes = [module.training for module in modules]
    for parameter in parameters:
        parameter.grad = None
    try:
        with torch.random.fork_rng({tensor.device for tensor in tensors if tensor.is_cuda}):
            yield
    finally:
        with torch.no_grad():
            for tensor, value in zip(tensors, values, strict=True):
                tensor.copy_(value)
        for parameter, (requires_grad, gradient) in zip(parameters, flags, strict=True):
            parameter.requires_grad_(requires_grad).grad = gradient
        for module, mode in zip(modules, modes, strict=True):
            module.training = mode
