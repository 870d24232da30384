"""What a trial needs and gives, measured on a few of its steps: peak memory of the GPU, and speed."""

from __future__ import annotations

import time
from dataclasses import dataclass

import torch

from trainables import catalogue, cost
from trainables.config import TrialConfig, override
from trainables.data import draw, place
from trainables.evaluation import Probe
from trainables.evaluation.assess import VERSIONS, Task, assess
from trainables.evaluation.finetune import RECIPES
from trainables.models import build
from trainables.precision import float32_convolutions
from trainables.pretrain import Pretraining
from trainables.trial import check_fit, evaluation_images, load_all, resolve_device

GIB = 2**30
STEPS = 3
"""Batches that are timed at least, after one that is not."""
SECONDS = 1.0
"""Timed at least so long, however short a batch takes."""


@dataclass(frozen=True, kw_only=True)
class Footprint:
    """One configuration on one device, beside whatever else ran there meanwhile."""

    forward_equivalents_per_second: float
    """Of pre-training."""
    peak_memory_gib: float | None
    """Most that its tensors took at once, in training and in evaluation; ``None`` on the CPU: unknown."""
    context_memory_gib: float | None
    """What the process holds of the GPU besides: the driver's context, its libraries."""
    device_memory_gib: float | None
    device: str

    @property
    def memory_gib(self) -> float | None:
        """All that the process needs of the GPU."""
        if self.peak_memory_gib is None or self.context_memory_gib is None:
            return None
        return self.peak_memory_gib + self.context_memory_gib


class Rehearsal:
    """A trial that has trained on one batch and evaluated one, ready to be timed.

    Raises as ``trainables.trial.run`` does before it trains, and ``torch.OutOfMemoryError``.
    """

    def __init__(self, config: TrialConfig) -> None:
        catalogue.check(config)
        self._config = config
        self._device = resolve_device(config.device)
        if self._device.type == "cuda":
            torch.cuda.init()
            torch.cuda.reset_peak_memory_stats(self._device)
        splits, measured_on = load_all(config)
        check_fit(config, splits, measured_on)
        pairing = catalogue.find(config.trainable).pairing(config.faithful_to)
        self._batches = cost.batches_per_epoch(config, len(splits.train))
        self._batch_work = config.optimiser.batch_size * cost.image_forward_equivalents(config, pairing)
        self._pretraining = Pretraining(config, pairing, splits.train, len(splits.classes), self._device)
        self._pretraining.rehearse(1)
        self._pretraining.rehearse_monitor()
        self._evaluate()

    def time(self, seconds: float = SECONDS) -> Footprint:
        """Train on for ``STEPS`` batches and ``seconds`` at least; the footprint since the beginning."""
        self._wait()
        began, batches = time.monotonic(), 0
        while batches < STEPS or time.monotonic() - began < seconds:
            count = min(STEPS, self._batches)
            self._pretraining.rehearse(count)
            self._wait()
            batches += count
        speed = batches * self._batch_work / (time.monotonic() - began)
        return self._footprint(speed)

    def _evaluate(self) -> None:
        """A batch of each thing that the evaluation does."""
        config = _shortened(self._config)
        _, measured_on = load_all(config)
        queries = evaluation_images(measured_on, config.evaluation).to(self._device)
        classes, epsilon = len(measured_on.classes), config.evaluation.epsilon
        Probe(measured_on.train, queries, classes, self._device, epsilon=epsilon).accuracies(self._pretraining.model)
        images = draw(measured_on.train, config.evaluation.head_images)
        train = place(images, self._device, config.data.placement)
        with float32_convolutions():
            assess(self._pretraining.model, config, Task(train=train, queries=queries, classes=classes, folder=None))
        self._pretraining.model.requires_grad_()  # heads freeze it

    def _wait(self) -> None:
        if self._device.type == "cuda":
            torch.cuda.synchronize(self._device)

    def _footprint(self, speed: float) -> Footprint:
        if self._device.type != "cuda":
            return Footprint(
                forward_equivalents_per_second=speed,
                peak_memory_gib=None,
                context_memory_gib=None,
                device_memory_gib=None,
                device="CPU",
            )
        free, total = torch.cuda.mem_get_info(self._device)
        reserved = torch.cuda.memory_reserved(self._device)
        return Footprint(
            forward_equivalents_per_second=speed,
            peak_memory_gib=torch.cuda.max_memory_allocated(self._device) / GIB,
            context_memory_gib=max(0, total - free - reserved) / GIB,
            device_memory_gib=total / GIB,
            device=torch.cuda.get_device_name(self._device),
        )


def measure(config: TrialConfig) -> Footprint:
    """The footprint of ``config`` in this process, which should have done nothing else on the GPU."""
    return Rehearsal(config).time()


def numbers_kept(config: TrialConfig, image_size: int) -> int:
    """How many numbers a training step keeps: every layer's output for every view of a batch, and each weight with its
    gradient and its momentum. To compare networks by."""
    encoder = build(config.network, config.seed, image_size=image_size).eval()
    layers = [module for module in encoder.modules() if not any(module.children())]
    outputs: list[int] = []
    for layer in layers:
        layer.register_forward_hook(lambda _layer, _inputs, output: outputs.append(output.numel()))
    with torch.no_grad():
        encoder(torch.zeros(1, 3, image_size, image_size))
    weights = sum(weight.numel() for weight in encoder.parameters())
    return sum(outputs) * config.views.number * config.optimiser.batch_size + 3 * weights


def _shortened(config: TrialConfig) -> TrialConfig:
    """``config`` with an evaluation of one batch at each of its parts."""
    evaluation = config.evaluation
    further = any(attack in VERSIONS for attack in evaluation.attacks)  # whose batches PGD's stand for
    attacked = max(evaluation.attack_batch_size, evaluation.auto_attack_batch_size if further else 0)
    learned = max(
        [evaluation.head_batch_size, *(RECIPES[name].batch_size for name in evaluation.heads if name in RECIPES)]
    )
    return override(
        config,
        {
            "evaluation.attack_batch_size": attacked,
            "evaluation.images": min(attacked, evaluation.images or attacked),
            "evaluation.head_images": min(learned, evaluation.head_images or learned),
            "evaluation.attacks": ("pgd",),
            "evaluation.attack_epsilons": (evaluation.epsilon,),
            "evaluation.check_images": 0,
            **dict.fromkeys(
                (
                    *("evaluation.head_epochs", "evaluation.crops_epochs", "evaluation.finetune_epochs"),
                    *("evaluation.head_attack_steps", "evaluation.attack_steps", "evaluation.attack_restarts"),
                ),
                1,
            ),
        },
    )
