"""In what precision a network is run."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from trainables.config import Precision


def in_precision(network: Callable[[Tensor], Tensor], precision: Precision) -> Callable[[Tensor], Tensor]:
    """``network``, run under autocast where ``precision`` asks for less than its weights have.

    What it gives is not of less than float32, so that losses and verdicts begin there. A caller's own autocast is shut
    out.
    """

    def run(images: Tensor) -> Tensor:
        with torch.autocast(images.device.type, dtype=torch.bfloat16, enabled=precision == "bfloat16"):
            outputs = network(images)
        return outputs.to(torch.promote_types(outputs.dtype, torch.float32))

    return run
