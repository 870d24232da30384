"""What benchmarks share: the device, and how times are summed up."""

from __future__ import annotations

import os
import platform
import re
import statistics
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch


def default_device() -> str:
    return "cuda:0" if torch.cuda.is_available() else "cpu"


def synchronise(device: torch.device) -> None:
    """Wait for all that ``device`` was told to do."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def about(device: torch.device) -> dict[str, Any]:
    """The machine that figures were measured on."""
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else processor()
    return {"device": name, "cores": os.cpu_count(), "torch": torch.__version__}


def processor() -> str:
    """Its model, and whether it multiplies matrices of bfloat16 by itself, on which reduced precision's gain hangs."""
    listed = Path("/proc/cpuinfo")  # platform.processor() knows the architecture at most
    text = listed.read_text() if listed.exists() else ""
    model = re.search(r"^model name\s*: (.+)$", text, re.MULTILINE)
    name = model[1] if model else platform.processor() or platform.machine()
    return f"{name}, amx_bf16" if re.search(r"^flags.*\bamx_bf16\b", text, re.MULTILINE) else name


def spread(values: Iterable[float]) -> dict[str, float]:
    found = list(values)
    return {"median": statistics.median(found), "least": min(found), "most": max(found)}
