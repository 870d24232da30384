"""What a recipe is: a row of a table as a trainable and the settings that make the row, each with its source."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, NamedTuple

from trainables.catalogue import configure
from trainables.config import FaithfulTo, TrialConfig

Provenance = Literal["P", "C", "R", "A"]
"""[P] text of arXiv 2501.03507, [C] softsys4ai/CF-AMC-SSL at ff36114, [R] GodXuxilie/Efficient_ACL_via_RCS at 6fc9aef
and its paper, [A] our assumption."""


class Constant(NamedTuple):
    """A setting's value and where it is from."""

    value: Any
    source: Provenance
    where: str
    """Section, table or script; the reason of an assumption."""


Constants = Mapping[str, Constant]
"""By dotted path into ``TrialConfig``."""


def paper(value: Any, where: str) -> Constant:
    return Constant(value, "P", where)


def code(value: Any, where: str) -> Constant:
    return Constant(value, "C", where)


def rcs(value: Any, where: str) -> Constant:
    return Constant(value, "R", where)


def assumed(value: Any, why: str) -> Constant:
    return Constant(value, "A", why)


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """One row of a table. What ``constants`` does not name is the trainable's own, whose ``defaults`` state the source.

    The published figures stand in ``analysis.papers.published``, by the recipe's name.
    """

    table: str
    row: str
    summary: str
    trainable: str
    constants: Constants = field(hash=False)

    @property
    def name(self) -> str:
        return f"{self.table}/{self.row}"

    @property
    def assumptions(self) -> Constants:
        """The settings that no source states."""
        return {path: constant for path, constant in self.constants.items() if constant.source == "A"}

    def config(self, data: str = "cifar10", faithful_to: FaithfulTo = "paper") -> TrialConfig:
        """The complete config on the data set ``data``; ``ConfigError`` if there is no such data set."""
        settings = {path: constant.value for path, constant in self.constants.items()}
        return configure(self.trainable, {"data.source": data} | settings, faithful_to)

    def derive(self, table: str, row: str, summary: str, constants: Constants) -> Recipe:
        """Another row that differs from this one in ``constants``."""
        merged = {**self.constants, **constants}
        return replace(self, table=table, row=row, summary=summary, constants=merged)


@dataclass(frozen=True, kw_only=True)
class Table:
    """The rows that are compared with each other."""

    name: str
    title: str
    rows: tuple[Recipe, ...]
    notes: tuple[str, ...] = ()
    """What a reader must know before comparing its figures with the published ones."""
