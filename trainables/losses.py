"""From views to losses: which network passes a method makes, in which mode, and what they are worth.

Shapes: v views, b images; views travel as (v, b, 3, h, w) in [0, 1], labels as (b,). Of several ranks each passes its
own images' views, and the labels of all.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

import torch
from torch import Tensor

from trainables import adversaries, objectives
from trainables.adversaries import Attack
from trainables.config import ComputeConfig, ObjectiveConfig
from trainables.models import Encoder, branch, compile_passes, shared_norms
from trainables.objectives import Loss
from trainables.pairing import Pairing
from trainables.parallel import ALONE, World
from trainables.precision import in_precision


class Losses:
    """A method's training loss and the loss its adversary ascends, on one encoder."""

    def __init__(
        self, model: Encoder, pairing: Pairing, config: ObjectiveConfig, compute: ComputeConfig | None = None
    ) -> None:
        compute = compute or ComputeConfig()
        self.model, self.pairing = model, pairing
        self._config = config
        self._compiles = compute.compile
        if compute.compile:
            compile_passes(model)
        self._network = in_precision(model, compute.precision)
        self._attacked = objectives.build_attacked(config)
        self._world = ALONE
        self.follow(1.0)

    def follow(self, strength: float) -> None:
        """Weigh the objective's parts as its schedule has it at augmentation ``strength``."""
        self._trained = objectives.build(self._config, strength)

    @contextmanager
    def across(self, world: World) -> Iterator[None]:
        """Within: losses are of all ranks' images together; every rank must make the same passes."""
        self._world = world
        try:
            with shared_norms(self.model, world):
                yield
        finally:
            self._world = ALONE

    @contextmanager
    def eager(self) -> Iterator[None]:
        """Within: passes are not compiled, for those that are too few to be worth it."""
        with torch.compiler.set_stance("force_eager") if self._compiles else nullcontext():
            yield

    def clean(self, views: Tensor, labels: Tensor) -> Loss:
        """Of the views as they are, for a method without its adversary."""
        return self._trained(self._embed(views), labels)

    def trained(self, views: Tensor, adversarial: Tensor, labels: Tensor) -> Loss:
        """What the weights descend; ``adversarial``: the perturbed ones among ``views``."""
        composed = self.pairing.train(views, adversarial)
        if self.pairing.passes != "branches":
            return self._trained(self._embed(composed), labels)
        clean, attacked = composed.chunk(2)
        with branch(self.model, "clean"):
            embedded = self._embed(clean)
        return self._trained(torch.cat([embedded, self._embed(attacked)]), labels)

    def ascended(self, attacked: Tensor, labels: Tensor) -> Tensor:
        """What an adversary ascends on the views it sees; scalar."""
        return self._attacked(self._embed(attacked), labels).total

    def perturb(self, views: Tensor, labels: Tensor, attack: Attack, start: Tensor, *, share: float = 1.0) -> Tensor:
        """The perturbed ones among ``views``, adversarial after PGD from ``start``.

        ``share`` of the loss is ascended: it matters to weight gradients that leak.
        """
        clean = self.pairing.perturbed(views)
        weights = nullcontext() if attack.leaks_weight_gradients else _frozen(self.model)
        with self._mode_of_attack(), weights:
            delta = adversaries.climb(
                lambda adversarial: share * self.ascended(self.pairing.attack(views, adversarial), labels),
                clean,
                attack,
                start,
            )
        return clean + delta

    @contextmanager
    def _mode_of_attack(self) -> Iterator[None]:
        """Training mode moves the running statistics, as in [C], where the text is silent."""
        training = self.model.training
        self.model.train(training and not self.pairing.attacks_in_eval)
        try:
            yield
        finally:
            self.model.train(training)

    def _embed(self, views: Tensor) -> Tensor:
        if self.pairing.passes == "alone":
            return self._world.gather(torch.stack([self._network(view) for view in views]), dim=1)
        embedded = self._network(views.flatten(0, 1))
        return self._world.gather(embedded.view(*views.shape[:2], -1), dim=1)


@contextmanager
def _frozen(model: Encoder) -> Iterator[None]:
    """Within: no weight needs a gradient, which compiled passes would compute though nobody asks for it."""
    weights = [parameter for parameter in model.parameters() if parameter.requires_grad]
    for weight in weights:
        weight.requires_grad_(False)
    try:
        yield
    finally:
        for weight in weights:
            weight.requires_grad_(True)
