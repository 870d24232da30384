"""One trial: pre-train, then evaluate. Knows nothing of who runs it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import torch

from trainables import catalogue
from trainables import checkpoint as checkpoints
from trainables.config import ConfigError, EvaluationConfig, TrialConfig
from trainables.data import ImageSet, Splits, draw, heads_data, load, place
from trainables.evaluation import Probe
from trainables.evaluation.assess import Progress, Task, assess, check_attacks
from trainables.evaluation.work import evaluation_forward_equivalents
from trainables.metrics import Cost, EpochReport, EpochSummary, TrialResult
from trainables.pretrain import Pretraining

Report = Callable[[EpochReport], None]


def run(
    config: TrialConfig,
    *,
    checkpoint: Path | None = None,
    report: Report = lambda _: None,
    progress: Progress = lambda _: None,
    gpu_share: float = 1.0,
) -> TrialResult:
    """Train and evaluate what ``config`` says; ``report`` hears of each epoch after its checkpoint is on disk.

    Continues from ``checkpoint`` if that file exists, and reports its last epoch again, which a kill between
    the two would lose; ``evaluation_folder`` beside it keeps heads and AutoAttack's progress. ``progress`` hears in
    words of the evaluation. ``gpu_share`` is the part of the GPU this trial holds.
    Raises ``ConfigError`` or ``DataError`` for a user's mistake and ``DivergedError`` when the loss is no number.
    """
    catalogue.check(config)
    device = resolve_device(config.device)
    if device.type == "cuda":
        torch.cuda.init()  # the statistics exist only after it
        torch.cuda.reset_peak_memory_stats(device)
    splits = load(config.data)
    measured_on = splits if config.evaluation.source is None else load(heads_data(config, splits.train))
    check_attacks(config.evaluation, len(measured_on.classes))
    queries = evaluation_images(measured_on, config.evaluation).to(device)
    probe = Probe(measured_on.train, queries, len(measured_on.classes), device)
    pretraining = pretrain(config, splits, probe, device, checkpoint, report)
    began = time.monotonic()
    task = Task(
        train=place(draw(measured_on.train, config.evaluation.head_images), device, config.data.placement),
        queries=queries,
        classes=len(measured_on.classes),
        folder=None if checkpoint is None else evaluation_folder(checkpoint),
    )
    heads = assess(pretraining.model, config, task, progress)
    return TrialResult(
        head=config.evaluation.head,
        epsilon=config.evaluation.epsilon,
        split=config.evaluation.split,
        heads=heads,
        cost=Cost(
            pretrain_forward_equivalents=pretraining.forward_equivalents,
            evaluation_forward_equivalents=evaluation_forward_equivalents(config, len(task.train), heads),
            pretrain_minutes=pretraining.seconds / 60,
            evaluation_minutes=(time.monotonic() - began) / 60,
            gpu_share=gpu_share,
            peak_memory_gib=torch.cuda.max_memory_allocated(device) / 2**30 if device.type == "cuda" else None,
        ),
        data=_data_in_words(config, splits, measured_on, len(queries)),
        classes=measured_on.classes,
        image_size=queries.size[0],
        device=torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU",
        epochs=config.optimiser.epochs,
    )


def evaluation_folder(checkpoint: Path) -> Path:
    """Where the trial of ``checkpoint`` keeps its heads and its progress in AutoAttack."""
    return checkpoint.with_suffix(".evaluation")


def pretrain(
    config: TrialConfig,
    splits: Splits,
    probe: Probe,
    device: torch.device,
    checkpoint: Path | None,
    report: Report,
) -> Pretraining:
    """Pre-train to the end of the schedule, from ``checkpoint`` if that file exists."""
    pairing = catalogue.find(config.trainable).pairing(config.faithful_to)
    pretraining = Pretraining(config, pairing, splits.train, len(splits.classes), device)
    if checkpoint is not None and checkpoint.exists():
        state = checkpoints.load(checkpoint, config)
        pretraining.load_state_dict(state["pretraining"])
        report(EpochReport(**state["report"]))
    while not pretraining.finished:
        summary = pretraining.run_epoch()
        epoch = _epoch_report(pretraining, summary, probe.accuracy(pretraining.model))
        if checkpoint is not None:
            checkpoints.save(checkpoint, config, {"pretraining": pretraining.state_dict(), "report": asdict(epoch)})
        report(epoch)
    return pretraining


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
        **asdict(summary),
        epochs=pretraining.config.optimiser.epochs,
        probe_accuracy=probe_accuracy,
        forward_equivalents=pretraining.forward_equivalents,
        seconds=pretraining.seconds,
    )


def _data_in_words(config: TrialConfig, splits: Splits, measured_on: Splits, queries: int) -> str:
    evaluated = f"{queries} of {config.evaluation.split} evaluated"
    if measured_on is splits:
        return f"{splits.description}; {len(splits.train)} train, {evaluated}"
    return f"{splits.description}; {len(splits.train)} train; heads on {measured_on.description}; {evaluated}"
