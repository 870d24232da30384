"""Files that are replaced whole or not at all."""

from __future__ import annotations

import os
import re
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

_TEMPORARY = re.compile(r"\..+\.[0-9a-f]{32}")


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """A new file that takes ``path``'s place when the block ends well: temporary name, flush to disk, rename.

    After an exception, or a kill at any moment, ``path`` is what it was.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    try:
        with open(temporary, "xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def unfinished(folder: Path) -> Iterator[Path]:
    """Temporary files in ``folder`` that a killed process left, or that another is writing just now."""
    if folder.is_dir():
        yield from (path for path in folder.iterdir() if _TEMPORARY.fullmatch(path.name))
