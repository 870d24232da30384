"""How a batch of views moves the weights, and the perturbation with them.

Shapes: v views, b images of this process; views travel as (v, b, 3, h, w) in [0, 1], labels as those of all processes'
images.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor

from trainables import adversaries, cost
from trainables.adversaries import FreePerturbation
from trainables.config import TrialConfig
from trainables.config.checks import require
from trainables.losses import Losses
from trainables.objectives import Loss, mean
from trainables.optim import Lars, cosine_rate
from trainables.parallel import World


class Descent:
    """The updates of a pre-training on so many ``images``: their adversary, their micro-batches, their schedule."""

    def __init__(self, config: TrialConfig, losses: Losses, images: int, world: World) -> None:
        check_world(config, world)
        self.attack = adversaries.resolve(config.adversary, config.objective.name, config.faithful_to)
        self.optimiser = Lars(
            losses.model.parameters(),
            learning_rate=config.optimiser.learning_rate,
            momentum=config.optimiser.momentum,
            weight_decay=config.optimiser.weight_decay,
            eta=config.optimiser.lars_eta,
            form=config.optimiser.lars,
            nesterov=config.optimiser.nesterov,
        )
        self.updates = 0
        """Made in this epoch."""
        self._config, self._losses, self._images, self._world = config, losses, images, world
        self._perturbed = losses.pairing.perturbed
        self._free = FreePerturbation(self.attack, projects_onto_new_images=config.faithful_to == "paper")
        self._batches = cost.batches_per_epoch(config, images)
        self._epoch = 0

    def begin(self, epoch: int) -> None:
        """Count the updates of ``epoch``, from 1."""
        self._epoch, self.updates = epoch, 0

    @property
    def rate(self) -> float:
        """Of the last update."""
        return float(self.optimiser.param_groups[0]["lr"])

    def state_dict(self) -> dict[str, Any]:
        """That of whole batches, however many ranks they are divided among; all of these must call it."""
        delta = self._free.delta
        return {
            "optimiser": self.optimiser.state_dict(),
            "delta": None if delta is None else self._world.whole(delta, dim=1),
        }

    def load_state_dict(self, state: Mapping[str, Any], device: torch.device) -> None:
        self.optimiser.load_state_dict(state["optimiser"])
        delta = state["delta"]
        self._free.delta = None if delta is None else self._world.own(delta.to(device), dim=1)

    def on(self, views: Tensor, labels: Tensor, starts: torch.Generator) -> list[Loss]:
        """All gradient passes of one batch of views; their losses, detached."""
        self.optimiser.zero_grad()
        if self._config.adversary.name == "none":
            return [self._update(map(self._losses.clean, *self._groups(views, labels)))]
        if self._config.adversary.name == "pgd":
            start = adversaries.start(self._perturbed(views), self.attack, starts, self._world)
            return [self._update(map(self._attacked, *self._groups(views, labels), self._cut(start)))]
        return [self._replay(views, labels, first=replay == 0) for replay in range(self._config.adversary.replays)]

    def attack_alone(self, views: Tensor, labels: Tensor, starts: torch.Generator) -> Tensor | None:
        """The perturbed ones among ``views`` as the adversary leaves them, ``None`` without one; nothing has a graph.

        ``free`` needs the replays of a batch for it, which move the weights.
        """
        if self._config.adversary.name == "none":
            return None
        clean = self._perturbed(views)
        if self._config.adversary.name == "pgd":
            start = adversaries.start(clean, self.attack, starts, self._world)
            return self._losses.perturb(views, labels, self.attack, start)
        self.on(views, labels, starts)
        assert self._free.delta is not None
        return clean + self._free.delta

    def _groups(self, views: Tensor, labels: Tensor) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
        """The views of each micro-batch, and its labels."""
        return self._cut(views), labels.chunk(self._config.optimiser.micro_batches)

    def _cut(self, views: Tensor) -> tuple[Tensor, ...]:
        return views.chunk(self._config.optimiser.micro_batches, dim=1)

    def _attacked(self, views: Tensor, labels: Tensor, start: Tensor) -> Loss:
        share = 1 / self._config.optimiser.micro_batches
        adversarial = self._losses.perturb(views, labels, self.attack, start, share=share)
        return self._losses.trained(views, adversarial, labels)

    def _replay(self, views: Tensor, labels: Tensor, *, first: bool) -> Loss:
        """One pass of free adversarial training: a single gradient moves the weights and the perturbation."""
        clean = self._perturbed(views)
        kept = self._free.onto(clean) if first else self._free.delta
        assert kept is not None
        deltas = [part.requires_grad_() for part in self._cut(kept.detach())]
        loss = self._update(map(self._moved, *self._groups(views, labels), deltas))
        self._free.ascend(torch.cat([_gradient(delta) for delta in deltas], dim=1), clean)
        return loss

    def _moved(self, views: Tensor, labels: Tensor, delta: Tensor) -> Loss:
        return self._losses.trained(views, self._perturbed(views) + delta, labels)

    def _update(self, losses: Iterable[Loss]) -> Loss:
        """Descend the mean of the micro-batches' ``losses`` by one optimiser step of the schedule."""
        self.optimiser.param_groups[0]["lr"] = self._rate()
        found = [self._descended(loss) for loss in losses]
        parameters = self._losses.model.parameters()
        self._world.add_up([parameter.grad for parameter in parameters if parameter.grad is not None])
        self.optimiser.step()
        self.optimiser.zero_grad()
        self.updates += 1
        return mean(found)

    def _descended(self, loss: Loss) -> Loss:
        """Its gradient added to the weights'; no graph is left, so that the next micro-batch has the memory."""
        (loss.total / self._config.optimiser.micro_batches).backward()
        return loss.detached()

    def _rate(self) -> float:
        """Of the next update. The schedule runs in epochs: where a coreset makes them short, each of their updates
        goes further, as in ACL_RCS.py [R]. It counts updates [P], or batches, so that m replays run m times [C]."""
        optimiser, replays = self._config.optimiser, cost.replays(self._config.adversary)
        updates = self._batches * replays
        batches = cost.batches_in_epoch(self._config, self._images, self._epoch)
        step = (self._epoch - 1) * updates + self.updates * self._batches / batches
        counted = updates if self._config.faithful_to == "paper" else self._batches
        peak, warmup = optimiser.learning_rate, counted * optimiser.warmup_epochs
        return cosine_rate(step, counted * optimiser.epochs, peak, warmup)


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
