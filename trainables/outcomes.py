"""Which images a trial classified right, a bit each: what it takes to compare trials on the same images."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True)
class Outcomes:
    """A trial's figures image by image."""

    identity: str
    """SHA-256 of the evaluated images and their labels, in order: where it is equal, images pair one by one."""
    images: int
    rows: Mapping[str, bytes]
    """By accuracy which images it counts as right, by number of images which it counts. Eight images a byte, the first
    in the highest bit, as ``packed`` has them."""

    def __post_init__(self) -> None:
        if self.images < 1:
            raise ValueError(f"outcomes of {self.images} images are none")
        for name, row in self.rows.items():
            if len(row) != (self.images + 7) // 8:
                raise ValueError(f"{name} has {len(row)} bytes for {self.images} images")

    def of(self, name: str) -> NDArray[np.bool_]:
        """(images,) Which of them count in the figure called ``name``."""
        return np.unpackbits(np.frombuffer(self.rows[name], np.uint8), count=self.images).astype(bool)

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready, rows in base64."""
        rows = {name: base64.b64encode(row).decode() for name, row in self.rows.items()}
        return {"identity": self.identity, "images": self.images, "rows": rows}

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> Outcomes:
        """What ``to_dict`` wrote; ``ValueError`` for anything else."""
        try:
            rows = {str(name): base64.b64decode(row, validate=True) for name, row in plain["rows"].items()}
            return cls(identity=str(plain["identity"]), images=int(plain["images"]), rows=rows)
        except (AttributeError, KeyError, OverflowError, TypeError) as error:
            raise ValueError(f"these are no outcomes ({type(error).__name__}: {error})") from error


def packed(right: NDArray[np.bool_]) -> bytes:
    """A row of ``Outcomes``."""
    return np.packbits(right).tobytes()
