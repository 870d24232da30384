"""scikit-learn's handwritten digits: 1,797 grey images of 8x8 pixels, without a download."""

from __future__ import annotations

import torch

from trainables.config import DataConfig
from trainables.data.images import ImageSet, Source
from trainables.data.resized import resized
from trainables.data.stratify import divide

_EDGE = 16
_TEST_SHARE = 0.2
_BRIGHTEST = 16


def read_digits(config: DataConfig) -> Source:
    """Resized bilinearly to ``config.image_size``, 16 pixels unless it says otherwise; 20 % are the test set."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    grey = torch.from_numpy(digits.images).mul(255 / _BRIGHTEST).round().to(torch.uint8)
    edge = config.image_size or _EDGE
    images = resized(grey.unsqueeze(1).repeat(1, 3, 1, 1), edge)
    train, test = divide(ImageSet(images, torch.from_numpy(digits.target).long()), _TEST_SHARE, "digits test")
    return Source("digits", train, test, tuple(str(name) for name in digits.target_names))
