"""How a training step is computed: what it costs in time, and in rounding."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from trainables.config.checks import one_of, require

Precision = Literal["float32", "bfloat16"]
AttackPrecision = Literal["float32", "tf32", "bfloat16"]
"""``tf32``: float32, but for convolutions in TF32 where a GPU has it, both ways, as is torch's own default."""


@dataclass(frozen=True, kw_only=True)
class ComputeConfig:
    """Of pre-training. Weights, their gradients' sums, losses and optimiser are in float32 in any case."""

    precision: Precision = "float32"
    """``bfloat16``: the network's passes under autocast, faster where the processor has bfloat16."""
    compile: bool = False
    """Pre-training's passes, and on a GPU its views, through ``torch.compile``: minutes at the first start, for faster
    steps. What is made is kept (torch's own cache, ``TORCHINDUCTOR_CACHE_DIR``), so that further trials start warm."""

    def __post_init__(self) -> None:
        one_of("compute.precision", self.precision, Precision)
        require(isinstance(self.compile, bool), f"compute.compile is {self.compile!r}; it must be true or false")
