"""What a trial may use of the machine, and what the machine has: GPUs, cores, threads, disk."""

from __future__ import annotations

import os
from collections.abc import Mapping

import torch

from trainables.config import UserError
from trainables.trial import resolve_device

CONTEXT_GIB = 0.6
"""What a process holds of a GPU besides its tensors, about: the driver's context and the libraries' code."""


class ResourceError(UserError):
    """More is asked for than the machine has."""


def machine() -> dict[str, float]:
    """Cores and GPUs of this machine that this process may use."""
    return {"CPU": float(len(os.sched_getaffinity(0))), "GPU": float(torch.cuda.device_count())}


def gpus_per_trial(asked: float | None, available: Mapping[str, float], device: str) -> tuple[float, str]:
    """GPUs that a trial on ``device`` holds, and why: as asked, else one if there is one and it does not name the CPU.

    Raises ``ResourceError`` if a GPU is asked for and there is none.
    """
    has_gpu = available.get("GPU", 0) > 0
    if asked is None:
        return (1.0, "there is a GPU") if has_gpu and device != "cpu" else (0.0, "it runs on the CPU")
    if asked > 0 and not has_gpu:
        raise ResourceError(f"resources.gpus_per_trial is {asked:g} but no GPU is visible; set it to 0 to use the CPU")
    return float(asked), "as asked"


def processes_per_trial(asked: int | None, gpus: float) -> int:
    """Processes of a trial that holds so many GPUs: one each; on the CPU as asked, else one.

    Raises ``ResourceError`` where GPUs and processes do not match.
    """
    one_each = max(1, int(gpus))
    if gpus > 0 and asked not in (None, one_each):
        raise ResourceError(
            f"resources.processes_per_trial is {asked} on {gpus:g} GPUs a trial, where each whole GPU has one process; "
            "leave it out"
        )
    return one_each if asked is None else asked


def confine(threads: int, gpu_share: float) -> None:
    """Hold this process to its part: so many threads, so much of the GPU's memory.

    Ray only counts shares of a GPU; without a limit one trial's memory is its neighbours' failure.
    """
    torch.set_num_threads(max(1, threads))
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
        total = torch.cuda.get_device_properties(0).total_memory / 2**30
        torch.cuda.set_per_process_memory_fraction(tensors_share(gpu_share, total))


def tensors_share(gpu_share: float, total_gib: float) -> float:
    """Part of a GPU's memory for the tensors of one that holds ``gpu_share``: its context lies in the share too."""
    return 1.0 if gpu_share >= 1 else max(gpu_share / 2, gpu_share - CONTEXT_GIB / total_gib)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether a GPU's memory did not suffice: torch's allocator says so, or a library below it."""
    libraries = isinstance(error, RuntimeError) and (
        "ALLOC_FAILED" in str(error) or "CUDA error: out of memory" in str(error)
    )
    return isinstance(error, torch.OutOfMemoryError) or libraries


def peak_gib(device: str) -> float | None:
    """Most GPU memory that this process's tensors took since its trial began; ``None`` on the CPU."""
    found = resolve_device(device)
    return torch.cuda.max_memory_allocated(found) / 2**30 if found.type == "cuda" else None


def limit_gib(device: str) -> float | None:
    """GPU memory that this process's tensors may take; ``None`` on the CPU."""
    found = resolve_device(device)
    if found.type != "cuda":
        return None
    total = torch.cuda.get_device_properties(found).total_memory / 2**30
    return total * torch.cuda.get_per_process_memory_fraction(found)


def device_in_words(name: str) -> str:
    """``cpu``, or which GPU of which kind the device called ``name`` is."""
    device = resolve_device(name)
    return f"{device} {torch.cuda.get_device_name(device)}" if device.type == "cuda" else "cpu"


def hardware() -> str:
    """One line that tells this kind of machine from others."""
    gpus = [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
    return f"{machine()['CPU']:g} cores, {', '.join(gpus) if gpus else 'no GPU'}"
