"""The C library's heap, from which the tensors of a step on a CPU come anew each time."""

from __future__ import annotations

import ctypes

MMAP_MAX, TRIM_THRESHOLD = -4, -1
"""Options of glibc's ``mallopt``."""


def keep_freed() -> None:
    """Hand freed memory out again, instead of giving it back to the system and waiting for fresh pages at each tensor.

    The process holds the most it ever needed until it ends. No effect where the C library is not glibc.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(MMAP_MAX, 0)
        mallopt(TRIM_THRESHOLD, -1)  # never
