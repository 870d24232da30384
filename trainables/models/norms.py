"""BatchNorm in two branches (arXiv 2010.13337; GodXuxilie/Efficient_ACL_via_RCS at 6fc9aef, resnet_multi_bn.py).

Clean and adversarial views differ in their statistics, so each kind gets norms of its own; all else is shared.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Literal, get_args

from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

Branch = Literal["clean", "adversarial"]


class DualBatchNorm(nn.Module):
    """Two norms that start alike; passes use ``adversarial`` unless within ``branch(model, "clean")``."""

    def __init__(self, norm: _BatchNorm) -> None:
        super().__init__()
        self.clean = norm
        self.adversarial = copy.deepcopy(norm)
        self.active: Branch = "adversarial"

    def forward(self, inputs: Tensor) -> Tensor:
        normalised: Tensor = (self.clean if self.active == "clean" else self.adversarial)(inputs)
        return normalised


def double_norms(model: nn.Module) -> int:
    """Put a ``DualBatchNorm`` in place of every BatchNorm within ``model``; how many there were."""
    norms = [(name, module) for name, module in model.named_modules() if isinstance(module, _BatchNorm)]
    for name, norm in norms:
        model.set_submodule(name, DualBatchNorm(norm))
    return len(norms)


@contextmanager
def branch(model: nn.Module, name: Branch) -> Iterator[None]:
    """Within: passes of ``model`` use the norms of this branch. No effect on a model without dual norms."""
    if name not in get_args(Branch):
        raise ValueError(f"branch is {name!r}; choose one of {', '.join(get_args(Branch))}")
    norms = [module for module in model.modules() if isinstance(module, DualBatchNorm)]
    before = [norm.active for norm in norms]
    for norm in norms:
        norm.active = name
    try:
        yield
    finally:
        for norm, active in zip(norms, before, strict=True):
            norm.active = active


def single_branch(state: Mapping[str, Tensor], name: Branch = "adversarial") -> dict[str, Tensor]:
    """A dual model's ``state_dict`` as the same model with this branch's norms alone would have it.

    Of ``encoder.backbone`` it gives torchvision's keys. A state without dual norms comes back as it is.
    """
    (other,) = set(get_args(Branch)) - {name}
    kept: dict[str, Tensor] = {}
    for key, value in state.items():
        *path, leaf = key.split(".")
        if path[-1:] == [other]:
            continue
        if path[-1:] == [name]:
            path.pop()
        kept[".".join([*path, leaf])] = value
    return kept


@contextmanager
def frozen_statistics(model: nn.Module) -> Iterator[None]:
    """Within: BatchNorm normalises by its mode as ever but leaves its running statistics alone."""
    norms = [module for module in model.modules() if isinstance(module, _BatchNorm) and module.track_running_stats]
    for norm in norms:
        norm.track_running_stats = False
    try:
        yield
    finally:
        for norm in norms:
            norm.track_running_stats = True
