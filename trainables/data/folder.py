"""A folder of images: ``train/CLASS/*`` and ``test/CLASS/*`` (or ``val/``), any size and format that Pillow reads."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from trainables.config import DataConfig
from trainables.data.decode import Pixels, decoded
from trainables.data.images import DataError, ImageSet, Source
from trainables.data.store import data_root
from trainables.wording import more

_FORMAT = 1
_NAMED = 5


class _File(NamedTuple):
    path: str
    """Text: every trial lists all files anew, and objects for 60,000 paths take a second."""
    size: int
    modified_ns: int


@dataclass(frozen=True)
class _Split:
    """The files of ``root/CLASS/`` in order, and each one's class index."""

    root: Path
    classes: tuple[str, ...]
    files: tuple[_File, ...]
    labels: tuple[int, ...]


def read_folder(config: DataConfig, *, progress: bool) -> Source:
    """The images of ``folder:PATH`` as RGB; those that cannot be read are left out with a warning.

    With ``config.image_size`` each image's centre square is resized to it. The first start decodes into a cache
    below the data root, whose key holds every file's name, size and time, so that a changed folder is decoded anew.
    Raises ``DataError`` for a folder that is missing, has fewer than two classes, an empty or unreadable class,
    a file that the system gives not, or other classes in ``test/`` than in ``train/``.
    """
    root = Path(config.source.removeprefix("folder:")).expanduser().absolute()
    try:
        train, test = _scan(_part(root, "train")), _scan(_part(root, "test", "val"))
    except OSError as error:
        raise DataError(f"{error.filename} cannot be read ({error.strerror}); repair or remove it") from error
    _check_classes(train, test)
    files = train.files + test.files
    cache = data_root(config) / "decoded" / _key(root, files, config.image_size)
    pixels, readable = decoded([file.path for file in files], config.image_size, cache, progress=progress)
    division = len(train.files)
    return Source(
        f"folder {root.name}",
        _images(train, pixels[:division], readable[:division]),
        _images(test, pixels[division:], readable[division:]),
        train.classes,
        _warnings(root, files, readable),
    )


def _part(root: Path, *names: str) -> Path:
    if not root.is_dir():
        raise DataError(f"{root} is no folder; give one that holds train/ and test/, with a folder per class in each")
    for name in names:
        if (root / name).is_dir():
            return root / name
    raise DataError(f"{root} has no {' or '.join(f'{name}/' for name in names)}; make it, with a folder per class")


def _scan(root: Path) -> _Split:
    with os.scandir(root) as entries:
        classes = tuple(sorted(entry.name for entry in entries if entry.is_dir() and entry.name[0] != "."))
    Image.init()
    suffixes = frozenset(Image.registered_extensions())
    files: list[_File] = []
    labels: list[int] = []
    for label, name in enumerate(classes):
        found = sorted(_files(str(root / name), suffixes), key=lambda file: file.path.split("/"))
        if not found:
            raise DataError(f"class folder {root / name} holds no images; fill or remove it")
        files += found
        labels += [label] * len(found)
    return _Split(root, classes, tuple(files), tuple(labels))


def _files(folder: str, suffixes: frozenset[str]) -> Iterator[_File]:
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name[0] == ".":
                continue
            _, dot, ending = entry.name.rpartition(".")
            if entry.is_dir():
                yield from _files(entry.path, suffixes)
            elif dot + ending.lower() in suffixes:
                stat = entry.stat()
                yield _File(entry.path, stat.st_size, stat.st_mtime_ns)


def _check_classes(train: _Split, test: _Split) -> None:
    if len(train.classes) < 2:
        raise DataError(f"{train.root} has {len(train.classes)} class folders; at least 2 are needed")
    only = set(train.classes) ^ set(test.classes)
    if only:
        name = min(only)
        has, lacks = (train, test) if name in train.classes else (test, train)
        raise DataError(f"class {name!r} is in {has.root} but not in {lacks.root}; both need the same class folders")


def _key(root: Path, files: tuple[_File, ...], edge: int | None) -> str:
    listing = [[_below(root, file), file.size, file.modified_ns] for file in files]
    return hashlib.sha256(json.dumps([_FORMAT, str(root), edge, listing]).encode()).hexdigest()[:32]


def _below(root: Path, file: _File) -> str:
    return file.path.removeprefix(str(root)).lstrip("/")


def _images(split: _Split, pixels: Pixels, readable: NDArray[np.bool]) -> ImageSet:
    labels = np.array(split.labels)
    for label, name in enumerate(split.classes):
        if not readable[labels == label].any():
            raise DataError(f"no image of class folder {split.root / name} can be read; check its files")
    whole = ImageSet(torch.from_numpy(pixels), torch.from_numpy(labels))
    return whole if readable.all() else whole.subset(torch.from_numpy(readable.nonzero()[0]))


def _warnings(root: Path, files: tuple[_File, ...], readable: NDArray[np.bool]) -> tuple[str, ...]:
    broken = [_below(root, files[row]) for row in (~readable).nonzero()[0]]
    if not broken:
        return ()
    return (f"{len(broken)} of {len(files)} images cannot be read: {', '.join(broken[:_NAMED])}{more(broken, _NAMED)}",)
