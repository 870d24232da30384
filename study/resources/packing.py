"""How many trials should share one GPU: as many as fit its memory, while together they get more done."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

RESERVE = 0.1
"""Share of a GPU's memory that no plan gives away: allocators round up and leave holes."""

WORTHWHILE = 1.05
"""More trials side by side must get so much more done together; each of them takes longer, and measuring has noise."""


@dataclass(frozen=True, kw_only=True)
class Packing:
    """So many trials on one GPU, each holding ``fraction`` of it, and why."""

    processes: int
    fraction: float
    why: str


def most_in_memory(memory_gib: float | None, device_gib: float | None) -> int | None:
    """How many processes of ``memory_gib`` each fit a GPU, the reserve left free; ``None``: unknown.

    At least one: whether that one fits is known only by running it.
    """
    if memory_gib is None or device_gib is None:
        return None
    return max(1, int(device_gib * (1 - RESERVE) / memory_gib)) if memory_gib > 0 else None


def counts_to_try(memory_gib: float | None, device_gib: float | None, cores: float, cores_each: float) -> list[int]:
    """1, 2, 4 ... processes, while memory and the cores that belong to the GPU suffice."""
    in_memory = most_in_memory(memory_gib, device_gib)
    by_cores = max(1, int(cores / cores_each + 1e-9))
    most = by_cores if in_memory is None else min(in_memory, by_cores)
    return [2**power for power in range(most.bit_length()) if 2**power <= most]


def pack(memory_gib: float | None, device_gib: float | None, throughput: Mapping[int, float]) -> Packing:
    """The count of processes whose ``throughput`` together is largest among those that fit.

    ``throughput``: forward-equivalents a second of all processes together, by how many ran side by side; a count that
    ran out of memory is not among them. Without a figure for one process, that one is all there can be.
    Of counts that differ by less than ``WORTHWHILE``, the smaller: its trials are done sooner and have more memory.
    """
    limit = most_in_memory(memory_gib, device_gib)
    able = {count: speed for count, speed in sorted(throughput.items()) if limit is None or count <= limit}
    if not able:
        return Packing(processes=1, fraction=1.0, why="its most demanding configuration does not fit even a whole GPU")
    best = max(able.values())
    count = next(count for count, speed in able.items() if speed * WORTHWHILE >= best)
    return Packing(processes=count, fraction=1 / count, why=_why(memory_gib, device_gib, able))


def _why(memory_gib: float | None, device_gib: float | None, able: Mapping[int, float]) -> str:
    speeds = ", ".join(f"{count}: {speed:.3g}" for count, speed in able.items())
    need = "memory unknown on the CPU" if memory_gib is None else f"{memory_gib:.2f} of {device_gib:.2f} GiB each"
    return f"measured: {need}; forward-equivalents a second by trials side by side: {speeds}"
