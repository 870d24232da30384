"""Self-supervised losses: pure functions of embeddings, one file each, and the table that finds them by name.

Shapes: v views, b images, d dimensions; embeddings come as (v, b, d).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from torch import Tensor

from trainables.config import ObjectiveConfig
from trainables.objectives import emp_ssl, nt_xent


@dataclass(frozen=True)
class Loss:
    """What an objective found: the scalar to descend and its unweighted parts by name."""

    total: Tensor
    terms: Mapping[str, Tensor]


Objective = Callable[[Tensor], Loss]
"""From embeddings (v, b, d), L2-normalised over d, to their loss."""


def build(config: ObjectiveConfig) -> Objective:
    """The objective that ``config`` names, its weights bound."""
    return _BUILDERS[config.name](config)


def _emp_ssl(config: ObjectiveConfig) -> Objective:
    def objective(embeddings: Tensor) -> Loss:
        invariance = emp_ssl.invariance(embeddings)
        tcr = emp_ssl.total_coding_rate(embeddings, config.tcr_eps)
        return Loss(
            config.invariance_weight * invariance + config.tcr_weight * tcr, {"invariance": invariance, "tcr": tcr}
        )

    return objective


def _nt_xent(config: ObjectiveConfig) -> Objective:
    def objective(embeddings: Tensor) -> Loss:
        return Loss(nt_xent.contrastive(embeddings, config.temperature), {})

    return objective


_BUILDERS: Mapping[str, Callable[[ObjectiveConfig], Objective]] = {"emp_ssl": _emp_ssl, "nt_xent": _nt_xent}
