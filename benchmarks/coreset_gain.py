"""What does robustness-aware coreset selection gain? CF-AMC-SSL on all images, on coresets, on as many at random.

One trial a call, so that several can run side by side; a call that was interrupted continues from its checkpoint.
Then one call that sums up. Needs torch, torchvision and numpy; the images are an image folder.

    python benchmarks/coreset_gain.py rcs --seed 0 --images $IMAGES --folder runs
    python benchmarks/coreset_gain.py summary --folder runs > results/coreset-gain-cifar10-jpeg.json
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from pathlib import Path
from typing import Any

import torch

from trainables.catalogue import default_config
from trainables.config import TrialConfig, override
from trainables.metrics import EpochReport
from trainables.trial import run

VARIANTS = {
    "all": {"coreset.name": "none"},
    "rcs": {"coreset.name": "rcs"},
    "random": {"coreset.name": "random"},
}
SETTINGS: dict[str, Any] = {
    "device": "cpu",
    "data.image_size": 16,
    "data.train_images": 5000,
    "views.number": 4,
    "network.width": 16,
    "network.depth": 10,
    "network.pre_feature": 512,
    "network.projector_hidden": 512,
    "network.embedding": 256,
    "optimiser.epochs": 10,
    "coreset.fraction": 0.2,
    "coreset.warmup_epochs": 2,
    "coreset.interval": 4,
    "evaluation.images": 1000,
    "evaluation.head_images": 5000,
    "evaluation.head_epochs": 5,
    "evaluation.head_learning_rate": 3e-3,
    "evaluation.attacks": ["pgd", "auto_attack"],
    "evaluation.attack_epsilons": [8 / 255],
    "evaluation.auto_attack_images": 250,
}


def config(variant: str, seed: int, images: str) -> TrialConfig:
    source = {"data.source": f"folder:{images}", "seed": seed}
    return override(default_config("cf_amc_ssl"), SETTINGS | VARIANTS[variant] | source)


def trial(variant: str, seed: int, images: str, folder: Path) -> None:
    """Run one trial and leave its result in ``folder``."""

    def report(epoch: EpochReport) -> None:
        print(f"{variant} {seed}: epoch {epoch.epoch} probe {epoch.probe_accuracy:.3f}", file=sys.stderr, flush=True)

    torch.set_num_threads(1)
    folder.mkdir(parents=True, exist_ok=True)
    settings = config(variant, seed, images)
    result = run(
        settings,
        checkpoint=folder / f"{variant}-{seed}.pt",
        report=report,
        progress=lambda words: print(f"{variant} {seed}: {words}", file=sys.stderr, flush=True),
    )
    values = {"variant": variant, "seed": seed, "result": result.to_dict()}
    (folder / f"{variant}-{seed}.json").write_text(json.dumps(values))


def summary(folder: Path) -> dict[str, Any]:
    """Every trial's figures, and by variant their mean, least and most over seeds."""
    found = [_figures(json.loads(path.read_text())) for path in sorted(folder.glob("*.json"))]
    variants = {name: [row for row in found if row["variant"] == name] for name in VARIANTS}
    return {
        "settings": {**SETTINGS, "trainable": "cf_amc_ssl", "torch": torch.__version__},
        "trials": found,
        "spread": {name: _spread(rows) for name, rows in variants.items() if rows},
    }


def _figures(trial: dict[str, Any]) -> dict[str, Any]:
    result, head = trial["result"], trial["result"]["heads"][0]
    auto_attack = head["auto_attack"][0]
    pretrain = result["cost"]
    return {
        "variant": trial["variant"],
        "seed": trial["seed"],
        "clean": head["clean"],
        "pgd": head["attacks"][0]["worst"],
        "auto_attack": auto_attack["worst"],
        "verdict": result["verdict"],
        "minutes": pretrain["pretrain_minutes"],
        "forward_equivalents": pretrain["pretrain_forward_equivalents"],
        "evaluation_minutes": pretrain["evaluation_minutes"],
        "minutes_per_robust_point": pretrain["pretrain_minutes"] / (100 * head["attacks"][0]["worst"]["value"]),
        "forwards_per_robust_point": pretrain["pretrain_forward_equivalents"]
        / (100 * head["attacks"][0]["worst"]["value"]),
    }


def _spread(rows: list[dict[str, Any]]) -> dict[str, dict[str, float]]:
    values = {
        name: [row[name]["value"] if isinstance(row[name], dict) else row[name] for row in rows]
        for name in rows[0]
        if name not in ("variant", "seed", "verdict")
    }
    return {
        name: {"mean": statistics.mean(each), "least": min(each), "most": max(each)} for name, each in values.items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=[*VARIANTS, "summary"])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--images", help="folder with train/ and test/ or val/, a folder per class in each")
    parser.add_argument("--folder", type=Path, required=True, help="of checkpoints and results")
    options = parser.parse_args()
    if options.what == "summary":
        print(json.dumps(summary(options.folder), indent=2))
    else:
        trial(options.what, options.seed, options.images, options.folder)


if __name__ == "__main__":
    main()
