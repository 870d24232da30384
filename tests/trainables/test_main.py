"""Trainings from the command line where torch is all there is."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

TINY = ["data.source=digits", "data.image_size=8", "data.train_images=200", "optimiser.batch_size=64"]
TINY += [
    "network.width=4",
    "network.depth=10",
    "network.projector_hidden=32",
    "network.pre_feature=32",
    "views.number=2",
]


@pytest.mark.slow
def test_ctrl_c_says_how_to_go_on(tmp_path: Path) -> None:
    checkpoint = tmp_path / "c.pt"
    settings = [word for each in [*TINY, "optimiser.epochs=100000"] for word in ("--set", each)]
    command = [sys.executable, "-m", "trainables", "table1/cf_amc_ssl", *settings, "--checkpoint", str(checkpoint)]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment) as training:
        assert training.stderr is not None
        assert training.stderr.readline().startswith("epoch 1/100000")
        training.send_signal(signal.SIGINT)
        said = training.stderr.read()
    assert training.returncode == 130
    assert said.splitlines()[-1] == f"stopped; the same command goes on from {checkpoint}"
    assert "Traceback" not in said
