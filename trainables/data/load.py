"""From a data config to the three sets of images that a trial uses."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

from trainables.config import DataConfig
from trainables.data.cifar import CIFAR, blank_cifar, home_of, read_cifar
from trainables.data.digits import read_digits
from trainables.data.folder import read_folder
from trainables.data.images import Source, Splits
from trainables.data.stratify import train_and_validation

_blank = ContextVar("_blank", default=False)


@contextmanager
def in_blank() -> Iterator[None]:
    """Within: ``load`` downloads nothing; of images that it would, it gives as many black ones of their size and number
    of classes. What is learned of a configuration from numbers of images alone is then as with the images themselves.
    """
    token = _blank.set(True)
    try:
        yield
    finally:
        _blank.reset(token)


def load(config: DataConfig, *, progress: bool = False) -> Splits:
    """The images of ``config.source``, on the CPU; validation images come from the source's training images.

    The division depends on ``config`` alone, never on a trial's seed. Warnings also go to stderr, and with
    ``progress`` the share of decoded images. Raises ``DataError``.
    """
    source = _read(config, progress=progress)
    for warning in source.warnings:
        sys.stderr.write(f"warning: {warning}\n")
    train, validation = train_and_validation(source.train, config)
    height, width = train.size
    description = (
        f"{source.name}, {width}x{height} pixels, {len(source.classes)} classes: "
        f"{len(train)} training, {len(validation)} validation, {len(source.test)} test images"
    )
    return Splits(train, validation, source.test, source.classes, description, source.warnings)


def download_folder(config: DataConfig) -> Path | None:
    """Where ``load`` would download the images to; ``None`` if it would not: they are there, or may not be."""
    if not config.download or config.source not in CIFAR:
        return None
    home = home_of(config)
    return None if home.is_dir() else home


def _read(config: DataConfig, *, progress: bool) -> Source:
    if config.source == "digits":
        return read_digits(config)
    if config.source in CIFAR:
        return blank_cifar(config) if _blank.get() and download_folder(config) else read_cifar(config)
    return read_folder(config, progress=progress)
