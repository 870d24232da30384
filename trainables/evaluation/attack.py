"""What an attack of a package is, and the table that finds it by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import get_args

from torch import Tensor

from trainables import packages
from trainables.config import AttackName

Logits = Callable[[Tensor], Tensor]
"""From images (n, c, h, w) in [0, 1] to logits (n, classes), differentiable; the network is in evaluation mode, and its
weights take no gradient."""

PLATFORM: Mapping[str, None] = MappingProxyType(dict.fromkeys(get_args(AttackName)))
"""The names of the platform's own, which are no ``Attack``: they have radii and starts of which their figures tell."""


@dataclass(frozen=True, kw_only=True)
class Attack:
    """One radius, norm or severity of an attack, or of a corruption, by name; it has one figure, ``HEAD_head/NAME``."""

    name: str
    summary: str
    source: str
    perturb: Callable[[Logits, Tensor, Tensor], Tensor]
    """From logits, images (n, c, h, w) in [0, 1] and their labels (n,) to images such as these; what it draws comes
    from torch's global generator."""


def find(name: str) -> Attack | None:
    """The attack of a package; ``None`` for one of the platform's. ``ConfigError`` names the valid ones."""
    return packages.find("attack", name, Attack, PLATFORM)
