"""Does adversarial training make a network robust? Each trainable against its clean twin at equal work, on the digits.

Twins differ in the adversary alone and spend the same forward-equivalents: the clean one trains for more epochs.
Both get the same linear heads. Prints JSON. Needs torch, torchvision, numpy and scikit-learn.

    python benchmarks/adversary_pays.py --seeds 3 > results/adversary-pays-digits.json

Evaluated at 16/255: the digits are strokes of full contrast, which 8/255 hardly moves; at 16/255 every clean twin
loses at least half of its clean accuracy.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from typing import Any

import torch

from trainables.catalogue import default_config, pretrain_forward_equivalents
from trainables.config import TrialConfig, override
from trainables.metrics import HeadResult
from trainables.trial import run

EPSILON = 16 / 255
SETTINGS: dict[str, Any] = {
    "device": "cpu",
    "data.source": "digits",
    "data.image_size": 16,
    "data.validation_fraction": 0.2,
    "network.width": 8,
    "network.depth": 10,
    "network.pre_feature": 128,
    "network.projector_hidden": 128,
    "network.embedding": 64,
    "optimiser.batch_size": 100,
    "adversary.epsilon": EPSILON,
    "evaluation.head_epochs": 20,
    "evaluation.head_learning_rate": 0.005,
    "evaluation.head_epsilon": EPSILON,
    "evaluation.attack_epsilons": [EPSILON],
    "evaluation.epsilon": EPSILON,
}
TRAIN_IMAGES = 1150
"""Of the digits, with a fifth of the training images kept for validation."""

ADVERSARIAL: dict[str, dict[str, Any]] = {
    "cf_amc_ssl": {"views.number": 3, "adversary.replays": 3, "optimiser.epochs": 4},
    "pgd_emp_ssl": {
        "views.number": 3,
        "adversary.steps": 5,
        "adversary.step_size": EPSILON / 4,
        "optimiser.epochs": 6,
    },
    "robust_simclr": {
        "objective.temperature": 0.2,
        "adversary.steps": 3,
        "adversary.step_size": EPSILON / 2,
        "optimiser.epochs": 5,
    },
}


def twins(name: str, seed: int, heads: tuple[str, ...]) -> tuple[TrialConfig, TrialConfig]:
    """The trainable, and the same without an adversary at equal forward-equivalents (rounded up for the latter)."""
    shared = SETTINGS | {"seed": seed, "evaluation.heads": list(heads), "evaluation.head": heads[0]}
    attacked = override(default_config(name), shared | ADVERSARIAL[name])
    clean = override(attacked, {"adversary.name": "none", "optimiser.epochs": 1})
    work, epoch = (pretrain_forward_equivalents(config, TRAIN_IMAGES) for config in (attacked, clean))
    return attacked, override(clean, {"optimiser.epochs": -(-work // epoch)})


def measure(config: TrialConfig) -> dict[str, Any]:
    result = run(config)
    return {
        "forward_equivalents": result.cost.pretrain_forward_equivalents,
        "minutes": result.cost.pretrain_minutes,
        **{head.name: _accuracies(head) for head in result.heads},
    }


def _accuracies(head: HeadResult) -> dict[str, float]:
    attack = head.attack(EPSILON)
    return {
        "clean": head.clean.value,
        "pgd20_zero_start": attack.zero_start.value,
        "pgd20_random_start": attack.random_start.value,
        "images": head.clean.images,
    }


def compare(name: str, seeds: int, heads: tuple[str, ...]) -> dict[str, Any]:
    """Each twin's figures by seed, and how many points the adversary gains in the mean and at least."""
    rows = []
    for seed in range(seeds):
        attacked, clean = (measure(config) for config in twins(name, seed, heads))
        rows.append({"seed": seed, "adversarial": attacked, "clean": clean})
        sys.stderr.write(f"{name} seed {seed}: {json.dumps(rows[-1])}\n")
    return {"seeds": rows, "gain": {head: {start: _gain(rows, head, start) for start in STARTS} for head in heads}}


STARTS = ("pgd20_zero_start", "pgd20_random_start")


def _gain(rows: list[dict[str, Any]], head: str, start: str) -> dict[str, float]:
    points = [100 * (row["adversarial"][head][start] - row["clean"][head][start]) for row in rows]
    return {"mean": statistics.mean(points), "least": min(points), "most": max(points)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--trainables", nargs="+", default=sorted(ADVERSARIAL), choices=sorted(ADVERSARIAL))
    options = parser.parse_args()
    torch.set_num_threads(1)
    found = {name: compare(name, options.seeds, ("robust", "clean")) for name in options.trainables}
    about = {"date": time.strftime("%Y-%m-%d"), "torch": torch.__version__, "device": "CPU, 1 thread"}
    print(json.dumps({"epsilon": "16/255", **about, "trainables": found}, indent=2))


if __name__ == "__main__":
    main()
