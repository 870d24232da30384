"""Images as a trial sees them: where they come from, how they are divided, and the random views they give."""

from __future__ import annotations

from trainables.data.crops import shifted
from trainables.data.identity import identity
from trainables.data.images import DataError, ImageSet, Splits, pixels
from trainables.data.load import download_folder, in_blank, load
from trainables.data.rng import generator, global_stream
from trainables.data.stratify import divide, draw, draw_rows
from trainables.data.stream import in_order, place, stream
from trainables.data.transfer import heads_data
from trainables.data.views import Apply, ViewParameters, apply_views, make_views, of_first, sample_views, strength

__all__ = [
    "Apply",
    "DataError",
    "ImageSet",
    "Splits",
    "ViewParameters",
    "apply_views",
    "divide",
    "download_folder",
    "draw",
    "draw_rows",
    "generator",
    "global_stream",
    "heads_data",
    "identity",
    "in_blank",
    "in_order",
    "load",
    "make_views",
    "of_first",
    "pixels",
    "place",
    "sample_views",
    "shifted",
    "stream",
    "strength",
]
