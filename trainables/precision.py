"""In what precision a network is run."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from trainables.config import AttackPrecision


def in_precision(network: Callable[[Tensor], Tensor], precision: AttackPrecision) -> Callable[[Tensor], Tensor]:
    """``network``, run under autocast where ``precision`` asks for less than its weights have.

    What it gives is not of less than float32, so that losses and verdicts begin there. A caller's own autocast is shut
    out.
    """

    def run(images: Tensor) -> Tensor:
        with torch.autocast(images.device.type, dtype=torch.bfloat16, enabled=precision == "bfloat16"):
            outputs = network(images)
        return outputs.to(torch.promote_types(outputs.dtype, torch.float32))

    return run


@contextmanager
def float32_convolutions(*, tf32: bool = False) -> Iterator[None]:
    """Within: a GPU's convolutions of float32 are in float32, or in TF32, its default; backward passes heed it, too."""
    with torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=False, allow_tf32=tf32):
        yield
