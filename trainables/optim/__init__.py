"""The optimiser and its schedule."""

from trainables.optim.lars import Lars, cosine_rate

__all__ = ["Lars", "cosine_rate"]
