"""What counts as classified right, the same for every attack."""

from __future__ import annotations

from torch import Tensor


def classified_right(logits: Tensor, labels: Tensor) -> Tensor:
    """(b, classes), (b,) -> bool (b,). Logits that are no numbers classify nothing: argmax would call them class 0."""
    verdicts: Tensor = (logits.argmax(dim=1) == labels) & logits.isfinite().all(dim=1)
    return verdicts
