"""Image files to one uint8 array: decoded once, in parallel, then mapped from the disk."""

from __future__ import annotations

import errno
import mmap
import os
import shutil
import sys
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from trainables.data.ahead import ahead
from trainables.data.images import DataError
from trainables.data.store import publish

Pixels = NDArray[np.uint8]
Shape = tuple[int, int, int]

_WAITING = 4
"""Decoded images, for each thread, that may wait to be written."""

_NO_RESERVE = getattr(mmap, "MAP_NORESERVE", 0x4000 if sys.platform == "linux" else 0)
"""Python names this flag from 3.13 on."""


def decoded(files: Sequence[str], edge: int | None, cache: Path, *, progress: bool) -> tuple[Pixels, NDArray[np.bool]]:
    """``files`` as pixels (n, 3, h, w), mapped from ``cache``, and which of them could be read (n,).

    ``edge``: side of the centre square that every image is cut and resized to; ``None``: all must have one size.
    The first call decodes into the folder ``cache``, whole or not at all. Raises ``DataError`` if sizes differ,
    if nothing can be read, if the system gives a file not, or if the cache cannot be written.
    """
    if not cache.is_dir():
        try:
            _write(files, _shape(files, edge), edge, cache, progress=progress)
        except OSError as error:
            raise DataError(f"cannot keep decoded images in {cache.parent} ({error}); set data.root") from error
    return _mapped(cache / "images.npy"), np.load(cache / "readable.npy")


def _mapped(path: Path) -> Pixels:
    """The array in the file ``path``, read from the disk page by page as it is used."""
    # Copy on write: PyTorch wants writable memory, the file stays as it is. np.load would have the system promise
    # memory for all of it, which is refused to a file larger than the machine's memory.
    with open(path, "rb") as file:
        np.lib.format.read_magic(file)
        shape, _, dtype = np.lib.format.read_array_header_1_0(file)
        start, flags = file.tell(), mmap.MAP_PRIVATE | _NO_RESERVE
        pages = mmap.mmap(file.fileno(), 0, flags=flags, prot=mmap.PROT_READ | mmap.PROT_WRITE)
    return np.ndarray(shape, dtype, pages, start)


def _write(files: Sequence[str], shape: Shape, edge: int | None, cache: Path, *, progress: bool) -> None:
    # Not tempfile's folder, which only its owner may read: users may share a data root.
    temporary = cache.with_name(f".decoding-{uuid.uuid4().hex}")
    temporary.mkdir(parents=True)
    try:
        readable = np.ones(len(files), dtype=np.bool)
        with open(temporary / "images.npy", "wb") as file:
            header = {"descr": "|u1", "fortran_order": False, "shape": (len(files), *shape)}
            np.lib.format.write_array_header_1_0(file, header)
            for row, pixels in enumerate(_decode_all(files, shape, edge)):
                readable[row] = pixels is not None
                file.write((np.zeros(shape, np.uint8) if pixels is None else pixels).tobytes())
                if progress:
                    _show(row + 1, len(files))
        np.save(temporary / "readable.npy", readable)
        publish(temporary, cache)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise


def _decode_all(files: Sequence[str], shape: Shape, edge: int | None) -> Iterator[Pixels | None]:
    # Threads, not processes: Pillow decodes without the interpreter lock, and forking a process that runs
    # PyTorch or Ray threads can hang.
    threads = os.cpu_count() or 1
    return ahead(lambda path: _decode(path, shape, edge), files, threads=threads, window=_WAITING * threads)


def _shape(files: Sequence[str], edge: int | None) -> Shape:
    if edge is not None:
        return 3, edge, edge
    for path in files:
        if (image := _read(path)) is not None:
            return 3, image.height, image.width
    raise DataError(f"none of {len(files)} images can be read, {files[0]} say; check the files")


def _decode(path: str, shape: Shape, edge: int | None) -> Pixels | None:
    image = _read(path)
    if image is None:
        return None
    if edge is not None:
        image = ImageOps.fit(image, (edge, edge), Image.Resampling.BILINEAR)
    if (image.height, image.width) != shape[1:]:
        raise DataError(
            f"{path} has {image.width}x{image.height} pixels, others {shape[2]}x{shape[1]}; "
            "set data.image_size to bring all to one size"
        )
    return np.asarray(image).transpose(2, 0, 1)


def _read(path: str) -> Image.Image | None:
    try:
        with Image.open(path) as image:
            return _rgb(image)
    except MemoryError:
        raise
    except Exception as error:  # On damaged bytes Pillow's readers raise nearly anything; the caller names the file.
        # What the system refuses, it may give later: such a file must not be left out for good. Seeking to where
        # damaged bytes point is EINVAL.
        if isinstance(error, OSError) and error.errno not in (None, errno.EINVAL):
            raise DataError(f"{path} cannot be read ({error.strerror}); repair or remove it") from error
        return None


def _rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I;16"):  # convert() would clip 16-bit grey at 255
        return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8)).convert("RGB")
    if "transparency" in image.info:
        image = image.convert("RGBA")
    return image.convert("RGB")


def _show(done: int, total: int) -> None:
    percent = 100 * done // total
    if done == total or percent != 100 * (done - 1) // total:
        sys.stderr.write(f"\rdecoding {total} images: {percent}%" + ("\n" if done == total else ""))
        sys.stderr.flush()
