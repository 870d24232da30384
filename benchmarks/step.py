"""How fast is a training step, and how near to what the device can do?

Trains a recipe on random images of its size, and counts: seconds a step, images and views a second, TFLOP/s beside a
matrix product's of the same precision in the same run, peak memory, and where the time goes. ``--over`` repeats it
over values of one setting. Needs torch, torchvision and numpy.

    python -m benchmarks.step table1/cf_amc_ssl --set compute.precision=bfloat16 > step.json
    python -m benchmarks.step table1/cf_amc_ssl --over views.number=4,8,16 --over adversary.replays=1,3
    python -m benchmarks.step table1/cf_amc_ssl --over network.architecture=resnet18,resnet50
"""

from __future__ import annotations

import argparse
import gc
import json
import math
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import product
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.measuring import about, default_device, spread, synchronise
from trainables import adversaries, descent, pretrain
from trainables.catalogue import find
from trainables.config import ConfigError, TrialConfig, assignment, override
from trainables.data import ImageSet
from trainables.losses import Losses
from trainables.models import Encoder
from trainables.optim import Lars
from trainables.recipes import recipe

BATCHES = 4
"""Of images that a step may draw from."""
MATRIX = {"cpu": 2048, "cuda": 8192}
"""Rows of the matrix product."""
COPIED = {"cpu": 2**26, "cuda": 2**30}
"""Bytes of the copy."""
CLASSES = 10


def random_images(config: TrialConfig) -> ImageSet:
    size, count = config.data.image_size or 32, BATCHES * config.optimiser.batch_size
    random = torch.Generator().manual_seed(0)
    stored = torch.randint(0, 256, (count, 3, size, size), dtype=torch.uint8, generator=random)
    return ImageSet(stored=stored, labels=torch.arange(count) % CLASSES)


class Watch:
    """Seconds by stage; a stage within another counts for itself alone."""

    def __init__(self, device: torch.device) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self._device, self._within = device, [""]
        self._since = time.perf_counter()

    def __call__(self, stage: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """``function``, its time counted as ``stage``."""

        def watched(*arguments: Any, **keywords: Any) -> Any:
            with self.on(stage):
                return function(*arguments, **keywords)

        return watched

    @contextmanager
    def on(self, stage: str) -> Iterator[None]:
        self._turn()
        self._within.append(stage)
        try:
            yield
        finally:
            self._turn()
            self._within.pop()

    def _turn(self) -> None:
        synchronise(self._device)
        now = time.perf_counter()
        self.seconds[self._within[-1]] += now - self._since
        self._since = now


@contextmanager
def watched(watch: Watch) -> Iterator[None]:
    """Within: ``watch`` sees the stages of every training step. Whoever waits for the device after each is slower."""
    places = [
        (pretrain, "make_views", "views"),
        (Encoder, "forward", "forward"),
        (torch.Tensor, "backward", "backward"),
        (torch.autograd, "grad", "backward"),
        (Lars, "step", "optimiser"),
        (adversaries, "ascend", "adversary"),
        (adversaries, "project", "adversary"),
        (Losses, "trained", "loss"),
        (Losses, "ascended", "loss"),
        (Losses, "clean", "loss"),
        (descent.Descent, "on", "rest"),
    ]
    kept = [getattr(owner, name) for owner, name, _ in places]
    for (owner, name, stage), function in zip(places, kept, strict=True):
        setattr(owner, name, watch(stage, function))
    try:
        yield
    finally:
        for (owner, name, _), function in zip(places, kept, strict=True):
            setattr(owner, name, function)


def ceilings(device: torch.device, precision: str) -> dict[str, float]:
    """TFLOP/s of a matrix product in ``precision``, and GB/s read and written by a copy."""
    dtype = torch.bfloat16 if precision == "bfloat16" else torch.float32
    n = MATRIX[device.type]
    left, right = torch.rand(2, n, n, device=device).to(dtype)
    source = torch.ones(COPIED[device.type], dtype=torch.uint8, device=device)
    target = torch.empty_like(source)
    return {
        "matrix_product_tflops": 2 * n**3 / best(lambda: left @ right, device) / 1e12,
        "copy_gb_per_second": 2 * len(source) / best(lambda: target.copy_(source), device) / 1e9,
    }


def best(work: Callable[[], Any], device: torch.device, repeats: int = 10) -> float:
    """Seconds of the fastest of ``repeats``: a ceiling."""
    found = math.inf
    for _ in range(repeats + 1):
        synchronise(device)
        began = time.perf_counter()
        work()
        synchronise(device)
        found = min(found, time.perf_counter() - began)
    return found


def measure(config: TrialConfig, device: torch.device, steps: int) -> dict[str, Any]:
    pairing = find(config.trainable).pairing(config.faithful_to)
    if device.type == "cuda":
        gc.collect()  # a compiled network refers to itself: one that was measured before may still be there
        torch.cuda.reset_peak_memory_stats(device)
    training = pretrain.Pretraining(config, pairing, random_images(config), CLASSES, device)
    began = time.perf_counter()
    training.rehearse(1)
    synchronise(device)
    first = time.perf_counter() - began
    seconds = []
    for _ in range(steps):
        began = time.perf_counter()
        training.rehearse(1)
        synchronise(device)
        seconds.append(time.perf_counter() - began)
    took = spread(seconds)
    step = took["median"]
    peak = torch.cuda.max_memory_allocated(device) / 2**30 if device.type == "cuda" else None
    flops = count_flops(training)
    watch = Watch(device)
    with watched(watch):
        training.rehearse(1)  # what is compiled is traced anew for the watch
        watch.seconds.clear()
        for _ in range(max(1, steps // 2)):
            training.rehearse(1)
    del watch.seconds[""]
    whole = sum(watch.seconds.values())
    images = config.optimiser.batch_size
    return {
        "first_step_seconds": first,
        "step_seconds": took,
        "images_per_second": images / step,
        "views_per_second": images * config.views.number / step,
        "tflop_a_step": flops / 1e12,
        "tflops": flops / step / 1e12,
        "peak_memory_gib": peak,
        "share_of_time": {stage: taken / whole for stage, taken in sorted(watch.seconds.items())},
    }


def count_flops(training: pretrain.Pretraining) -> int:
    """Of one step: matrix products and convolutions, forward and backward."""
    # Counted in passes that are not compiled: torch 2.11 never again compiles a network that it could not count.
    with torch.compiler.set_stance("force_eager"), FlopCounterMode(display=False) as counter:
        training.rehearse(1)
    return int(counter.get_total_flops())


def variations(options: argparse.Namespace) -> list[dict[str, Any]]:
    """Settings of every combination of ``--over``."""
    axes = [text.partition("=")[::2] for text in options.over]
    values = [[assignment(f"{path}={each}") for each in texts.split(",")] for path, texts in axes]
    return [dict(chosen) for chosen in product(*values)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipe")
    parser.add_argument("--set", action="append", default=[], metavar="PATH=VALUE")
    parser.add_argument("--over", action="append", default=[], metavar="PATH=VALUE,VALUE")
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--device", default=default_device())
    parser.add_argument("--cudnn-benchmark", action="store_true", help="let cuDNN try its algorithms for each shape")
    options = parser.parse_args()
    device = torch.device(options.device)
    torch.backends.cudnn.benchmark = options.cudnn_benchmark
    chosen = dict(map(assignment, options.set))
    base = override(recipe(options.recipe), chosen)
    rows = []
    for varied in variations(options):
        try:
            config = override(base, varied)
        except ConfigError as error:
            parser.error(str(error))
        limits = ceilings(device, config.compute.precision)
        found = measure(config, device, options.steps) | limits
        found["share_of_matrix_product"] = found["tflops"] / limits["matrix_product_tflops"]
        rows.append({"settings": chosen | varied, **found})
        print(json.dumps(rows[-1]), file=sys.stderr, flush=True)
    told = {"steps": options.steps, "cudnn_benchmark": options.cudnn_benchmark}
    print(json.dumps({"recipe": options.recipe, **about(device), **told, "rows": rows}, indent=2))


if __name__ == "__main__":
    main()
