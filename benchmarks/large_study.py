"""A study's folder of any size, written as its workers would leave it and far faster."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Iterator
from typing import Any

from analysis.layout import ATTEMPT, ENDED, EPOCH, StudyPaths, TrialPaths, write_json

_BEGUN = 1_760_000_000.0
_TRAINABLES = ("cf_amc_ssl", "pgd_emp_ssl", "robust_simclr")
_RADIUS = 8 / 255
_IMAGES = 1000


def write_study(paths: StudyPaths, trials: int, epochs: int, objectives: tuple[str, ...] = ()) -> None:
    """``trials`` finished trials of three trainables, each with ``epochs`` epochs; one in fifty overfits."""
    names = objectives or ("clean_accuracy", "pgd_accuracy")
    costs = ("gpu_minutes", "forward_equivalents")
    directions = {name: "minimize" if name in costs else "maximize" for name in names}
    paths.trials.mkdir(parents=True)
    manifest = {
        "schema": 1,
        "name": paths.name,
        "created": _BEGUN,
        "objectives": [{"metric": name, "direction": way} for name, way in directions.items()],
        "trainables": list(_TRAINABLES),
        "evaluation": {"head": "robust", "epsilon": _RADIUS, "split": "validation"},
        "data": "drawn at random",
    }
    write_json(paths.manifest, manifest)
    paths.study_file.write_text(f"name: {paths.name}\n")
    draws = random.Random(0)
    for number in range(trials):
        _write_trial(paths.trial(number), number, epochs, draws)


def _write_trial(trial: TrialPaths, number: int, epochs: int, draws: random.Random) -> None:
    trial.root.mkdir()
    trainable = _TRAINABLES[number % len(_TRAINABLES)]
    params = {
        "crops": draws.randint(2, 16),
        "m": draws.randint(1, 8),
        "epsilon": draws.uniform(2, 16) / 255,
        "crop_scale_min": draws.uniform(0.05, 0.6),
        "learning_rate": 10 ** draws.uniform(-2, 0),
    }
    config = {"trainable": trainable, "seed": number, "data": {"source": "cifar10"}, "optimiser": {"epochs": epochs}}
    trial.config.write_text(json.dumps({"number": number, "trainable": trainable, "params": params, "config": config}))
    overfits = number % 50 == 7
    metrics = _metrics(params, draws, overfits=overfits)
    verdict = "flagged: more steps break it" if overfits else "trusted"
    trial.result.write_text(json.dumps({"verdict": verdict, "metrics": metrics}))
    lines = [json.dumps(event) for event in _events(number, epochs, metrics, overfits=overfits)]
    trial.events.write_text("\n".join(lines) + "\n")


def _metrics(params: dict[str, float], draws: random.Random, *, overfits: bool) -> dict[str, float]:
    strength = params["epsilon"] * 255 / 16
    quality = 1 - 0.15 * abs(math.log10(params["learning_rate"]) + 0.7) - 0.1 * abs(params["crop_scale_min"] - 0.3)
    clean = _within(quality * (0.92 - 0.35 * strength**2) + draws.gauss(0, 0.015))
    robust = 0.02 if overfits else _within(quality * (0.2 + 0.5 * strength - 0.2 * strength**2) + draws.gauss(0, 0.015))
    broken = _within(robust - draws.uniform(0.01, 0.04))
    found = {"clean_accuracy": clean, "pgd_accuracy": robust, "auto_attack_accuracy": broken}
    for name, value in list(found.items()):
        half = 1.96 * math.sqrt(value * (1 - value) / _IMAGES)
        found |= {f"{name}_low": max(0.0, value - half), f"{name}_high": min(1.0, value + half)}
    work = 1e6 * params["crops"] * (2 + params["m"])
    counts = {"evaluation_images": float(_IMAGES), "auto_attack_images": float(_IMAGES)}
    return found | counts | {"forward_equivalents": work, "gpu_minutes": work / 1e6, "trusted": float(not overfits)}


def _within(share: float) -> float:
    return round(min(1.0, max(0.0, share)) * _IMAGES) / _IMAGES


def _events(number: int, epochs: int, metrics: dict[str, float], *, overfits: bool) -> Iterator[dict[str, Any]]:
    begun = _BEGUN + 60 * number
    yield {"kind": ATTEMPT, "time": begun, "attempt": 1, "device": "cpu", "gpu_share": 1.0, "resumed_epoch": 0}
    for epoch in range(1, epochs + 1):
        found = _epoch(epoch / epochs, metrics, broken=overfits and epoch > 0.6 * epochs)
        yield {"kind": EPOCH, "time": begun + epoch, "attempt": 1, "epoch": epoch, "metrics": found}
    end = {"status": "finished", "reason": "", "metrics": metrics}
    yield {"kind": ENDED, "time": begun + epochs, "attempt": 1, **end}


def _epoch(done: float, metrics: dict[str, float], *, broken: bool) -> dict[str, float]:
    grown = 1 - math.exp(-4 * done)
    clean, rise = -170 - 20 * grown, 12 - 4 * grown
    robust = 0.02 if broken else max(metrics["pgd_accuracy"], 0.3) * grown
    return {
        "train/loss": -150 - 40 * grown,
        "train/learning_rate": 0.3 * (1 - done),
        "train/loss_clean": clean,
        "train/loss_fgsm": clean + rise * (0.1 if broken else 0.8),
        "train/loss_pgd": clean + rise,
        "train/probe_accuracy": metrics["clean_accuracy"] * grown,
        "train/probe_pgd_accuracy": robust,
        "train/forward_equivalents": metrics["forward_equivalents"] * done,
        "train/seconds": 50 * done,
    }
