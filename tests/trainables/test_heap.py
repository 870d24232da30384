"""Memory that was freed is there at once: counted in pages that the system had to bring."""

from __future__ import annotations

import subprocess
import sys

import pytest

COUNT = """
import resource, torch
from trainables import heap
{call}
for _ in range(20):
    torch.ones(2**24)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(10):
    torch.ones(2**24)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def faults(call: str) -> int:
    """Page faults of ten tensors of 64 MiB, after twenty others."""
    command = [sys.executable, "-c", COUNT.format(call=call)]
    return int(subprocess.run(command, capture_output=True, check=True, text=True).stdout)


@pytest.mark.exhaustive
@pytest.mark.skipif(sys.platform != "linux", reason="the heap is glibc's")
def test_freed_memory_is_handed_out_again():
    assert faults("heap.keep_freed()") < 100 < faults("")
