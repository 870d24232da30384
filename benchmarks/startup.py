"""How soon does a trial train, from its process's first instant? And does a short probe know what memory it takes?

A first process begins with empty compile caches, the others with what it left there; each loads its images, builds and
trains one batch. On a GPU two more processes follow: one that probes, as ``gpus_per_trial: auto`` does, and one that
runs the trial to its end; their peaks of memory are compared. Needs torch, torchvision and numpy.

    python -m benchmarks.startup table1/cf_amc_ssl --set data.source=folder:$IMAGES --set compute.compile=true
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch

from benchmarks.measuring import about, default_device, spread, synchronise
from trainables.config import TrialConfig, assignment, override
from trainables.recipes import recipe

BEGIN, PROBE, TRIAL = "begin", "probe", "trial"
UNTIL = "until"
"""When a batch was trained, in seconds since the epoch: what the process does to end is no part of its start."""


def begin(config: TrialConfig) -> dict[str, Any]:
    """Train one batch; the parts of the time since this process could first tell it."""
    from trainables.catalogue import find
    from trainables.pretrain import Pretraining
    from trainables.trial import load_all, resolve_device

    device, times = resolve_device(config.device), [time.perf_counter()]
    splits, _ = load_all(config)
    times.append(time.perf_counter())
    pairing = find(config.trainable).pairing(config.faithful_to)
    training = Pretraining(config, pairing, splits.train, len(splits.classes), device)
    times.append(time.perf_counter())
    training.rehearse(1)
    synchronise(device)
    times.append(time.perf_counter())
    parts = [after - before for before, after in pairwise(times)]
    return dict(zip(("images", "network", "first_batch"), parts, strict=True)) | {UNTIL: time.time()}


def probe(config: TrialConfig) -> dict[str, Any]:
    from trainables.footprint import measure

    return {"gib": measure(config).peak_memory_gib}


def trial(config: TrialConfig) -> dict[str, Any]:
    from trainables.trial import run

    return {"gib": run(config).cost.peak_memory_gib}


TASKS = {BEGIN: begin, PROBE: probe, TRIAL: trial}


def elsewhere(task: str, options: argparse.Namespace, cache: Path) -> dict[str, Any]:
    """What a process of its own says of ``task``."""
    command = [sys.executable, "-m", "benchmarks.startup", options.recipe, "--task", task, "--device", options.device]
    command += [word for assignment in options.set for word in ("--set", assignment)]
    caches = {name: str(cache / name) for name in ("TORCHINDUCTOR_CACHE_DIR", "TRITON_CACHE_DIR")}
    # The command is this program, its words are the caller's own.
    said = subprocess.run(command, env=os.environ | caches, stdout=subprocess.PIPE, check=True, text=True).stdout  # noqa: S603
    found: dict[str, Any] = json.loads(said)
    return found


def start(options: argparse.Namespace, cache: Path) -> tuple[float, dict[str, Any]]:
    """Seconds from a process's first instant to a trained batch, and the parts that it could tell."""
    began = time.time()
    parts = elsewhere(BEGIN, options, cache)
    seconds = parts.pop(UNTIL) - began
    print(f"a start: {seconds:.1f} s", file=sys.stderr, flush=True)
    return seconds, parts


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipe")
    parser.add_argument("--set", action="append", default=[], metavar="PATH=VALUE")
    parser.add_argument("--starts", type=int, default=3, help="after the first")
    parser.add_argument("--device", default=default_device())
    parser.add_argument("--task", choices=TASKS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    chosen = dict(map(assignment, options.set))
    if options.task:
        config = override(recipe(options.recipe), chosen | {"device": options.device})
        print(json.dumps(TASKS[options.task](config)))
        return
    with tempfile.TemporaryDirectory() as folder:
        cache = Path(folder)
        first, *others = [start(options, cache) for _ in range(options.starts + 1)]
        device = torch.device(options.device)
        found = {
            "recipe": options.recipe,
            "settings": chosen,
            **about(device),
            "first_start_seconds": first[0],
            "further_starts_seconds": spread(seconds for seconds, _ in others),
            "parts_of_the_first": first[1],
            "parts_of_the_last": others[-1][1],
        }
        if device.type == "cuda":
            probed, taken = (elsewhere(task, options, cache)["gib"] for task in (PROBE, TRIAL))
            found["memory"] = {"probed_gib": probed, "taken_gib": taken, "taken_over_probed": taken / probed}
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
