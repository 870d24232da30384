"""Random streams that depend on nothing but a seed and what they are for."""

from __future__ import annotations

import hashlib
import json

import torch


def generator(seed: int, *labels: str | int, device: torch.device | str = "cpu") -> torch.Generator:
    """A fresh generator for one purpose, ``generator(0, "views", epoch)``.

    Equal arguments give equal streams in every process; any other seed or label gives an unrelated one,
    so a resumed trial needs no saved state. (On the CPU PyTorch keeps 32 bits of a seed, on a GPU all.)
    """
    digest = hashlib.sha256(json.dumps([seed, *labels]).encode()).digest()
    return torch.Generator(device).manual_seed(int.from_bytes(digest[:8], "little") >> 1)
