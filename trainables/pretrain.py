"""The one training loop: coreset -> views -> adversary -> objective -> optimiser.

Shapes: v views, b images a batch, (3, h, w) pixels in [0, 1]. Views travel as (v, b, 3, h, w).
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import islice
from typing import Any

import torch
from torch import Tensor

from trainables import adversaries, cost
from trainables.adversaries import Attack, FreePerturbation
from trainables.config import ConfigError, TrialConfig
from trainables.config.checks import require
from trainables.coresets import selects
from trainables.data import ImageSet, divide, draw, generator, global_stream, make_views, place, stream
from trainables.data import strength as augmentation_strength
from trainables.losses import Losses
from trainables.metrics import EpochSummary
from trainables.models import build, frozen_statistics
from trainables.objectives import Loss, mean
from trainables.optim import Lars, cosine_rate
from trainables.pairing import Pairing
from trainables.parallel import ALONE, World
from trainables.selection import select_rows

MONITOR_IMAGES, MONITOR_VIEWS, MONITOR_STEPS = 64, 4, 5
"""Size of the fixed batch on which each epoch's clean, FGSM and PGD losses are measured, and PGD's steps there."""


class DivergedError(RuntimeError):
    """The loss is no longer a number."""


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
        check_world(config, world)
        self.config = config
        self._world = replace(world, groups=config.optimiser.micro_batches)
        self.device = device
        supervised = config.objective.name == "cross_entropy"
        model = build(config.network, config.seed, image_size=images.size[0], classes=classes if supervised else None)
        self.model = model.to(device)
        self.epoch = 0
        self.seconds = 0.0
        self._pairing = pairing
        self._losses = Losses(self.model, pairing, config.objective)
        self._attack = adversaries.resolve(config.adversary, config.objective.name, config.faithful_to)
        self._free = FreePerturbation(self._attack, projects_onto_new_images=config.faithful_to == "paper")
        self._candidates, self._held_out = (
            place(part, device, config.data.placement) for part in _candidates(config, images)
        )
        self._chosen: Tensor | None = None
        self._images = len(images)
        self._batches = cost.batches_per_epoch(config, len(images))
        self._updates = 0
        self._monitored = draw(images, MONITOR_IMAGES).to(device)
        self._optimiser = Lars(
            self.model.parameters(),
            learning_rate=config.optimiser.learning_rate,
            momentum=config.optimiser.momentum,
            weight_decay=config.optimiser.weight_decay,
            eta=config.optimiser.lars_eta,
            form=config.optimiser.lars,
            nesterov=config.optimiser.nesterov,
        )

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

    def rehearse_monitor(self) -> None:
        """Measure the losses that every epoch ends with, and keep none."""
        self._monitor()

    def state_dict(self) -> dict[str, Any]:
        """All that ``load_state_dict`` needs to continue as if nothing had happened, with as many ranks or others.

        All ranks must call it.
        """
        delta = self._free.delta
        return {
            "epoch": self.epoch,
            "seconds": self.seconds,
            "model": self.model.state_dict(),
            "optimiser": self._optimiser.state_dict(),
            "delta": None if delta is None else self._world.whole(delta, dim=1),
            "chosen": self._chosen,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.epoch, self.seconds = state["epoch"], state["seconds"]
        self.model.load_state_dict(state["model"])
        self._optimiser.load_state_dict(state["optimiser"])
        delta = state["delta"]
        self._free.delta = None if delta is None else self._world.own(delta.to(self.device), dim=1)
        self._chosen = state["chosen"]

    def _begin_epoch(self) -> None:
        self.epoch += 1
        self._updates = 0
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
        size = self.config.optimiser.batch_size
        count = len(self._candidates) if self._chosen is None else len(self._chosen)
        order = torch.randperm(count, generator=self._generator("order"), device=self.device)
        if self._chosen is not None:
            order = self._chosen.to(self.device)[order]
        batches = count // size
        randomness = self._generator("views")
        rows = self._world.own(order[: batches * size].view(batches, size), dim=1)
        for batch in stream(self._candidates, rows, self.device):
            views = self._views(batch.images, randomness, self._strength, self._world)
            yield views, self._world.whole(batch.labels)

    def _views(self, images: Tensor, randomness: torch.Generator, strength: float, world: World = ALONE) -> Tensor:
        views = make_views(images, self.config.views, randomness, strength, world)
        return views.view(self.config.views.number, len(images), *views.shape[1:])

    def _train_on(self, views: Tensor, labels: Tensor, starts: torch.Generator) -> list[Loss]:
        """All gradient passes of one batch of views; their losses, detached."""
        self._optimiser.zero_grad()
        if self.config.adversary.name == "none":
            return [self._update(map(self._losses.clean, *self._groups(views, labels)))]
        if self.config.adversary.name == "pgd":
            start = adversaries.start(self._pairing.perturbed(views), self._attack, starts, self._world)
            return [self._update(map(self._attacked, *self._groups(views, labels), self._cut(start)))]
        return [self._replay(views, labels, first=replay == 0) for replay in range(self.config.adversary.replays)]

    def _groups(self, views: Tensor, labels: Tensor) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
        """The views of each micro-batch, and its labels."""
        return self._cut(views), labels.chunk(self.config.optimiser.micro_batches)

    def _cut(self, views: Tensor) -> tuple[Tensor, ...]:
        return views.chunk(self.config.optimiser.micro_batches, dim=1)

    def _attacked(self, views: Tensor, labels: Tensor, start: Tensor) -> Loss:
        share = 1 / self.config.optimiser.micro_batches
        adversarial = self._losses.perturb(views, labels, self._attack, start, share=share)
        return self._losses.trained(views, adversarial, labels)

    def _replay(self, views: Tensor, labels: Tensor, *, first: bool) -> Loss:
        """One pass of free adversarial training: a single gradient moves the weights and the perturbation."""
        clean = self._pairing.perturbed(views)
        kept = self._free.onto(clean) if first else self._free.delta
        assert kept is not None
        deltas = [part.requires_grad_() for part in self._cut(kept.detach())]
        loss = self._update(map(self._perturbed, *self._groups(views, labels), deltas))
        self._free.ascend(torch.cat([_gradient(delta) for delta in deltas], dim=1), clean)
        return loss

    def _perturbed(self, views: Tensor, labels: Tensor, delta: Tensor) -> Loss:
        return self._losses.trained(views, self._pairing.perturbed(views) + delta, labels)

    def _update(self, losses: Iterable[Loss]) -> Loss:
        """Descend the mean of the micro-batches' ``losses`` by one optimiser step of the schedule."""
        self._optimiser.param_groups[0]["lr"] = self._rate()
        found = [self._descended(loss) for loss in losses]
        self._world.add_up([parameter.grad for parameter in self.model.parameters() if parameter.grad is not None])
        self._optimiser.step()
        self._optimiser.zero_grad()
        self._updates += 1
        return mean(found)

    def _descended(self, loss: Loss) -> Loss:
        """Its gradient added to the weights'; no graph is left, so that the next micro-batch has the memory."""
        (loss.total / self.config.optimiser.micro_batches).backward()
        return loss.detached()

    def _rate(self) -> float:
        """Of the next update. The schedule runs in epochs: where a coreset makes them short, each of their updates
        goes further, as in ACL_RCS.py [R]. It counts updates [P], or batches, so that m replays run m times [C]."""
        optimiser, replays = self.config.optimiser, cost.replays(self.config.adversary)
        updates = self._batches * replays
        batches = cost.batches_in_epoch(self.config, self._images, self.epoch)
        step = (self.epoch - 1) * updates + self._updates * self._batches / batches
        counted = updates if self.config.faithful_to == "paper" else self._batches
        peak, warmup = optimiser.learning_rate, counted * optimiser.warmup_epochs
        return cosine_rate(step, counted * optimiser.epochs, peak, warmup)

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
            learning_rate=float(self._optimiser.param_groups[0]["lr"]),
            loss_clean=clean,
            loss_fgsm=fgsm,
            loss_pgd=pgd,
        )

    def _monitor(self) -> tuple[float, float, float]:
        """Loss of one fixed batch of views under no, one-step and several-step perturbation of every view."""
        randomness = generator(self.config.seed, "monitor", device=self.device)
        views = self._views(self._monitored.images, randomness, 1.0)[:MONITOR_VIEWS]
        epsilon = self.config.adversary.epsilon
        fgsm = Attack(epsilon=epsilon, step_size=epsilon, steps=1)
        pgd = replace(fgsm, step_size=2.5 * epsilon / MONITOR_STEPS, steps=MONITOR_STEPS, random_start=True)

        def ascended(perturbed: Tensor) -> Tensor:
            return self._losses.ascended(perturbed, self._monitored.labels)

        with frozen_statistics(self.model):
            perturbations = [torch.zeros_like(views)]
            perturbations += [adversaries.pgd(ascended, views, attack, randomness) for attack in (fgsm, pgd)]
            with torch.no_grad():
                clean, one, several = (float(ascended(views + delta)) for delta in perturbations)
        return clean, one, several


def check_world(config: TrialConfig, world: World) -> None:
    """``ConfigError`` where the ranks of ``world`` cannot divide a batch evenly."""
    size, groups = config.optimiser.batch_size, config.optimiser.micro_batches
    require(
        size % (groups * world.size) == 0,
        f"optimiser.batch_size is {size}, which {groups} micro-batches on {world.size} processes do not divide; "
        f"make it a multiple of {groups * world.size}",
    )


def _gradient(leaf: Tensor) -> Tensor:
    assert leaf.grad is not None
    return leaf.grad


def check_coreset(config: TrialConfig, images: int) -> None:
    """``ConfigError`` where selection would have no image of its own."""
    if config.coreset.name != "none" and cost.selection_images(config, images) == 0:
        raise ConfigError(
            f"coreset.validation_fraction is {config.coreset.validation_fraction} of {images} images, "
            "which is none; make it larger"
        )


def _candidates(config: TrialConfig, images: ImageSet) -> tuple[ImageSet, ImageSet]:
    """The images that may train, and those that coreset selection keeps to itself."""
    check_coreset(config, len(images))
    if config.coreset.name == "none":
        return images, images.subset(torch.arange(0))
    return divide(images, config.coreset.validation_fraction, "coreset")
