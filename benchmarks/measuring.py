"""What benchmarks share: the device, and how times are summed up."""

from __future__ import annotations

import os
import platform
import statistics
from collections.abc import Iterable
from typing import Any

import torch


def default_device() -> str:
    return "cuda" if torch.cuda.is_available() else "cpu"


def synchronise(device: torch.device) -> None:
    """Wait for all that ``device`` was told to do."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def about(device: torch.device) -> dict[str, Any]:
    """The machine that figures were measured on."""
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else platform.processor() or platform.machine()
    return {"device": name, "cores": os.cpu_count(), "torch": torch.__version__}


def spread(values: Iterable[float]) -> dict[str, float]:
    found = list(values)
    return {"median": statistics.median(found), "least": min(found), "most": max(found)}
