"""The one training loop: views -> adversary -> objective -> optimiser.

Shapes: v views, b images a batch, (3, h, w) pixels in [0, 1]. Views travel as (v, b, 3, h, w).
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from trainables import adversaries, cost, objectives
from trainables.adversaries import Attack, FreePerturbation
from trainables.config import TrialConfig
from trainables.data import ImageSet, draw, generator, make_views
from trainables.models import build, frozen_statistics
from trainables.objectives import Loss
from trainables.optim import Lars, cosine_rate
from trainables.pairing import Pairing

MONITOR_IMAGES, MONITOR_VIEWS, MONITOR_STEPS = 64, 4, 5
"""Size of the fixed batch on which each epoch's clean, FGSM and PGD losses are measured, and PGD's steps there."""


class DivergedError(RuntimeError):
    """The loss is no longer a number."""


@dataclass(frozen=True, kw_only=True)
class EpochSummary:
    """What one pass over the data showed."""

    epoch: int
    loss: float
    terms: Mapping[str, float]
    learning_rate: float
    loss_clean: float
    loss_fgsm: float
    loss_pgd: float


class Pretraining:
    """State of one pre-training, advanced an epoch at a time; saving and loading it changes no bit of what follows.

    Every random draw comes from a generator derived from (seed, purpose, epoch), so none is part of the state.
    """

    def __init__(self, config: TrialConfig, pairing: Pairing, images: ImageSet, device: torch.device) -> None:
        self.config = config
        self.device = device
        self.images = images.to(device)
        self.model = build(config.network, config.seed).to(device)
        self.epoch = 0
        self.seconds = 0.0
        self._monitored = draw(self.images, MONITOR_IMAGES).images
        self._pairing = pairing
        self._objective = objectives.build(config.objective)
        self._attack = adversaries.resolve(config.adversary, config.objective.name, config.faithful_to)
        self._free = FreePerturbation(self._attack, projects_onto_new_images=config.faithful_to == "paper")
        self._batches = cost.batches_per_epoch(config, len(images))
        self._step = 0
        self._optimiser = Lars(
            self.model.parameters(),
            learning_rate=config.optimiser.learning_rate,
            momentum=config.optimiser.momentum,
            weight_decay=config.optimiser.weight_decay,
            eta=config.optimiser.lars_eta,
        )

    @property
    def finished(self) -> bool:
        return self.epoch >= self.config.optimiser.epochs

    @property
    def forward_equivalents(self) -> int:
        return self.epoch * cost.epoch_forward_equivalents(self.config, self._pairing, len(self.images))

    def run_epoch(self) -> EpochSummary:
        """One pass over the images; raises ``DivergedError`` when the loss is no longer finite."""
        began = time.monotonic()
        self.model.train()
        self.epoch += 1
        losses: list[Loss] = []
        starts = self._generator("start")
        for views in self._batches_of_views():
            losses += self._train_on(views, starts)
        summary = self._summarise(losses)
        self.seconds += time.monotonic() - began
        return summary

    def state_dict(self) -> dict[str, Any]:
        """All that ``load_state_dict`` needs to continue as if nothing had happened."""
        return {
            "epoch": self.epoch,
            "step": self._step,
            "seconds": self.seconds,
            "model": self.model.state_dict(),
            "optimiser": self._optimiser.state_dict(),
            "delta": self._free.delta,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.epoch, self._step, self.seconds = state["epoch"], state["step"], state["seconds"]
        self.model.load_state_dict(state["model"])
        self._optimiser.load_state_dict(state["optimiser"])
        self._free.delta = None if state["delta"] is None else state["delta"].to(self.device)

    def _generator(self, purpose: str) -> torch.Generator:
        return generator(self.config.seed, purpose, self.epoch, device=self.device)

    def _batches_of_views(self) -> Iterator[Tensor]:
        size = self.config.optimiser.batch_size
        order = torch.randperm(len(self.images), generator=self._generator("order"), device=self.device)
        randomness = self._generator("views")
        for batch in order[: self._batches * size].view(self._batches, size):
            yield self._views(self.images.images[batch], randomness)

    def _views(self, images: Tensor, randomness: torch.Generator) -> Tensor:
        views = make_views(images, self.config.views, randomness)
        return views.view(self.config.views.number, len(images), *views.shape[1:])

    def _train_on(self, views: Tensor, starts: torch.Generator) -> list[Loss]:
        """All gradient passes of one batch of views; their losses, detached."""
        self._optimiser.zero_grad()
        if self.config.adversary.name == "none":
            return [self._update(self._loss(views))]
        clean = self._pairing.perturbed(views)
        if self.config.adversary.name == "pgd":
            delta = self._perturb(views, clean, self._attack, starts)
            return [self._update(self._loss(self._pairing.train(views, clean + delta)))]
        return [self._replay(views, clean, first=replay == 0) for replay in range(self.config.adversary.replays)]

    def _replay(self, views: Tensor, clean: Tensor, *, first: bool) -> Loss:
        """One pass of free adversarial training: a single gradient moves the weights and the perturbation."""
        kept = self._free.onto(clean) if first else self._free.delta
        assert kept is not None
        delta = kept.detach().requires_grad_()
        loss = self._update(self._loss(self._pairing.train(views, clean + delta)))
        assert delta.grad is not None
        self._free.ascend(delta.grad, clean)
        return loss

    def _perturb(self, views: Tensor, clean: Tensor, attack: Attack, starts: torch.Generator) -> Tensor:
        """PGD in train mode; its passes enter the running statistics, as in [C], where the text is silent."""
        return adversaries.pgd(
            lambda adversarial: self._loss(self._pairing.attack(views, adversarial)).total, clean, attack, starts
        )

    def _loss(self, views: Tensor) -> Loss:
        if self._pairing.joint_batch_norm:
            embeddings = self.model(views.flatten(0, 1)).view(*views.shape[:2], -1)
        else:
            embeddings = torch.stack([self.model(view) for view in views])
        return self._objective(embeddings)

    def _update(self, loss: Loss) -> Loss:
        """Descend ``loss`` by one optimiser step of the schedule."""
        optimiser = self.config.optimiser
        schedule = self._batches * optimiser.epochs
        if self.config.faithful_to == "paper":
            schedule *= cost.replays(self.config.adversary)
        self._optimiser.param_groups[0]["lr"] = cosine_rate(self._step, schedule, optimiser.learning_rate)
        loss.total.backward()
        self._optimiser.step()
        self._optimiser.zero_grad()
        self._step += 1
        return Loss(loss.total.detach(), {name: term.detach() for name, term in loss.terms.items()})

    def _summarise(self, losses: list[Loss]) -> EpochSummary:
        mean = float(torch.stack([loss.total for loss in losses]).mean())
        if not math.isfinite(mean):
            raise DivergedError(f"the loss is {mean} in epoch {self.epoch}; a smaller optimiser.learning_rate may help")
        terms = {name: float(torch.stack([loss.terms[name] for loss in losses]).mean()) for name in losses[0].terms}
        clean, fgsm, pgd = self._monitor()
        if not all(map(math.isfinite, (clean, fgsm, pgd))):
            raise DivergedError(
                f"the network is no longer finite after epoch {self.epoch}; a smaller optimiser.learning_rate may help"
            )
        return EpochSummary(
            epoch=self.epoch,
            loss=mean,
            terms=terms,
            learning_rate=float(self._optimiser.param_groups[0]["lr"]),
            loss_clean=clean,
            loss_fgsm=fgsm,
            loss_pgd=pgd,
        )

    def _monitor(self) -> tuple[float, float, float]:
        """Loss of one fixed batch of views under no, one-step and several-step perturbation of every view."""
        randomness = generator(self.config.seed, "monitor", device=self.device)
        views = self._views(self._monitored, randomness)[:MONITOR_VIEWS]
        epsilon = self.config.adversary.epsilon
        fgsm = Attack(epsilon=epsilon, step_size=epsilon, steps=1)
        pgd = replace(fgsm, step_size=2.5 * epsilon / MONITOR_STEPS, steps=MONITOR_STEPS, random_start=True)

        def ascended(perturbed: Tensor) -> Tensor:
            return self._loss(perturbed).total

        with frozen_statistics(self.model):
            perturbations = [torch.zeros_like(views)]
            perturbations += [adversaries.pgd(ascended, views, attack, randomness) for attack in (fgsm, pgd)]
            with torch.no_grad():
                clean, one, several = (float(ascended(views + delta)) for delta in perturbations)
        return clean, one, several
