"""The one training loop: coreset -> views -> adversary -> objective -> optimiser.

Shapes: v views, b images a batch, (3, h, w) pixels in [0, 1]. Views travel as (v, b, 3, h, w).
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import islice
from typing import Any, NamedTuple

import torch
from torch import Tensor

from trainables import cost, heap, objectives
from trainables.config import TrialConfig
from trainables.coresets import selects
from trainables.data import (
    Apply,
    ImageSet,
    apply_views,
    draw,
    generator,
    global_stream,
    make_views,
    of_first,
    place,
    stream,
)
from trainables.data import strength as augmentation_strength
from trainables.descent import Descent
from trainables.losses import Losses
from trainables.metrics import EpochSummary
from trainables.models import Encoder, build
from trainables.monitor import IMAGES, VIEWS, monitor
from trainables.objectives import Loss, mean
from trainables.pairing import Pairing
from trainables.parallel import ALONE, World
from trainables.selection import candidates_and_held_out, select_rows


class DivergedError(RuntimeError):
    """The loss is no longer a number."""


class Glimpse(NamedTuple):
    """What an epoch begins with: b images and their v views, of which the adversary perturbs the last p."""

    images: ImageSet
    views: Tensor
    """(v, b, 3, h, w)"""
    adversarial: Tensor | None
    """(p, b, 3, h, w); ``None`` without an adversary."""


def network(config: TrialConfig, image_size: int, classes: int) -> Encoder:
    """What ``config`` trains, at its beginning, on the CPU; of an objective that reads logits a classifier."""
    embeddings = objectives.find(config.objective.name).embeddings
    return build(
        config.network,
        config.seed,
        image_size=image_size,
        classes=classes if embeddings == "logits" else None,
        normalised=embeddings == "normalised",
    )


class Pretraining:
    """State of one pre-training, advanced an epoch at a time; saving and loading it changes nothing of what follows:
    no bit on the CPU, what rounding does on a GPU.

    Every random draw comes from a generator derived from (seed, purpose, epoch), so none is part of the state.
    """

    def __init__(
        self,
        config: TrialConfig,
        pairing: Pairing,
        images: ImageSet,
        classes: int,
        device: torch.device,
        world: World = ALONE,
    ) -> None:
        self.config = config
        self._world = replace(world, groups=config.optimiser.micro_batches)
        self.device = device
        if device.type == "cpu":
            heap.keep_freed()
        self.model = network(config, images.size[0], classes).to(device)
        self.epoch = 0
        self.seconds = 0.0
        self._pairing = pairing
        self._losses = Losses(self.model, pairing, config.objective, config.compute)
        # On a CPU views are of the smallest costs, and reading them takes the compiler a second at each start.
        compiles_views = config.compute.compile and device.type != "cpu"
        self._apply_views = torch.compile(apply_views, dynamic=False) if compiles_views else apply_views
        self._descent = Descent(config, self._losses, len(images), self._world)
        self._candidates, self._held_out = (
            place(part, device, config.data.placement) for part in candidates_and_held_out(config, images)
        )
        self._chosen: Tensor | None = None
        self._images = len(images)
        self._monitored = draw(images, IMAGES).to(device)

    @property
    def finished(self) -> bool:
        return self.epoch >= self.config.optimiser.epochs

    @property
    def forward_equivalents(self) -> int:
        return cost.pretrain_forward_equivalents(self.config, self._pairing, self._images, self.epoch)

    def run_epoch(self) -> EpochSummary:
        """One pass over the images; raises ``DivergedError`` when the loss is no longer finite."""
        began = time.monotonic()
        self._begin_epoch()
        rank = () if self._world.alone else (self._world.rank,)  # each has images of its own, and so masks
        with global_stream(self.config.seed, "dropout", self.epoch, *rank, device=self.device):
            self._renew_coreset()
            self.model.train()
            with self._losses.across(self._world):
                losses = self._train()
            summary = self._summarise(losses)
        self.seconds += time.monotonic() - began
        return summary

    def rehearse(self, batches: int) -> None:
        """Train as the next epoch would, on its first ``batches`` batches alone; the epoch is not counted.

        What follows is no longer what the config computes: for measuring what a trial needs, and then to be let go.
        """
        self._begin_epoch()
        self.model.train()
        starts = self._generator("start")
        for views, labels in islice(self._batches_of_views(), batches):
            self._train_on(views, labels, starts)
        self.epoch -= 1

    def glimpse(self, count: int) -> Glimpse:
        """The first ``count`` images of the next epoch's first batch: their views are those of training, the adversary
        sees these images alone. The epoch is not counted, and begins with no coreset.

        As after ``rehearse``, what follows is no longer what the config computes.
        """
        self._begin_epoch()
        self.model.train()
        batch = next(self._batches())
        images = batch.subset(torch.arange(count))
        views = self._views(batch.images, self._generator("views"), self._strength, apply=of_first(count))
        with global_stream(self.config.seed, "dropout", self.epoch, device=self.device):
            adversarial = self._descent.attack_alone(views, images.labels, self._generator("start"))
        self.epoch -= 1
        return Glimpse(images, views, adversarial)

    def rehearse_monitor(self) -> None:
        """Measure the losses that every epoch ends with, and keep none."""
        self._monitor()

    def state_dict(self) -> dict[str, Any]:
        """All that ``load_state_dict`` needs to continue as if nothing had happened, with as many ranks or others.

        All ranks must call it.
        """
        return {
            "epoch": self.epoch,
            "seconds": self.seconds,
            "model": self.model.state_dict(),
            **self._descent.state_dict(),
            "chosen": self._chosen,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.epoch, self.seconds = state["epoch"], state["seconds"]
        self.model.load_state_dict(state["model"])
        self._descent.load_state_dict(state, self.device)
        self._chosen = state["chosen"]

    def _begin_epoch(self) -> None:
        self.epoch += 1
        self._descent.begin(self.epoch)
        self._strength = augmentation_strength(self.config.views, self.epoch, self.config.optimiser.epochs)
        self._losses.follow(self._strength)

    def _train(self) -> list[Loss]:
        starts = self._generator("start")
        return [loss for views, labels in self._batches_of_views() for loss in self._train_on(views, labels, starts)]

    def _generator(self, purpose: str) -> torch.Generator:
        return generator(self.config.seed, purpose, self.epoch, device=self.device)

    def _renew_coreset(self) -> None:
        if self.config.coreset.name != "none" and selects(self.config.coreset, self.epoch):
            # Every rank selects, rather than wait for long; what rounding may change on a GPU is decided by the first.
            self._chosen = self._world.of_first(
                select_rows(self.config, self._losses, self._candidates, self._held_out, self.epoch, self.device)
            )

    def _batches_of_views(self) -> Iterator[tuple[Tensor, Tensor]]:
        randomness = self._generator("views")
        for batch in self._batches():
            views = self._views(batch.images, randomness, self._strength, self._world)
            yield views, self._world.whole(batch.labels)

    def _batches(self) -> Iterator[ImageSet]:
        """This process's images of each batch."""
        size = self.config.optimiser.batch_size
        count = len(self._candidates) if self._chosen is None else len(self._chosen)
        order = torch.randperm(count, generator=self._generator("order"), device=self.device)
        if self._chosen is not None:
            order = self._chosen.to(self.device)[order]
        batches = count // size
        rows = self._world.own(order[: batches * size].view(batches, size), dim=1)
        return stream(self._candidates, rows, self.device)

    def _views(
        self,
        images: Tensor,
        randomness: torch.Generator,
        strength: float,
        world: World = ALONE,
        apply: Apply | None = None,
    ) -> Tensor:
        views = make_views(images, self.config.views, randomness, strength, world, apply or self._apply_views)
        return views.view(self.config.views.number, -1, *views.shape[1:])

    def _train_on(self, views: Tensor, labels: Tensor, starts: torch.Generator) -> list[Loss]:
        return self._descent.on(views, labels, starts)

    def _summarise(self, losses: list[Loss]) -> EpochSummary:
        epoch = mean(losses)
        loss = float(epoch.total)
        if not math.isfinite(loss):
            raise DivergedError(f"the loss is {loss} in epoch {self.epoch}; a smaller optimiser.learning_rate may help")
        # Measured by every rank on all images of its batch; on what follows they must agree.
        monitored = self._world.of_first(torch.tensor(self._monitor(), dtype=torch.float64))
        clean, fgsm, pgd = monitored.tolist()
        if not all(map(math.isfinite, (clean, fgsm, pgd))):
            raise DivergedError(
                f"the network is no longer finite after epoch {self.epoch}; a smaller optimiser.learning_rate may help"
            )
        return EpochSummary(
            epoch=self.epoch,
            loss=loss,
            terms={name: float(term) for name, term in epoch.terms.items()},
            learning_rate=self._descent.rate,
            loss_clean=clean,
            loss_fgsm=fgsm,
            loss_pgd=pgd,
        )

    def _monitor(self) -> tuple[float, float, float]:
        randomness = generator(self.config.seed, "monitor", device=self.device)
        with self._losses.eager():
            views = self._views(self._monitored.images, randomness, 1.0)[:VIEWS]
            return monitor(self._losses, views, self._monitored.labels, self.config.adversary.epsilon, randomness)
