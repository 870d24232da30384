"""CIFAR-10 and CIFAR-100 (Krizhevsky 2009) through torchvision."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import torch
from torchvision.datasets import CIFAR10, CIFAR100

from trainables.config import DataConfig
from trainables.data.images import DataError, ImageSet, Source
from trainables.data.resized import resized
from trainables.data.store import data_root, publish

_EDGE, _TRAINING, _TEST = 32, 50_000, 10_000
_DATASETS = {"cifar10": CIFAR10, "cifar100": CIFAR100}
_CLASSES = {"cifar10": 10, "cifar100": 100}
CIFAR = tuple(_DATASETS)


def read_cifar(config: DataConfig) -> Source:
    """The original images, resized if ``config.image_size`` differs from 32; downloaded only if ``config.download``.

    Looks for torchvision's own folder (``cifar-10-batches-py``, ``cifar-100-python``) in the data root.
    """
    dataset, root, home = _DATASETS[config.source], data_root(config), home_of(config)
    if not home.is_dir():
        if not config.download:
            raise DataError(f"{config.source} is not in {home}; add --set data.download=true, or set data.root")
        _download(dataset, home)
    try:
        train, test = dataset(root, train=True), dataset(root, train=False)
    except RuntimeError as error:
        raise DataError(
            f"{home} is incomplete or damaged; remove it and add --set data.download=true ({error})"
        ) from error
    return Source(config.source, _images(train, config), _images(test, config), tuple(train.classes))


def blank_cifar(config: DataConfig) -> Source:
    """As many images of the same size in as many equal classes, all black and without memory of their own."""
    edge, classes = config.image_size or _EDGE, _CLASSES[config.source]

    def blank(count: int) -> ImageSet:
        return ImageSet(torch.zeros((), dtype=torch.uint8).expand(count, 3, edge, edge), torch.arange(count) % classes)

    return Source(config.source, blank(_TRAINING), blank(_TEST), tuple(map(str, range(classes))))


def home_of(config: DataConfig) -> Path:
    """Torchvision's own folder of the images, whether it is there or not."""
    return data_root(config) / _DATASETS[config.source].base_folder


def _download(dataset: type[CIFAR10], home: Path) -> None:
    """Download beside ``home``, then move: several trials may want the same images at once."""
    try:
        home.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=home.parent, prefix=".download-") as temporary:
            dataset(temporary, download=True)
            publish(Path(temporary) / home.name, home)
    except (OSError, RuntimeError, shutil.ReadError) as error:
        raise DataError(
            f"{home.name} could not be downloaded ({error}); fetch it elsewhere and set data.root to its parent folder"
        ) from error


def _images(dataset: CIFAR10, config: DataConfig) -> ImageSet:
    images = torch.from_numpy(dataset.data).permute(0, 3, 1, 2).contiguous()
    edge = config.image_size or _EDGE
    if edge != _EDGE:
        images = resized(images, edge)
    return ImageSet(images, torch.tensor(dataset.targets))
