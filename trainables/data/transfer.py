"""Pre-training on one data set, heads on another."""

from __future__ import annotations

from dataclasses import replace

from trainables.config import DataConfig, TrialConfig
from trainables.data.images import DataError, ImageSet


def heads_data(config: TrialConfig, pretraining: ImageSet) -> DataConfig:
    """What the heads of ``config`` are trained and measured on, at the size of the ``pretraining`` images.

    ``config.data`` itself without ``evaluation.source``. ``data.train_images`` caps pre-training alone; the heads'
    cap is ``evaluation.head_images``. Raises ``DataError`` if the pre-training images are not square.
    """
    source = config.evaluation.source
    if source is None:
        return config.data
    height, width = pretraining.size
    if height != width:
        raise DataError(
            f"evaluation.source is {source!r}, which is brought to squares, but pre-training images have "
            f"{width}x{height} pixels; set data.image_size"
        )
    return replace(config.data, source=source, image_size=height, train_images=None)
