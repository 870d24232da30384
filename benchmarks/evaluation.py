"""How long does the evaluation of a pre-trained encoder take, stage by stage?

Each head, its gradient attacks, AutoAttack and the sanity checks, timed apart, with peak memory. The encoder is that of
``--checkpoint``, as ``python -m trainables`` leaves it with the same settings: a random one would fall at once. Needs
torch, torchvision, numpy and pyautoattack.

    python -m trainables table1/cf_amc_ssl --set 'evaluation.attacks=["pgd","auto_attack"]' --checkpoint cf.pt
    python -m benchmarks.evaluation table1/cf_amc_ssl --set 'evaluation.attacks=["pgd","auto_attack"]' \\
        --checkpoint cf.pt > evaluation.json
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import torch

from benchmarks.measuring import about, default_device, synchronise
from trainables import checkpoint as checkpoints
from trainables.config import TrialConfig, assignment, override
from trainables.data import draw, draw_rows, place
from trainables.evaluation.auto_attack import run_auto_attack
from trainables.evaluation.heads import train_head
from trainables.evaluation.robustness import measure
from trainables.evaluation.sanity import check
from trainables.metrics import STANDARD, Accuracy
from trainables.models import Encoder, build
from trainables.precision import float32_convolutions
from trainables.recipes import recipe
from trainables.trial import evaluation_images, load_all

Result = TypeVar("Result")


class Stopwatch:
    """Seconds of each stage, in the order in which they ran."""

    def __init__(self, device: torch.device) -> None:
        self.seconds: dict[str, float] = {}
        self._device = device

    def __call__(self, stage: str, work: Callable[[], Result]) -> Result:
        synchronise(self._device)
        began = time.perf_counter()
        result = work()
        synchronise(self._device)
        self.seconds[stage] = time.perf_counter() - began
        print(f"{stage}: {self.seconds[stage]:.1f} s", file=sys.stderr, flush=True)
        return result


def timed(config: TrialConfig, checkpoint: Path, device: torch.device) -> dict[str, Any]:
    """Seconds and accuracies of every head of ``config``."""
    _, measured_on = load_all(config)
    images = evaluation_images(measured_on, config.evaluation).to(device)
    train = place(draw(measured_on.train, config.evaluation.head_images), device, config.data.placement)
    encoder = build(config.network, config.seed, image_size=images.size[0])
    encoder.load_state_dict(checkpoints.load_weights(checkpoint, config))
    watch, accuracies = Stopwatch(device), {}
    with float32_convolutions():
        for name in config.evaluation.heads:
            accuracies[name] = _head(encoder.to(device), name, config, train, images, len(measured_on.classes), watch)
    return {"images": len(images), "head_images": len(train), "seconds": watch.seconds, "accuracies": accuracies}


def _head(
    encoder: Encoder, name: str, config: TrialConfig, train: Any, images: Any, classes: int, watch: Stopwatch
) -> dict[str, Any]:
    evaluation = config.evaluation
    classifier = watch(
        f"{name} head", lambda: train_head(encoder, name, train, classes, evaluation, config.views, config.seed)
    )
    found = watch(f"{name} head, gradient attacks", lambda: measure(classifier, name, images, evaluation, config.seed))
    accuracies = {"clean": found.result.clean.value}
    accuracies |= {f"pgd at {attack.epsilon:.4f}": attack.worst.value for attack in found.result.attacks}
    if "auto_attack" in evaluation.attacks:
        attacked = images.subset(draw_rows(images.labels, evaluation.auto_attack_images))
        trace = watch(
            f"{name} head, AutoAttack on {len(attacked)} images",
            lambda: run_auto_attack(
                classifier,
                attacked,
                version=STANDARD,
                epsilon=evaluation.epsilon,
                batch_size=evaluation.auto_attack_batch_size,
                precision=evaluation.auto_attack_precision,
                seed=config.seed,
            ),
        )
        accuracies["auto_attack"] = Accuracy.of(trace.survived).value
    if evaluation.check_images:
        watch(f"{name} head, sanity checks", lambda: check(classifier, images, evaluation, config.seed))
    return accuracies


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipe")
    parser.add_argument("--set", action="append", default=[], metavar="PATH=VALUE")
    parser.add_argument("--checkpoint", type=Path, required=True)
    parser.add_argument("--device", default=default_device())
    options = parser.parse_args()
    chosen, device = dict(map(assignment, options.set)), torch.device(options.device)
    found = timed(override(recipe(options.recipe), chosen), options.checkpoint, device)
    memory = torch.cuda.max_memory_allocated(device) / 2**30 if device.type == "cuda" else None
    measured = {"recipe": options.recipe, "settings": chosen, **about(device), "peak_memory_gib": memory}
    print(json.dumps(measured | found, indent=2))


if __name__ == "__main__":
    main()
