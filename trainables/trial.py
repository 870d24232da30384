"""One trial: pre-train, then evaluate. Knows nothing of who runs it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import torch

from trainables import catalogue, cost
from trainables import checkpoint as checkpoints
from trainables.config import ConfigError, EvaluationConfig, TrialConfig
from trainables.data import ImageSet, Splits, draw, load
from trainables.evaluation import Probe, measure, train_head
from trainables.metrics import Cost, EpochReport, HeadResult, TrialResult
from trainables.models import Encoder
from trainables.pretrain import EpochSummary, Pretraining

Report = Callable[[EpochReport], None]


def run(
    config: TrialConfig,
    *,
    checkpoint: Path | None = None,
    report: Report = lambda _: None,
    gpu_share: float = 1.0,
) -> TrialResult:
    """Train and evaluate what ``config`` says; ``report`` hears of each epoch after its checkpoint is on disk.

    Continues from ``checkpoint`` if that file exists, and reports its last epoch again, which a kill between
    the two would lose. ``gpu_share`` is the part of the GPU this trial holds.
    Raises ``ConfigError`` or ``DataError`` for a user's mistake and ``DivergedError`` when the loss is no number.
    """
    catalogue.check(config)
    device = resolve_device(config.device)
    if device.type == "cuda":
        torch.cuda.init()  # the statistics exist only after it
        torch.cuda.reset_peak_memory_stats(device)
    splits = load(config.data)
    queries = evaluation_images(splits, config.evaluation).to(device)
    pretraining = pretrain(config, splits, queries, device, checkpoint, report)
    began = time.monotonic()
    heads = evaluate(pretraining.model, config, pretraining.images, queries, len(splits.classes))
    return TrialResult(
        head=config.evaluation.head,
        epsilon=config.evaluation.epsilon,
        split=config.evaluation.split,
        heads=heads,
        cost=Cost(
            pretrain_forward_equivalents=pretraining.forward_equivalents,
            evaluation_forward_equivalents=_evaluation_work(config.evaluation, len(splits.train), len(queries)),
            pretrain_minutes=pretraining.seconds / 60,
            evaluation_minutes=(time.monotonic() - began) / 60,
            gpu_share=gpu_share,
            peak_memory_gib=torch.cuda.max_memory_allocated(device) / 2**30 if device.type == "cuda" else None,
        ),
        data=f"{splits.description}; {len(splits.train)} train, {len(queries)} of {config.evaluation.split} evaluated",
        device=torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU",
        epochs=config.optimiser.epochs,
    )


def pretrain(
    config: TrialConfig,
    splits: Splits,
    queries: ImageSet,
    device: torch.device,
    checkpoint: Path | None,
    report: Report,
) -> Pretraining:
    """Pre-train to the end of the schedule, from ``checkpoint`` if that file exists."""
    pairing = catalogue.find(config.trainable).pairing(config.faithful_to)
    pretraining = Pretraining(config, pairing, splits.train, device)
    if checkpoint is not None and checkpoint.exists():
        state = checkpoints.load(checkpoint, config)
        pretraining.load_state_dict(state["pretraining"])
        report(EpochReport(**state["report"]))
    probe = Probe(pretraining.images, queries, len(splits.classes))
    while not pretraining.finished:
        summary = pretraining.run_epoch()
        epoch = _epoch_report(pretraining, summary, probe.accuracy(pretraining.model))
        if checkpoint is not None:
            checkpoints.save(checkpoint, config, {"pretraining": pretraining.state_dict(), "report": asdict(epoch)})
        report(epoch)
    return pretraining


def evaluate(
    encoder: Encoder, config: TrialConfig, train: ImageSet, queries: ImageSet, classes: int
) -> tuple[HeadResult, ...]:
    """Train and measure every head that the config asks for."""
    evaluation = config.evaluation
    known = draw(train, evaluation.head_images)
    return tuple(
        measure(
            train_head(encoder, name, known, classes, evaluation, config.seed), name, queries, evaluation, config.seed
        )
        for name in evaluation.heads
    )


def evaluation_images(splits: Splits, evaluation: EvaluationConfig) -> ImageSet:
    """The images that the figures are measured on; ``ConfigError`` if the split is empty."""
    images = splits.validation if evaluation.split == "validation" else splits.test
    if len(images) == 0:
        raise ConfigError(
            f"evaluation.split is {evaluation.split!r} but it has no images; set data.validation_fraction above 0"
        )
    return draw(images, evaluation.images)


def resolve_device(name: str) -> torch.device:
    """The device called ``name``; ``ConfigError`` if a GPU is asked for and there is none of that number."""
    available = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if name == "auto":
        return torch.device("cuda:0" if available else "cpu")
    device = torch.device(name)
    if device.type == "cuda" and (device.index or 0) >= available:
        raise ConfigError(f"device is {name!r} but torch sees {available} GPUs; set device to cpu or auto")
    return device


def _epoch_report(pretraining: Pretraining, summary: EpochSummary, probe_accuracy: float) -> EpochReport:
    return EpochReport(
        epoch=summary.epoch,
        epochs=pretraining.config.optimiser.epochs,
        loss=summary.loss,
        terms=summary.terms,
        learning_rate=summary.learning_rate,
        loss_clean=summary.loss_clean,
        loss_fgsm=summary.loss_fgsm,
        loss_pgd=summary.loss_pgd,
        probe_accuracy=probe_accuracy,
        forward_equivalents=pretraining.forward_equivalents,
        seconds=pretraining.seconds,
    )


def _evaluation_work(evaluation: EvaluationConfig, train_images: int, queries: int) -> int:
    known = min(train_images, evaluation.head_images or train_images)
    per_radius = 2 * (cost.attack_forward_equivalents(queries, evaluation.attack_steps) + queries * cost.FORWARD)
    per_head = queries * cost.FORWARD + len(evaluation.attack_epsilons) * per_radius
    return sum(cost.head_forward_equivalents(evaluation, name, known) + per_head for name in evaluation.heads)
