"""One trial: pre-train, then evaluate; or evaluate what another has pre-trained. Knows nothing of who runs it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import NamedTuple

import torch

from trainables import catalogue
from trainables import checkpoint as checkpoints
from trainables.atomic import replacing
from trainables.config import ConfigError, EvaluationConfig, TrialConfig
from trainables.data import ImageSet, Splits, download_folder, draw, heads_data, load, place
from trainables.evaluation import Probe, ProbeAccuracies
from trainables.evaluation.assess import Progress, Task, assess, check_attacks
from trainables.evaluation.shortfalls import shortfalls
from trainables.evaluation.work import evaluation_forward_equivalents
from trainables.metrics import Cost, EpochReport, EpochSummary, Pretrained, TrialResult
from trainables.models import Encoder, build
from trainables.parallel import ALONE, World
from trainables.precision import float32_convolutions
from trainables.pretrain import Pretraining, network
from trainables.selection import check_coreset

Report = Callable[[EpochReport], None]


def run(
    config: TrialConfig,
    *,
    checkpoint: Path | None = None,
    report: Report = lambda _: None,
    progress: Progress = lambda _: None,
    warn: Progress = lambda _: None,
    begin: Callable[[Splits], None] = lambda _: None,
    gpu_share: float = 1.0,
    world: World = ALONE,
) -> TrialResult:
    """Train and evaluate what ``config`` says; ``report`` hears of each epoch after its checkpoint is on disk.

    Continues from ``checkpoint`` if that file exists, and reports its last epoch again, which a kill between
    the two would lose; ``evaluation_folder`` beside it keeps heads and AutoAttack's progress. ``progress`` hears in
    words of the evaluation, ``warn`` at the start of what the data fall short of, ``begin`` of the images that
    training begins with. ``gpu_share`` is the part of the GPU this trial holds.
    Of the ranks of ``world`` this is the first: it pre-trains with the others, which ``assist``, and evaluates alone.
    Raises ``ConfigError`` or ``DataError`` for a user's mistake and ``DivergedError`` when the loss is no number.
    """
    with world.leading():
        ready = _ready(config, warn)
        begin(ready.splits)
        classes = len(ready.measured_on.classes)
        probe = Probe(ready.measured_on.train, ready.queries, classes, ready.device, epsilon=config.evaluation.epsilon)
    pretraining = pretrain(config, ready.splits, probe, ready.device, checkpoint, report, world)
    model, work, minutes = pretraining.model, pretraining.forward_equivalents, pretraining.seconds / 60
    del pretraining  # and with it the images it may hold on the device
    spent = partial(Cost, pretrain_forward_equivalents=work, pretrain_minutes=minutes, gpu_share=gpu_share)
    return _evaluated(model, config, ready, checkpoint, progress, spent)


def measure(
    config: TrialConfig,
    pretrained: Pretrained,
    *,
    checkpoint: Path,
    progress: Progress = lambda _: None,
    warn: Progress = lambda _: None,
    gpu_share: float = 1.0,
) -> TrialResult:
    """Evaluate, as ``config`` says, the network that a trial has left in ``checkpoint``, and train it no further.

    The result is that of ``run`` with ``config``, to the bit on a CPU, but for the minutes. Heads beside the checkpoint
    are trained anew only where ``config`` changes them. Raises as ``run`` does, and ``CheckpointError`` where
    ``checkpoint`` does not hold the weights of ``pretrained``.
    """
    ready = _ready(config, warn)
    weights = checkpoints.load_pretrained(checkpoint, config, pretrained)
    model = network(config, ready.splits.train.size[0], len(ready.splits.classes))
    model.take(weights)
    spent = partial(
        Cost,
        pretrain_forward_equivalents=pretrained.forward_equivalents,
        pretrain_minutes=pretrained.minutes,
        pretrain_gpu_share=pretrained.gpu_share,
        gpu_share=gpu_share,
    )
    return _evaluated(model.to(ready.device), config, ready, checkpoint, progress, spent)


def assist(config: TrialConfig, *, checkpoint: Path, world: World) -> None:
    """What every rank of ``world`` but the first does for a trial: its part of pre-training.

    ``checkpoint`` is the first's, on a disk that both see. Raises ``EndedByFirstError`` when the first ends the trial
    before pre-training does, ``LostRankError`` when a rank is gone.
    """
    world.follow()
    splits = load(config.data)
    pretraining, found = _begin(config, splits, resolve_device(config.device), checkpoint, world)
    if found is not None:
        world.follow()
    while not pretraining.finished:
        pretraining.run_epoch()
        pretraining.state_dict()  # of which the first saves what every rank gives
        world.follow()


class _Ready(NamedTuple):
    """What a trial begins with; ``queries``: the images that are evaluated, on the device."""

    device: torch.device
    splits: Splits
    measured_on: Splits
    queries: ImageSet


def _ready(config: TrialConfig, warn: Progress) -> _Ready:
    catalogue.check(config)
    device = resolve_device(config.device)
    if device.type == "cuda":
        torch.cuda.init()  # the statistics exist only after it
        torch.cuda.reset_peak_memory_stats(device)
    splits, measured_on = load_all(config)
    check_fit(config, splits, measured_on)
    for line in shortfalls(config.evaluation, measured_on):
        warn(line)
    return _Ready(device, splits, measured_on, evaluation_images(measured_on, config.evaluation).to(device))


def _evaluated(
    model: Encoder,
    config: TrialConfig,
    ready: _Ready,
    checkpoint: Path | None,
    progress: Progress,
    spent: Callable[..., Cost],
) -> TrialResult:
    """Heads, attacks and checks on a trained ``model``; ``spent`` makes the cost, the evaluation's added."""
    device, measured_on = ready.device, ready.measured_on
    folder = None if checkpoint is None else evaluation_folder(checkpoint)
    clock = Clock(folder, config.evaluation)
    task = Task(
        train=place(draw(measured_on.train, config.evaluation.head_images), device, config.data.placement),
        queries=ready.queries,
        classes=len(measured_on.classes),
        folder=folder,
    )

    def told(words: str) -> None:
        clock.keep()
        progress(words)

    with float32_convolutions():  # verdicts depend on it
        assessed = assess(model, config, task, told)
    return TrialResult(
        head=config.evaluation.head,
        epsilon=config.evaluation.epsilon,
        split=config.evaluation.split,
        heads=assessed.heads,
        cost=spent(
            evaluation_forward_equivalents=evaluation_forward_equivalents(config, len(task.train), assessed.heads),
            evaluation_minutes=clock.stop() / 60,
            peak_memory_gib=torch.cuda.max_memory_allocated(device) / 2**30 if device.type == "cuda" else None,
        ),
        data=_data_in_words(config, ready.splits, measured_on, len(ready.queries)),
        classes=measured_on.classes,
        image_size=ready.queries.size[0],
        device=torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU",
        epochs=config.optimiser.epochs,
        outcomes=assessed.outcomes,
    )


def load_all(config: TrialConfig, *, progress: bool = False) -> tuple[Splits, Splits]:
    """The images of pre-training, and those of heads and evaluation; raises ``DataError``."""
    splits = load(config.data, progress=progress)
    if config.evaluation.source is None:
        return splits, splits
    return splits, load(heads_data(config, splits.train), progress=progress)


def downloads(config: TrialConfig) -> list[Path]:
    """The folders that ``load_all`` would download to."""
    sources = dict.fromkeys((config.data.source, config.evaluation.source or config.data.source))
    folders = (download_folder(replace(config.data, source=source)) for source in sources)
    return [folder for folder in folders if folder is not None]


def check_fit(config: TrialConfig, splits: Splits, measured_on: Splits) -> None:
    """``ConfigError``, before anything is trained, where ``config`` cannot be run on these images."""
    for reason in unfit(config, splits, measured_on):
        raise ConfigError(reason)


def unfit(config: TrialConfig, splits: Splits, measured_on: Splits) -> Iterator[str]:
    """Every reason why ``config`` cannot be run on these images."""
    checks: tuple[Callable[[], object], ...] = (
        lambda: evaluation_images(measured_on, config.evaluation),
        lambda: check_attacks(config.evaluation, len(measured_on.classes)),
        lambda: check_coreset(config, len(splits.train)),
        lambda: _outline(config, splits.train.size[0]),
    )
    for check in checks:
        try:
            check()
        except ConfigError as error:
            yield str(error)


def _outline(config: TrialConfig, image_size: int) -> None:
    """Build the network without its weights, which may be more than there is memory for."""
    with torch.device("meta"):
        build(config.network, config.seed, image_size=image_size)


class Clock:
    """Seconds that all attempts at an evaluation took, kept in its folder; one that has finished adds nothing more."""

    def __init__(self, folder: Path | None, evaluation: EvaluationConfig) -> None:
        self._path = None if folder is None else folder / "seconds.json"
        self._of = json.loads(json.dumps(asdict(evaluation)))
        self._before, self._finished = 0.0, False
        if self._path is not None and self._path.exists():
            kept = json.loads(self._path.read_text())
            if kept["of"] == self._of:
                self._before, self._finished = kept["seconds"], kept["finished"]
        self._began = time.monotonic()

    def keep(self) -> float:
        """The seconds so far."""
        seconds = self._before if self._finished else self._before + time.monotonic() - self._began
        if self._path is not None:
            with replacing(self._path) as file:
                file.write(json.dumps({"of": self._of, "seconds": seconds, "finished": self._finished}).encode())
        return seconds

    def stop(self) -> float:
        """The seconds it took."""
        self._before, self._finished = self.keep(), True
        return self.keep()


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
    world: World = ALONE,
) -> Pretraining:
    """Pre-train to the end of the schedule, from ``checkpoint`` if that file exists."""
    pretraining, found = _begin(config, splits, device, checkpoint, world)
    if found is not None:
        with world.leading():
            report(found)
    while not pretraining.finished:
        summary = pretraining.run_epoch()
        state = pretraining.state_dict()
        with world.leading():
            epoch = _epoch_report(pretraining, summary, probe.accuracies(pretraining.model))
            if checkpoint is not None:
                checkpoints.save(checkpoint, config, {"pretraining": state, "report": asdict(epoch)})
            report(epoch)
    return pretraining


def _begin(
    config: TrialConfig, splits: Splits, device: torch.device, checkpoint: Path | None, world: World
) -> tuple[Pretraining, EpochReport | None]:
    """A pre-training at its beginning, or as ``checkpoint`` has it, and then its last report."""
    pairing = catalogue.find(config.trainable).pairing(config.faithful_to)
    pretraining = Pretraining(config, pairing, splits.train, len(splits.classes), device, world)
    found = None
    if checkpoint is not None and checkpoint.exists():
        state = checkpoints.load(checkpoint, config)
        pretraining.load_state_dict(state["pretraining"])
        found = EpochReport(**state["report"])
    epochs = {int(epoch) for epoch in world.each(torch.tensor(pretraining.epoch, device=device))}
    if len(epochs) > 1:
        raise OSError(f"processes of one trial found epochs {sorted(epochs)} in {checkpoint}; its disk must be shared")
    return pretraining, found


def evaluation_images(splits: Splits, evaluation: EvaluationConfig) -> ImageSet:
    """The images that the figures are measured on; ``ConfigError`` if the split is empty."""
    images = splits.of(evaluation.split)
    if len(images) == 0:
        remedy = "set data.validation_fraction above 0" if evaluation.split == "validation" else "use other data"
        raise ConfigError(f"evaluation.split is {evaluation.split!r} but it has no images; {remedy}")
    return draw(images, evaluation.images)


def resolve_device(name: str) -> torch.device:
    """The device called ``name``; ``ConfigError`` if a GPU is asked for and there is none of that number."""
    available = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if name == "auto":
        return torch.device("cuda:0" if available else "cpu")
    device = torch.device(name)
    if device.type == "cuda" and (device.index or 0) >= available:
        raise ConfigError(f"device is {name!r} but torch sees {available} GPUs; set device to cpu or auto")
    # By its number, which torch wants to tell this process's share of the memory.
    return torch.device("cuda", device.index or 0) if device.type == "cuda" else device


def _epoch_report(pretraining: Pretraining, summary: EpochSummary, probed: ProbeAccuracies) -> EpochReport:
    return EpochReport(
        **asdict(summary),
        epochs=pretraining.config.optimiser.epochs,
        probe_accuracy=probed.clean,
        probe_pgd_accuracy=probed.pgd,
        forward_equivalents=pretraining.forward_equivalents,
        seconds=pretraining.seconds,
    )


def _data_in_words(config: TrialConfig, splits: Splits, measured_on: Splits, queries: int) -> str:
    evaluated = f"{queries} of {config.evaluation.split} evaluated"
    if measured_on is splits:
        return f"{splits.description}; {len(splits.train)} train, {evaluated}"
    return f"{splits.description}; {len(splits.train)} train; heads on {measured_on.description}; {evaluated}"
