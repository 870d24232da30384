"""Losses: pure functions of embeddings, one file each, and the tables that find them by name.

Shapes: v views, b images, d dimensions; embeddings come as (v, b, d), labels as (b,).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from trainables.config import ObjectiveConfig, ObjectiveName
from trainables.objectives import acl, cross_entropy, emp_ssl, nt_xent


@dataclass(frozen=True)
class Loss:
    """What an objective found: the scalar to descend and its unweighted parts by name."""

    total: Tensor
    terms: Mapping[str, Tensor]

    def detached(self) -> Loss:
        """Its values without their graph."""
        return Loss(self.total.detach(), {name: term.detach() for name, term in self.terms.items()})


def mean(losses: Sequence[Loss]) -> Loss:
    """Of every value, over losses of the same terms."""
    total = torch.stack([loss.total for loss in losses]).mean()
    return Loss(total, {name: torch.stack([loss.terms[name] for loss in losses]).mean() for name in losses[0].terms})


Objective = Callable[[Tensor, Tensor], Loss]
"""From embeddings (v, b, d), L2-normalised over d (logits for ``cross_entropy``), and labels to their loss."""


def build(config: ObjectiveConfig, strength: float = 1.0) -> Objective:
    """The objective that ``config`` names, its weights bound as they are at augmentation ``strength``."""
    if config.name == "acl":
        return _acl(config, acl.adversarial_excess(config.reweighting, strength))
    return _BUILDERS[config.name](config)


def build_attacked(config: ObjectiveConfig) -> Objective:
    """What the adversary ascends: the objective itself, but for ACL NT-Xent of the adversarial views alone."""
    return _plain_nt_xent(config) if config.name == "acl" else build(config)


def _emp_ssl(config: ObjectiveConfig) -> Objective:
    def objective(embeddings: Tensor, _labels: Tensor) -> Loss:
        invariance = emp_ssl.invariance(embeddings)
        tcr = emp_ssl.total_coding_rate(embeddings, config.tcr_eps)
        return Loss(
            config.invariance_weight * invariance + config.tcr_weight * tcr, {"invariance": invariance, "tcr": tcr}
        )

    return objective


def _nt_xent(config: ObjectiveConfig) -> Objective:
    return lambda embeddings, _labels: Loss(nt_xent.contrastive(embeddings, config.temperature), {})


def _sup_con(config: ObjectiveConfig) -> Objective:
    return lambda embeddings, labels: Loss(nt_xent.contrastive(embeddings, config.temperature, labels), {})


def _cross_entropy(_config: ObjectiveConfig) -> Objective:
    return lambda logits, labels: Loss(cross_entropy.cross_entropy(logits, labels), {})


def _acl(config: ObjectiveConfig, excess: float) -> Objective:
    def objective(embeddings: Tensor, _labels: Tensor) -> Loss:
        clean, adversarial = acl.halves(embeddings, config.temperature)
        total = ((1 - excess) * clean + (1 + excess) * adversarial) / 2
        return Loss(total, {"clean": clean, "adversarial": adversarial})

    return objective


def _plain_nt_xent(config: ObjectiveConfig) -> Objective:
    """Without the authors' scale of temperature / 0.07."""
    return lambda embeddings, _labels: Loss(nt_xent.contrastive_per_anchor(embeddings, config.temperature).mean(), {})


_BUILDERS: Mapping[ObjectiveName, Callable[[ObjectiveConfig], Objective]] = {
    "emp_ssl": _emp_ssl,
    "nt_xent": _nt_xent,
    "sup_con": _sup_con,
    "cross_entropy": _cross_entropy,
}
