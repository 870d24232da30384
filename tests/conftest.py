"""What every test may use."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

# Before anybody imports Ray, which reads it once: its workers let others go first, and those are here other tests.
os.environ.setdefault("RAY_worker_niceness", "0")

GOLDEN = Path(__file__).parent / "golden"

# A shell's background jobs ignore Ctrl-C or a closed terminal, and so would all that the tests start and interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)


@pytest.fixture(scope="session")
def golden() -> Callable[[str], dict[str, Tensor]]:
    """Loads one file of golden numbers as float64 tensors (integers as they are)."""

    def load(name: str) -> dict[str, Tensor]:
        with np.load(GOLDEN / f"{name}.npz") as file:
            return {key: torch.as_tensor(file[key]) for key in file.files}

    return load


@pytest.fixture(autouse=True)
def one_thread_and_one_seed() -> None:
    """Tests compare bit for bit, so the number of threads is fixed; and so are networks that a test makes itself."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
