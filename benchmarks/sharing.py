"""How much more of a device do several trials side by side use than one alone?

So many processes at a time train the same recipe on random images for the same seconds, as trials with a fraction of a
GPU do; their steps are added up, and told as pre-trainings an hour. Needs torch, torchvision and numpy.

    python -m benchmarks.sharing table1/cf_amc_ssl --set compute.precision=bfloat16 --processes 1,2,4 > sharing.json
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import sys
import time
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Barrier
from typing import Any

import torch

from benchmarks.measuring import about, default_device, spread, synchronise
from benchmarks.step import BATCHES, CLASSES, random_images
from trainables import cost
from trainables.catalogue import find
from trainables.config import TrialConfig, assignment, override
from trainables.pretrain import Pretraining
from trainables.recipes import recipe

HOUR = 3600


def work(config: TrialConfig, device: str, threads: int, seconds: float, barrier: Barrier, found: Queue[float]) -> None:
    """Steps a second of one process, counted from when all are warm."""
    torch.set_num_threads(threads)
    where = torch.device(device)
    pairing = find(config.trainable).pairing(config.faithful_to)
    training = Pretraining(config, pairing, random_images(config), CLASSES, where)
    training.rehearse(BATCHES)
    synchronise(where)
    barrier.wait()
    began, steps = time.perf_counter(), 0
    while time.perf_counter() - began < seconds:
        training.rehearse(BATCHES)
        synchronise(where)
        steps += BATCHES
    found.put(steps / (time.perf_counter() - began))


def together(config: TrialConfig, device: str, processes: int, seconds: float) -> float:
    """Steps a second of all ``processes`` together."""
    context = multiprocessing.get_context("spawn")
    barrier, found = context.Barrier(processes), context.Queue()
    threads = max(1, (os.cpu_count() or 1) // processes)
    arguments = (config, device, threads, seconds, barrier, found)
    workers = [context.Process(target=work, args=arguments, daemon=True) for _ in range(processes)]
    for worker in workers:
        worker.start()
    for worker in workers:  # one that dies keeps the others waiting at the barrier
        while worker.is_alive():
            worker.join(1.0)
            if any(one.exitcode for one in workers):
                raise SystemExit(f"one of {processes} processes failed; its error stands above")
    return sum(found.get() for _ in workers)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipe")
    parser.add_argument("--set", action="append", default=[], metavar="PATH=VALUE")
    parser.add_argument("--processes", default="1,2,4")
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--images", type=int, default=50_000, help="of the training set, for pre-trainings an hour")
    parser.add_argument("--device", default=default_device())
    options = parser.parse_args()
    chosen = dict(map(assignment, options.set))
    config = override(recipe(options.recipe), chosen)
    counts = [int(count) for count in options.processes.split(",")]
    if 1 not in counts:
        parser.error("--processes lacks 1, beside which the others are measured")
    speeds: dict[int, list[float]] = {count: [] for count in counts}
    for _ in range(options.repeats):
        for count in counts:
            speeds[count].append(together(config, options.device, count, options.seconds))
            print(f"{count} processes: {speeds[count][-1]:.2f} steps a second", file=sys.stderr, flush=True)
    whole = cost.batches_per_epoch(config, options.images) * config.optimiser.epochs
    measured = {"recipe": options.recipe, "settings": chosen, **about(torch.device(options.device))}
    print(json.dumps({**measured, "steps_of_a_pre_training": whole, "rows": rows(speeds, whole)}, indent=2))


def rows(speeds: dict[int, list[float]], steps: int) -> list[dict[str, Any]]:
    """By how many train side by side; a step is one batch of views, with all passes that it takes."""
    alone = speeds[1]
    return [
        {
            "processes": count,
            "steps_a_second": spread(found),
            "pre_trainings_an_hour": spread(speed * HOUR / steps for speed in found),
            "beside_alone": spread(own / one for own, one in zip(found, alone, strict=True)),
        }
        for count, found in speeds.items()
    ]


if __name__ == "__main__":
    main()
