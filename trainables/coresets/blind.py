"""The control of every coreset: as many minibatches, drawn without looking."""

from __future__ import annotations

import torch


def random_subset(count: int, budget: int, random: torch.Generator) -> list[int]:
    """``budget`` different indices below ``count``; ``ValueError`` unless 0 <= budget <= count."""
    if not 0 <= budget <= count:
        raise ValueError(f"budget is {budget} of {count} minibatches; it must lie between 0 and {count}")
    drawn: list[int] = torch.randperm(count, generator=random, device=random.device)[:budget].tolist()
    return drawn
