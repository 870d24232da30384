"""Random streams that depend on nothing but a seed and what they are for."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager

import torch


def generator(seed: int, *labels: str | int, device: torch.device | str = "cpu") -> torch.Generator:
    """A fresh generator for one purpose, ``generator(0, "views", epoch)``.

    Equal arguments give equal streams in every process; any other seed or label gives an unrelated one,
    so a resumed trial needs no saved state. (On the CPU PyTorch keeps 32 bits of a seed, on a GPU all.)
    """
    return torch.Generator(device).manual_seed(_derived(seed, labels))


@contextmanager
def global_stream(seed: int, *labels: str | int, device: torch.device) -> Iterator[None]:
    """Within: what draws from the global state of the CPU and of ``device``, as dropout does, draws from this stream.

    Afterwards both states are as they were.
    """
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.default_generator.manual_seed(_derived(seed, labels))
        if device.type == "cuda":
            with torch.cuda.device(device):
                torch.cuda.manual_seed(_derived(seed, labels))
        yield


def _derived(seed: int, labels: tuple[str | int, ...]) -> int:
    digest = hashlib.sha256(json.dumps([seed, *labels]).encode()).digest()
    return int.from_bytes(digest[:8], "little") >> 1
