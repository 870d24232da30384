"""One row of a table for papers: a model's figures, and what must be known to compare them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from analysis.papers.agreement import Protocol

THIS_STUDY = "This study"
CLEAN, WORST = "clean", "worst_pgd"


class Figure(NamedTuple):
    """An accuracy in percent with the ends of its 95 % interval, NaN where it has none."""

    value: float
    low: float = math.nan
    high: float = math.nan
    decimals: int | None = None
    """That are shown; ``None``: all."""

    @property
    def shown(self) -> float:
        """To the precision of ``text``: what reads the same ranks the same."""
        return float(self.text)

    @property
    def text(self) -> str:
        return f"{self.value:g}" if self.decimals is None else f"{self.value:.{self.decimals}f}"

    @property
    def interval(self) -> str:
        known = math.isfinite(self.low) and math.isfinite(self.high)
        return f"[{self.low:.1f}, {self.high:.1f}]" if known else ""


@dataclass(frozen=True, kw_only=True)
class Row:
    """One model, ours over its seeds, with what must be known to compare it. Unknown words are "", counts ``None``."""

    section: str
    """``THIS_STUDY``, or where it is published."""
    method: str
    source: str
    """The trial, or the published table."""
    origin: str = ""
    """The trial whose network ours measures again."""
    data: str
    head: str
    network: str
    protocol: Protocol
    """Rows of one protocol are ranked together."""
    departures: tuple[str, ...] = ()
    """Wherein ours was not measured as published."""
    flagged: bool = False
    epochs: int | None = None
    figures: Mapping[str, Figure] = field(default_factory=dict)
    """By ``CLEAN``, ``pgd_8`` (from the image itself, as published), ``WORST``, ``auto_attack_8``."""
    seeds: int | None = None
    images: int | None = None
    minutes: float = math.nan
    """Of pre-training."""
    hardware: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """What was searched."""
