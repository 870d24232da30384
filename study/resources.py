"""What a trial may use of the machine, and what the machine has: GPUs, cores, threads, disk."""

from __future__ import annotations

import os
import shutil
from collections.abc import Collection, Mapping
from pathlib import Path

import torch

from trainables.config import UserError
from trainables.trial import resolve_device

MINIMUM_FREE_GIB = 1.0
"""With less room on the studies' disk no further trial begins: a full disk takes the running ones with it."""


class ResourceError(UserError):
    """More is asked for than the machine has."""


def machine() -> dict[str, float]:
    """Cores and GPUs of this machine that this process may use."""
    return {"CPU": float(len(os.sched_getaffinity(0))), "GPU": float(torch.cuda.device_count())}


def gpus_per_trial(asked: float | None, available: Mapping[str, float], devices: Collection[str]) -> float:
    """GPUs that each trial holds: as asked, else one if there is one and not every trial names the CPU.

    Raises ``ResourceError`` if a GPU is asked for and there is none.
    """
    has_gpu = available.get("GPU", 0) > 0
    if asked is None:
        return 1.0 if has_gpu and any(device != "cpu" for device in devices) else 0.0
    if asked > 0 and not has_gpu:
        raise ResourceError(f"resources.gpus_per_trial is {asked:g} but no GPU is visible; set it to 0 to use the CPU")
    return asked


def slots(cpus: float, gpus: float, available: Mapping[str, float]) -> int:
    """How many trials run side by side; ``ResourceError`` if not even one does.

    A share of a GPU never spans two GPUs.
    """
    by_cpu = int(available.get("CPU", 0) / cpus + 1e-9) if cpus > 0 else None
    on_gpu = int(available.get("GPU", 0))
    by_gpu = None if gpus == 0 else (on_gpu * int(1 / gpus + 1e-9) if gpus <= 1 else int(on_gpu / gpus))
    fits = min((count for count in (by_cpu, by_gpu) if count is not None), default=1)
    if fits < 1:
        raise ResourceError(
            f"a trial asks for {cpus:g} cores and {gpus:g} GPUs (resources.cpus_per_trial, gpus_per_trial), "
            f"there are {available.get('CPU', 0):g} and {on_gpu}; ask for less"
        )
    return fits


def confine(threads: int, gpu_share: float) -> None:
    """Hold this process to its part: so many threads, so much of the GPU's memory.

    Ray only counts shares of a GPU; without a limit one trial's memory is its neighbours' failure.
    """
    torch.set_num_threads(max(1, threads))
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
        torch.cuda.set_per_process_memory_fraction(min(1.0, gpu_share))


def device_in_words(name: str) -> str:
    """``cpu``, or which GPU of which kind the device called ``name`` is."""
    device = resolve_device(name)
    return f"{device} {torch.cuda.get_device_name(device)}" if device.type == "cuda" else "cpu"


def hardware() -> str:
    """One line that tells this kind of machine from others."""
    gpus = [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
    return f"{machine()['CPU']:g} cores, {', '.join(gpus) if gpus else 'no GPU'}"


def disk_is_low(folder: Path) -> bool:
    return shutil.disk_usage(folder).free < MINIMUM_FREE_GIB * 2**30
