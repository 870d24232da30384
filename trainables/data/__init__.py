"""Images as a trial sees them: where they come from, how they are divided, and the random views they give."""

from __future__ import annotations

from trainables.data.images import DataError, ImageSet, Splits
from trainables.data.load import load
from trainables.data.rng import generator
from trainables.data.stratify import draw
from trainables.data.views import make_views

__all__ = ["DataError", "ImageSet", "Splits", "draw", "generator", "load", "make_views"]
